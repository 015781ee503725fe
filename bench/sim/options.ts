import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { scenarios } from "#scenarios/index";
import type { Scenario } from "#sim/scenario";
import type { Letter } from "./measurement.ts";
import { letters } from "./measurement.ts";

export const usage = `Usage: npm run bench -- sim [options]

How fast the simulator is, on one core. Each figure is the best of all rounds; figures of one run may be compared only.

  --only LETTERS   of a bare loop, b ping-pong, c a scenario with all checkers, d an idle group, e the Raft core alone,
                   f seeds of swarm (abcdef)
  --rounds N       every measurement in turn, so often (5)
  --seeds N        seeds of c and of f (8 and 20)
  --scenario NAME  for c (failover)
  --cpu            by processor time instead of wall time, for a machine that others use too
  --peers          measures madsim, turmoil and raft-rs in the same rounds; builds them with cargo, which takes minutes
  --peers-dir DIR  their programs (../shared/peers/simulators)
  --memory         measures instead how much a simulated group holds beside its disks, over many appends
  --gib N          for --memory: what is appended, half of it while a follower is down (0.125)
  --bytes N        for --memory: of one entry (16384)
  --segment-kib N  for --memory: of one segment (64)
  --short          as little of everything as runs at all; measures nothing
  --json           one JSON object instead of the table`;

export interface SimBenchOptions {
  readonly only: readonly Letter[];
  readonly rounds: number;
  readonly checkedSeeds: number;
  readonly swarmSeeds: number;
  readonly scenario: Scenario;
  readonly peers: boolean;
  readonly peersDirectory: string;
  readonly cpu: boolean;
  readonly memory: boolean;
  readonly appendBytes: number;
  readonly entryBytes: number;
  readonly segmentBytes: number;
  /** Of (c) only what is measured beside it, at a heavier load. */
  readonly heavy: boolean;
  readonly short: boolean;
  readonly json: boolean;
}

const root = fileURLToPath(new URL("../../../", import.meta.url));
const kibibyte = 1_024;
const gibibyte: number = kibibyte ** 3;
const gibMax = 16;
const shortAppendBytes = 4 * kibibyte * kibibyte;

/** @throws Error that says what is wrong. */
export function parseOptions(args: readonly string[]): SimBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: letters.join("") },
      rounds: { type: "string" },
      seeds: { type: "string" },
      scenario: { type: "string", default: "failover" },
      peers: { type: "boolean", default: false },
      "peers-dir": { type: "string", default: path.resolve(root, "../shared/peers/simulators") },
      cpu: { type: "boolean", default: false },
      memory: { type: "boolean", default: false },
      gib: { type: "string", default: "0.125" },
      bytes: { type: "string", default: "16384" },
      "segment-kib": { type: "string", default: "64" },
      heavy: { type: "boolean", default: false },
      short: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const { short } = values;
  const count = (name: "rounds" | "seeds", usual: number, least: number): number =>
    values[name] === undefined ? (short ? least : usual) : whole(name, values[name]);
  const gib = Number(values.gib);
  if (!(gib > 0 && gib <= gibMax)) throw new Error(`--gib is ${values.gib}; allowed is up to ${gibMax}`);
  return {
    only: lettersOf(values.only),
    rounds: count("rounds", 5, 1),
    checkedSeeds: count("seeds", 8, 1),
    swarmSeeds: count("seeds", 20, 1),
    scenario: scenarioOf(values.scenario),
    peers: values.peers,
    peersDirectory: values["peers-dir"],
    cpu: values.cpu,
    memory: values.memory,
    appendBytes: short ? shortAppendBytes : gib * gibibyte,
    entryBytes: inRange("bytes", values.bytes, 12, 32 * kibibyte),
    segmentBytes: inRange("segment-kib", values["segment-kib"], 64, 64 * kibibyte) * kibibyte,
    heavy: values.heavy,
    short,
    json: values.json,
  };
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${name} is ${text}; allowed are whole numbers from 1`);
  return value;
}

function inRange(name: string, text: string, low: number, high: number): number {
  const value = whole(name, text);
  if (value < low || value > high) throw new Error(`--${name} is ${text}; allowed are ${low} to ${high}`);
  return value;
}

function lettersOf(text: string): Letter[] {
  const wanted = [...text.replaceAll(",", "")];
  const unknown = wanted.find((letter) => !letters.includes(letter as Letter));
  if (unknown !== undefined || wanted.length === 0)
    throw new Error(`--only is ${JSON.stringify(text)}; allowed are letters of ${letters.join("")}`);
  return letters.filter((letter) => wanted.includes(letter));
}

function scenarioOf(wanted: string): Scenario {
  const scenario = scenarios.find(({ name }) => name === wanted);
  if (scenario === undefined)
    throw new Error(`no scenario ${wanted}; there are ${scenarios.map(({ name }) => name).join(", ")}`);
  return scenario;
}
