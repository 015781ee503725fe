import { parseArgs } from "node:util";
import { UsageError } from "#cli/usage-error";
import type { ProgressOutput } from "./progress.ts";
import { count, Progress, Stopped } from "./progress.ts";
import type { Soak, SoakFailure, SoakResult, SoakValues } from "./soak.ts";

export const exitOk = 0;
export const exitFailed = 1;
export const exitUsage = 64;
export const exitInterrupted = 130;

/** Of each soak's failures so many are told in full. */
const failuresShown = 10;

export interface SoakOutput {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: ProgressOutput;
}

/** Whether and how the user asked to stop; `src/cli/interrupt.ts` is one. */
export interface StopRequest {
  readonly requested: boolean;
  readonly exitCode: number;
  onRequest(listener: () => void): void;
}

const common = {
  short: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const explained = [
  "--short            a bounded form, the same at every run; some are part of npm test",
  "--json             one JSON object on one line instead of the table",
];

/** Runs one soak with its command line. @returns the exit code. */
export async function runSoak(
  name: string,
  soak: Soak,
  args: readonly string[],
  { output, stop }: { readonly output: SoakOutput; readonly stop: StopRequest },
): Promise<number> {
  const usage = `Usage: npm run soak -- ${name} ${soak.usage}${soak.usage === "" ? "" : " "}[--short] [--json]`;
  const refuse = (message: string): number => {
    output.stderr.write(`soak ${name}: ${message}\n${usage}\n`);
    return exitUsage;
  };
  let values: SoakValues;
  try {
    values = parseArgs({ args: [...args], options: { ...soak.options, ...common } }).values as SoakValues;
  } catch (error) {
    return refuse((error as Error).message);
  }
  if (values["help"] === true) {
    const lines = [...(soak.explained ?? []), ...explained].map((line) => `  ${line}\n`);
    output.stdout.write(`${usage}\n\n${soak.summary}\n\n${lines.join("")}`);
    return exitOk;
  }
  const progress = new Progress(output.stderr);
  stop.onRequest(() => {
    progress.stopped = true;
  });
  const started = performance.now();
  try {
    const short = values["short"] === true;
    const onStop = (listener: () => void): void => stop.onRequest(listener);
    const result = await soak.run({ values, short, progress, onStop });
    progress.clear();
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    output.stdout.write(values["json"] === true ? jsonOf(name, result, seconds) : textOf(result, seconds));
    return result.failures.length > 0 ? exitFailed : exitOk;
  } catch (error) {
    progress.clear();
    // A stop ends the soak's processes too: whatever was asked of them then fails, and that is no finding.
    if (error instanceof Stopped || stop.requested) {
      output.stderr.write(`soak ${name}: interrupted at ${progress.text()}\n`);
      return stop.requested ? stop.exitCode : exitInterrupted;
    }
    if (error instanceof UsageError) return refuse(error.message);
    throw error;
  }
}

function jsonOf(name: string, result: SoakResult, seconds: number): string {
  const { figures, failures } = result;
  const verdict = failures.length > 0 ? "fail" : "pass";
  return `${JSON.stringify({ soak: name, verdict, seconds, ...figures, failures })}\n`;
}

function textOf(result: SoakResult, seconds: number): string {
  const { title, columns, rows, notes, failures } = result;
  const lines = [title, "", ...table(columns, rows)];
  if (notes.length > 0) lines.push("", ...notes);
  lines.push("", `${failures.length === 0 ? "passed" : `${count(failures.length)} failed`} in ${seconds} s`);
  for (const failure of failures.slice(0, failuresShown)) lines.push("", ...failureLines(failure));
  if (failures.length > failuresShown) lines.push("", `and ${count(failures.length - failuresShown)} more`);
  return `${lines.join("\n")}\n`;
}

function failureLines({ what, replay, details }: SoakFailure): string[] {
  const more = Object.entries(details ?? {}).map(([name, value]) => {
    return `  ${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  return [`FAILED ${what}`, ...more, `  again: ${replay}`];
}

/** Numbers to the right, words to the left. */
function table(columns: readonly string[], rows: SoakResult["rows"]): string[] {
  const cells = [
    [...columns],
    ...rows.map((row) => row.map((cell) => (typeof cell === "number" ? count(cell) : cell))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  const right = columns.map((_, at) => rows.some((row) => typeof row[at] === "number"));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (right[at] === true ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd();
  return cells.map(line);
}
