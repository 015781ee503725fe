import * as fs from "node:fs";

/** The package's version; its package.json lies two folders above this file, in `src` and in `dist` alike. */
export const version: string = JSON.parse(
  fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
).version;
