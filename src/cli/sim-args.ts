import * as fs from "node:fs";
import * as os from "node:os";
import { scenarios } from "#scenarios/index";
import type { Micros } from "../core/base/units.ts";
import { parseOverrides, SettingError } from "../sim/overrides.ts";
import type { RunOptions, Scenario } from "../sim/scenario.ts";
import { nodeCounts } from "../sim/scenario.ts";
import { knobPaths, parseMicros } from "../sim/settings.ts";
import type { DecisionFile } from "./decision-file.ts";
import { parseDecisionFile } from "./decision-file.ts";
import { meant } from "./suggest.ts";
import { UsageError } from "./usage-error.ts";

/** The options of `quorumlog sim` as commander hands them over. */
export interface RawSimOptions {
  readonly scenario?: string;
  readonly seed?: string;
  readonly seeds?: string;
  readonly jobs?: string;
  readonly nodes?: string;
  readonly duration?: string;
  readonly override?: readonly string[];
  readonly checkDeterminism?: boolean;
  readonly json?: boolean;
  readonly trace?: string;
  readonly decisions?: string;
  readonly replay?: string;
  readonly list?: boolean;
}

/** What shapes a run; plain data, so that it travels to worker threads. */
export interface SimPlan {
  readonly scenario: string;
  readonly nodes: number | undefined;
  readonly duration: Micros | undefined;
  readonly overrides: Readonly<Record<string, string>>;
  readonly checkDeterminism: boolean;
}

export interface SimArguments {
  readonly plan: SimPlan;
  readonly firstSeed: number;
  readonly lastSeed: number;
  /** One seed and its story, or many and a summary. */
  readonly many: boolean;
  readonly jobs: number;
  readonly json: boolean;
  readonly trace: string | undefined;
  readonly decisions: string | undefined;
  readonly replay: DecisionFile | undefined;
}

export const defaultScenario = "failover";
const jobsMax = 256;
const durationMax: Micros = 24 * 3_600 * 1_000_000;

/** @throws UsageError for the first thing that is wrong. */
export function parseSimArguments(raw: RawSimOptions): SimArguments {
  const replay = raw.replay === undefined ? undefined : readDecisions(raw.replay);
  const many = raw.seeds !== undefined;
  if (many && raw.seed !== undefined) throw new UsageError("--seed and --seeds exclude each other");
  for (const name of ["trace", "decisions", "replay"] as const) {
    if (many && raw[name] !== undefined)
      throw new UsageError(`--${name} goes with one --seed, not with --seeds`);
  }
  if (replay !== undefined) checkReplay(raw, replay);
  const scenario = findScenario(raw.scenario ?? replay?.scenario ?? defaultScenario);
  const [firstSeed, lastSeed] = many
    ? parseSeedRange(raw.seeds ?? "")
    : [raw.seed === undefined ? (replay?.seed ?? 1) : parseSeed(raw.seed), 0];
  return {
    plan: {
      scenario: scenario.name,
      nodes: raw.nodes === undefined ? replay?.nodes : parseNodes(raw.nodes),
      duration: raw.duration === undefined ? replay?.durationMicros : parseDuration(raw.duration),
      overrides: overridesOf(raw.override ?? []),
      checkDeterminism: raw.checkDeterminism === true,
    },
    firstSeed,
    lastSeed: many ? lastSeed : firstSeed,
    many,
    jobs: raw.jobs === undefined ? 1 : parseJobs(raw.jobs),
    json: raw.json === true,
    trace: raw.trace,
    decisions: raw.decisions,
    replay,
  };
}

/** @throws UsageError with what was probably meant. */
export function findScenario(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  const names = scenarios.map((scenario) => scenario.name);
  throw new UsageError(`unknown scenario ${JSON.stringify(name)}.${meant(name, names)}`);
}

/** The options of a run in the words of the simulator. */
export function runOptionsOf(plan: SimPlan): RunOptions {
  const options: { -readonly [key in keyof RunOptions]: RunOptions[key] } = { overrides: plan.overrides };
  if (plan.nodes !== undefined) options.nodes = plan.nodes;
  if (plan.duration !== undefined) options.duration = plan.duration;
  return options;
}

function parseSeed(text: string): number {
  const seed = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(seed)) {
    throw new UsageError(`--seed ${text}: a seed is a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  return seed;
}

function parseSeedRange(text: string): [number, number] {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  const range: [number, number] =
    match === null ? [Number.NaN, Number.NaN] : [Number(match[1]), Number(match[2])];
  if (!range.every(Number.isSafeInteger))
    throw new UsageError(`--seeds ${text}: it takes a range such as 1..1000`);
  if (range[0] > range[1]) {
    throw new UsageError(
      `--seeds ${text}: the first seed is above the last. Did you mean ${range[1]}..${range[0]}?`,
    );
  }
  return range;
}

function parseJobs(text: string): number {
  const jobs = /^\d+$/.test(text) ? Number(text) : 0;
  if (jobs < 1 || jobs > jobsMax) {
    throw new UsageError(
      `--jobs ${text}: it takes a whole number from 1 to ${jobsMax}; this machine has ${os.availableParallelism()} cores`,
    );
  }
  return jobs;
}

function parseNodes(text: string): number {
  const nodes = nodeCounts.find((count) => String(count) === text);
  if (nodes === undefined) throw new UsageError(`--nodes ${text}: it takes one of ${nodeCounts.join(", ")}`);
  return nodes;
}

function parseDuration(text: string): Micros {
  const duration = parseMicros(text);
  if (duration === undefined || duration < 1 || duration > durationMax) {
    const hint = /^\d+$/.test(text) ? ` Did you mean ${text}s?` : "";
    throw new UsageError(`--duration ${text}: it takes a time such as 60s, 500ms or 2m.${hint}`);
  }
  return duration;
}

function overridesOf(list: readonly string[]): Readonly<Record<string, string>> {
  const overrides: Record<string, string> = {};
  for (const item of list) {
    const match = /^([^=]+)=(.*)$/.exec(item);
    if (match === null)
      throw new UsageError(`--override ${item}: it takes a setting and a value, as network.loss=0.1`);
    overrides[(match[1] as string).trim()] = match[2] as string;
  }
  try {
    parseOverrides(overrides);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    const hint = error.unknown ? `.${meant(error.path, knobPaths)}` : "";
    throw new UsageError(`--override: ${error.message}${hint}`);
  }
  return overrides;
}

function readDecisions(path: string): DecisionFile {
  let text: string;
  try {
    text = fs.readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--replay ${path}: ${(error as Error).message}`);
  }
  const file = parseDecisionFile(text);
  if (typeof file === "string") throw new UsageError(`--replay ${path}: ${file}`);
  return file;
}

/** A list of decisions belongs to one run; asking for another one with it is a mistake. */
function checkReplay(raw: RawSimOptions, replay: DecisionFile): void {
  if (raw.scenario !== undefined && raw.scenario !== replay.scenario) {
    throw new UsageError(`--replay holds a run of ${replay.scenario}, not of ${raw.scenario}`);
  }
  if (raw.seed !== undefined && raw.seed !== String(replay.seed)) {
    throw new UsageError(`--replay holds a run of seed ${replay.seed}, not of seed ${raw.seed}`);
  }
}
