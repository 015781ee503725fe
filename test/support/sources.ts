import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import type { Source } from "./source-rules.ts";

export const projectRoot: string = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

/** Every file under a folder of the project whose name passes, sorted by path; none when the folder is absent. */
export function sourcesUnder(folder: string, accepts: (name: string) => boolean): Source[] {
  const full = path.join(projectRoot, folder);
  if (!fs.existsSync(full)) return [];
  return fs
    .readdirSync(full, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile() && accepts(item.name))
    .map((item) => path.join(item.parentPath, item.name))
    .sort()
    .map((file) => ({
      path: path.relative(projectRoot, file).split(path.sep).join("/"),
      text: fs.readFileSync(file, "utf8"),
    }));
}
