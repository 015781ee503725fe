import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";

/** The command line is wrong; `message` says what was meant or allowed. */
export class MutantsUsageError extends Error {
  override readonly name = "MutantsUsageError";
}

export interface MutantsOptions {
  readonly dir: string;
  readonly only: string | undefined;
  /** The highest seed that is tried. */
  readonly seeds: number;
  readonly jobs: number;
  readonly json: boolean;
  readonly help: boolean;
}

export const mutantsUsage: string = `Usage: npm run mutants -- [options]

Plants each known bug in a scratch copy of the sources and runs seed 1 of every scenario, then seed 2, and so on,
until a checker fires: first with core's own assertions off, then, for survivors only, on.

  --dir DIR     directory with one mutant a *.json (default: test/mutants)
  --only NAME   this mutant only
  --seeds N     the highest seed to try (default: 500)
  --jobs N      runs at once (default: one a processor)
  --json        one JSON object on one line instead of the table
  --help

Exit: 0 all found, 1 survivors or invalid mutants, 2 usage, 130 interrupted.`;

const optionTypes = {
  dir: { type: "string" },
  only: { type: "string" },
  seeds: { type: "string" },
  jobs: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** @throws MutantsUsageError that names the option and what is allowed. */
export function parseMutantsArguments(args: readonly string[]): MutantsOptions {
  checkNames(args);
  let values: ReturnType<typeof parseArgs<{ options: typeof optionTypes }>>["values"];
  try {
    values = parseArgs({
      args: [...args],
      options: optionTypes,
      strict: true,
      allowPositionals: false,
    }).values;
  } catch (error) {
    throw new MutantsUsageError((error as Error).message);
  }
  return {
    dir: values.dir ?? path.join("test", "mutants"),
    only: values.only,
    seeds: whole("--seeds", values.seeds, 500, 1_000_000),
    jobs: whole("--jobs", values.jobs, Math.max(1, os.availableParallelism()), 256),
    json: values.json ?? false,
    help: values.help ?? false,
  };
}

function checkNames(args: readonly string[]): void {
  const known = Object.keys(optionTypes).map((name) => `--${name}`);
  for (const arg of args) {
    const name = arg.split("=")[0] as string;
    if (!name.startsWith("--") || name === "--" || known.includes(name)) continue;
    throw new MutantsUsageError(`unknown option ${name}. Did you mean ${closest(name, known)}?`);
  }
}

function whole(option: string, text: string | undefined, standard: number, max: number): number {
  if (text === undefined) return standard;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw new MutantsUsageError(`${option} ${text}: allowed is a whole number from 1 to ${max}`);
}

/** The name that takes the fewest edits to become from `text`. */
export function closest(text: string, names: readonly string[]): string {
  let best = names[0] ?? "";
  let bestEdits = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const needed = edits(text, name);
    if (needed >= bestEdits) continue;
    best = name;
    bestEdits = needed;
  }
  return best;
}

function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
