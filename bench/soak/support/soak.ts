import type { ParseArgsConfig } from "node:util";
import { UsageError } from "#cli/usage-error";
import type { Progress } from "./progress.ts";

/** Values of a soak's options as `parseArgs` gives them. */
export type SoakValues = Readonly<Record<string, string | boolean | undefined>>;

/** What a soak is given. */
export interface SoakContext {
  readonly values: SoakValues;
  /** A bounded form of a few seconds, the same at every run. */
  readonly short: boolean;
  readonly progress: Progress;
  /** Tells `listener` that the user asked to stop. */
  onStop(listener: () => void): void;
}

/** One thing that does not hold. */
export interface SoakFailure {
  readonly what: string;
  /** The command that shows it again. */
  readonly replay: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What a soak came to. */
export interface SoakResult {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** Sentences below the table. */
  readonly notes: readonly string[];
  /** For `--json`. */
  readonly figures: Readonly<Record<string, unknown>>;
  /** Any makes the soak fail. */
  readonly failures: readonly SoakFailure[];
}

/**
 * What a module of this folder's parent exports under the name `soak`. To add one, write `bench/soak/NAME.ts`; nothing
 * lists it. A long loop calls `context.progress.step(done)` often and awaits `context.progress.breathe()` when that tells to.
 */
export interface Soak {
  /** What it shows, in a sentence. */
  readonly summary: string;
  /** Its own options as a command line shows them; `--short`, `--json` and `--help` are everybody's. */
  readonly usage: string;
  /** A line for each of them for `--help`: what it sets, what it is by default, what is allowed. */
  readonly explained?: readonly string[];
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  run(context: SoakContext): Promise<SoakResult>;
}

/** @throws UsageError when the option was given and is no whole number from `least`. */
export function wholeNumber(values: SoakValues, name: string, fallback: number, least = 0): number {
  const text = values[name];
  if (text === undefined) return fallback;
  const value = typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least))
    throw new UsageError(`--${name} is ${text}; allowed are whole numbers from ${least}`);
  return value;
}

/** @throws UsageError when the option was given and names none of them. */
export function oneNamed<T extends { readonly name: string }>(
  values: SoakValues,
  option: string,
  all: readonly T[],
): readonly T[] {
  const name = values[option];
  if (name === undefined) return all;
  const found = all.filter((one) => one.name === name);
  if (found.length > 0) return found;
  throw new UsageError(
    `--${option} is ${JSON.stringify(name)}; there are: ${all.map((one) => one.name).join(", ")}`,
  );
}
