import * as fs from "node:fs";

/** Ticks of the kernel's accounting a second: 100 on every Linux that Node.js runs on. */
const ticksPerSecond = 100;

/** Processor seconds that a process has used, user and system; undefined without /proc, or once it is gone. */
export function cpuSecondsOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name, in parentheses, may hold spaces: fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

export interface Memory {
  readonly residentMiB: number;
  /** The most that the process ever had. */
  readonly residentMaxMiB: number;
}

/** Memory of a process; undefined without /proc, or once it is gone. */
export function memoryOf(pid: number): Memory | undefined {
  const status = read(`/proc/${pid}/status`);
  if (status === undefined) return undefined;
  const mebibytes = (field: string): number => {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status);
    return Math.round(Number(found?.[1] ?? 0) / 102.4) / 10;
  };
  return { residentMiB: mebibytes("VmRSS"), residentMaxMiB: mebibytes("VmHWM") };
}

function read(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
