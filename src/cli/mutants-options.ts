import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { meant } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";

export interface MutantsOptions {
  readonly dir: string;
  readonly only: string | undefined;
  /** The scenarios that are run; none given: all. */
  readonly scenarios: readonly string[];
  /** The highest seed that is tried. */
  readonly seeds: number;
  readonly jobs: number;
  readonly json: boolean;
  readonly help: boolean;
}

export const mutantsUsage: string = `Usage: npm run mutants -- [options]

Plants each known bug in a scratch copy of the sources and runs seed 1 of every scenario, then seed 2, and so on
(its own scenario first, and three seeds of it each time), until a checker fires: first with core's own
assertions off, then, for survivors only, on.

  --dir DIR        directory with one mutant a *.json (default: test/mutants)
  --only NAME      this mutant only
  --scenario NAME  this scenario only, or these: it may be given more than once
  --seeds N        the highest seed to try (default: 500)
  --jobs N         runs at once (default: one a processor)
  --json           one JSON object on one line instead of the table
  --help

Exit: 0 all found, 1 survivors or invalid mutants, 2 usage, 74 the output cannot be written, 130 interrupted, 143 terminated.`;

const optionTypes = {
  dir: { type: "string" },
  only: { type: "string" },
  scenario: { type: "string", multiple: true },
  seeds: { type: "string" },
  jobs: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** @throws UsageError that names the option and what is allowed. */
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
    throw new UsageError((error as Error).message);
  }
  return {
    dir: values.dir ?? path.join("test", "mutants"),
    only: values.only,
    scenarios: values.scenario ?? [],
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
    throw new UsageError(`unknown option ${name}.${meant(name, known)}`);
  }
}

function whole(option: string, text: string | undefined, standard: number, max: number): number {
  if (text === undefined) return standard;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw new UsageError(`${option} ${text}: allowed is a whole number from 1 to ${max}`);
}
