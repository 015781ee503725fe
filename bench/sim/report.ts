import * as os from "node:os";
import type { Row } from "./measurement.ts";
import type { MemoryReport } from "./memory.ts";

/** Beyond it others kept the processors busy, and the figures are too low. */
export const loadQuietMax = 1.5;

/** What the machine did besides. */
export interface Machine {
  readonly processors: number;
  readonly node: string;
  /** One-minute averages before and after. */
  readonly loadBefore: number;
  readonly loadAfter: number;
}

export interface SimBenchReport {
  readonly machine: Machine;
  readonly rounds: number;
  /** Figures are by processor time, not by wall time. */
  readonly cpu: boolean;
  readonly rows: readonly Row[];
  readonly memory?: MemoryReport;
  readonly leftOut: readonly string[];
}

export function loadNow(): number {
  return Math.round((os.loadavg()[0] ?? 0) * 100) / 100;
}

export function machineSince(loadBefore: number): Machine {
  return { processors: os.cpus().length, node: process.version, loadBefore, loadAfter: loadNow() };
}

export function jsonOf(report: SimBenchReport): string {
  return `${JSON.stringify(report)}\n`;
}

export function textOf({ machine, rounds, cpu, rows, memory, leftOut }: SimBenchReport): string {
  const { processors, node, loadBefore, loadAfter } = machine;
  const lines = [
    `${processors} processors, one of them in use; Node.js ${node}; load average ${loadBefore} before, ${loadAfter} after`,
  ];
  if (loadBefore > loadQuietMax)
    lines.push("!! LOADED MACHINE: others were using the processors; the figures are too low");
  if (cpu) lines.push("A second is one of processor time of this process, not of wall time.");
  if (rows.length > 0) {
    lines.push(`Best of ${rounds} round${rounds === 1 ? "" : "s"}, all in turns.`, "");
    lines.push(...table([["", "", "figure", "", "of (a)", "at least"], ...rows.map(rowCells)]));
  }
  if (memory !== undefined) lines.push("", ...memoryLines(memory));
  lines.push(...leftOut.map((what) => `!! LEFT OUT: ${what}`));
  return `${lines.join("\n")}\n`;
}

function rowCells({ letter, what, value, unit, ofBare, goal }: Row): string[] {
  const share = ofBare === undefined ? "" : percent(ofBare);
  const wanted = goal === undefined ? "" : `${goal.text}: ${goal.met ? "yes" : "NO"}`;
  return [`(${letter})`, what, figure(value), unit, share, wanted];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** Three digits at least. */
function figure(value: number): string {
  return value < 100
    ? String(Math.round(value * 10) / 10)
    : Math.round(value).toLocaleString("en", { maximumFractionDigits: 0 });
}

const mebibyte = 1_024 * 1_024;

function memoryLines(report: MemoryReport): string[] {
  const mib = (bytes: number): string => (bytes / mebibyte).toFixed(1);
  const { entryBytes, segmentBytes, samples, growth, growthAllowed, disksPerByte } = report;
  const rows = samples.map(({ when, appended, heap, buffers, disks }) => [
    when,
    mib(appended),
    mib(heap),
    mib(buffers),
    mib(heap + buffers),
    mib(disks),
  ]);
  return [
    `Three simulated nodes with all checkers, entries of ${entryBytes} bytes in segments of ${segmentBytes / 1_024} KiB; MiB after a garbage collection:`,
    ...table([["", "appended", "heap", "buffers", "both", "disks"], ...rows]),
    "",
    `Beside the disks ${mib(growth)} MiB more at the most than at the first of these; allowed are ${mib(growthAllowed)}: ${growth <= growthAllowed ? "yes" : "NO"}`,
    `The disks hold ${disksPerByte.toFixed(2)} bytes for each byte appended: once is the aim, three times is a copy a node.`,
  ];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  const isNumber = (cell: string): boolean => /^[\d,.]+$/.test(cell);
  return rows.map((row) =>
    row
      .map((cell, at) => (isNumber(cell) ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
