import * as fs from "node:fs";
import * as path from "node:path";
import { quantile, round } from "./figures.ts";

export interface DiskProbe {
  /** As the kernel names the file system of the directory; "unknown" without /proc. */
  readonly fileSystem: string;
  /** Write of 1 KiB into a file that is there already, then fdatasync. */
  readonly syncP50Ms: number;
  readonly syncP99Ms: number;
}

const fileBytes = 4 * 1_024 * 1_024;
const rounds = 300;

/** What the disk itself can do, taken in the same run: an append waits for two of these. */
export async function probeDisk(directory: string): Promise<DiskProbe> {
  const name = path.join(directory, "probe");
  const file = await fs.promises.open(name, "w");
  const block = Buffer.alloc(1_024, 1);
  const times: number[] = [];
  try {
    await file.write(Buffer.alloc(fileBytes), 0, fileBytes, 0);
    await file.sync();
    for (let at = 0; at < rounds; at++) {
      const begun = performance.now();
      await file.write(block, 0, block.length, at * block.length);
      await file.datasync();
      times.push(performance.now() - begun);
    }
  } finally {
    await file.close();
    fs.rmSync(name, { force: true });
  }
  times.sort((a, b) => a - b);
  return {
    fileSystem: fileSystemOf(directory),
    syncP50Ms: round(quantile(times, 0.5)),
    syncP99Ms: round(quantile(times, 0.99)),
  };
}

function fileSystemOf(directory: string): string {
  try {
    const real = fs.realpathSync(directory);
    const mounts = fs
      .readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, at = "\0"]) => real === at || real.startsWith(at === "/" ? "/" : `${at}/`));
    mounts.sort(([, a = ""], [, b = ""]) => b.length - a.length);
    return mounts[0]?.[2] ?? "unknown";
  } catch {
    return "unknown";
  }
}
