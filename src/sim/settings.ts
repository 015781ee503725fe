import type { Micros } from "../core/base/units.ts";
import { mebibyte, millisecond, second } from "../core/base/units.ts";
import type { Disturbance } from "./nemesis/disturbances.ts";
import { disturbanceNames, disturbances } from "./nemesis/disturbances.ts";
import type { SeededRandom } from "./random.ts";

/** A knob's dotted path, as `--override` names it. */
export type KnobPath =
  | "network.latencyMin"
  | "network.latencyMax"
  | "network.slow"
  | "network.slowMax"
  | "network.loss"
  | "network.duplicate"
  | "network.reset"
  | "network.refuse"
  | "network.stall"
  | "network.stallMax"
  | "network.halfOpen"
  | "network.timeout"
  | "network.bufferBytes"
  | "network.bufferFrames"
  | "disk.writeMin"
  | "disk.writeMax"
  | "disk.readMin"
  | "disk.readMax"
  | "disk.syncMin"
  | "disk.syncMax"
  | "disk.slow"
  | "disk.slowMax"
  | "disk.survive"
  | "disk.ioError"
  | "disk.readError"
  | "disk.writeError"
  | "disk.syncError"
  | "disk.stall"
  | "disk.stallMax"
  | "disk.staleRead"
  | "disk.misdirectedWrite"
  | "disk.bitRot"
  | "disk.rot"
  | "disk.capacityBytes"
  | "clock.driftMax"
  | "clock.skewMax"
  | "clock.jumpMax"
  | "process.downMin"
  | "process.downMax"
  | "process.powerLoss"
  | "process.pauseMax"
  | "network.duplicateMax"
  | "disk.misdirectedRead"
  | "load.sessionSpan"
  | "load.transferEvery"
  | "process.sessionsSpread"
  | "operator.away"
  | NemesisKnob;

/** The mean distance between two of a disturbance; 0 when it takes no part. */
export type NemesisKnob = `nemesis.${Disturbance}`;

export type KnobUnit = "probability" | "time" | "bytes" | "count" | "ppm";

export interface Knob {
  readonly unit: KnobUnit;
  /** The value of a calm world. */
  readonly calm: number;
  readonly max: number;
  readonly about: string;
}

const hour: Micros = 3_600 * second;
const time = (calm: Micros, about: string): Knob => ({ unit: "time", calm, max: hour, about });
const probability = (about: string): Knob => ({ unit: "probability", calm: 0, max: 1, about });

const nemesisKnobs = Object.fromEntries(
  disturbanceNames.map((name) => [`nemesis.${name}`, time(0, disturbances[name])]),
) as { readonly [path in NemesisKnob]: Knob };

/** Every fault that the world can make by chance, every disturbance, and how it behaves without. Times are microseconds. */
export const knobs: { readonly [path in KnobPath]: Knob } = {
  "network.latencyMin": time(200, "least one-way delay of a frame"),
  "network.latencyMax": time(1_500, "largest ordinary one-way delay of a frame"),
  "network.slow": probability("a frame is late"),
  "network.slowMax": time(50 * millisecond, "largest extra delay of a late frame"),
  "network.loss": probability("a frame is lost; on a stream this resets the connection"),
  "network.duplicate": probability("a datagram arrives twice"),
  "network.reset": probability("a frame resets its connection"),
  "network.refuse": probability("a connection is refused"),
  "network.stall": probability("a stream stalls at a frame"),
  "network.stallMax": time(500 * millisecond, "longest stall"),
  "network.halfOpen": probability("the other end of a broken connection is not told"),
  "network.timeout": time(3 * second, "silence after which a connection with unanswered frames breaks"),
  "network.bufferBytes": {
    unit: "bytes",
    calm: mebibyte,
    max: 1_024 * mebibyte,
    about: "send buffer of a connection",
  },
  "network.bufferFrames": {
    unit: "count",
    calm: 1_024,
    max: 1_000_000,
    about: "send buffer of a connection",
  },
  "disk.writeMin": time(20, "shortest write into the page cache"),
  "disk.writeMax": time(200, "longest ordinary write"),
  "disk.readMin": time(50, "shortest read"),
  "disk.readMax": time(400, "longest ordinary read"),
  "disk.syncMin": time(200, "shortest sync"),
  "disk.syncMax": time(2 * millisecond, "longest ordinary sync"),
  "disk.slow": probability("an operation is slow"),
  "disk.slowMax": time(100 * millisecond, "largest extra time of a slow operation"),
  "disk.survive": {
    unit: "probability",
    calm: 0,
    max: 1,
    about: "in a power loss: an un-synced sector, length or directory entry reached the disk after all",
  },
  "disk.ioError": probability("an operation of any kind fails with an I/O error"),
  "disk.readError": probability("a read fails with an I/O error"),
  "disk.writeError": probability("a write, or a change of names, fails with an I/O error"),
  "disk.syncError": probability("a sync fails with an I/O error, and what it was to cover is lost"),
  "disk.stall": probability("an operation, and all behind it on that disk, stands still"),
  "disk.stallMax": time(500 * millisecond, "longest stall of a disk"),
  "disk.staleRead": probability("a read gives what some of its sectors held before; the next one is right"),
  "disk.misdirectedWrite": probability("a write lands in another place than its own"),
  "disk.bitRot": probability("a restart finds part of a file rotted"),
  "disk.rot": probability("within a quarter of a second, part of a running node's files rots"),
  "disk.capacityBytes": { unit: "bytes", calm: 0, max: 2 ** 50, about: "size of each disk; 0 for no limit" },
  "clock.driftMax": { unit: "ppm", calm: 0, max: 100_000, about: "largest drift, either way" },
  "clock.skewMax": time(0, "largest difference of a wall clock from true time"),
  "clock.jumpMax": time(0, "largest jump of a wall clock, either way"),
  "process.downMin": time(50 * millisecond, "shortest time from crash to restart"),
  "process.downMax": time(3 * second, "longest time from crash to restart"),
  "process.powerLoss": probability(
    "a crash takes the machine down: un-synced data is lost, connections fall silent",
  ),
  "process.pauseMax": time(2 * second, "longest pause of a process"),
  // At the end, so that the seeds that were there before it draw what they drew.
  "network.duplicateMax": time(0, "largest extra delay of a datagram's second copy"),
  "disk.misdirectedRead": probability(
    "a read gives, in some of its sectors, what another place of the file or another file holds; the next one is right",
  ),
  "load.sessionSpan": time(
    0,
    "a client leaves about so often, calls in flight and all, and comes back as another",
  ),
  "load.transferEvery": time(0, "leadership is asked to move to a drawn node about so often"),
  "process.sessionsSpread": {
    unit: "count",
    calm: 0,
    max: 4,
    about:
      "each start of a node draws a `sessionsMax` of its own, up to so many above or below the usual one",
  },
  "operator.away": {
    unit: "count",
    calm: 0,
    max: 1,
    about: "1: the first node that gives up is left as it is, and tails are watched",
  },
  // Last of all: their paces are drawn elsewhere.
  ...nemesisKnobs,
};

export function isDisturbance(path: KnobPath): path is NemesisKnob {
  return path in nemesisKnobs;
}

export const knobPaths: readonly KnobPath[] = Object.keys(knobs) as KnobPath[];

/** The effective value of every knob. Probabilities lie in [0, 1], times are microseconds. */
export type FaultSettings = { [path in KnobPath]: number };

/** A range over several powers of two, each as likely as the others; one run in `oneIn` draws from it, the others stay calm. */
export interface ScaleRange {
  readonly oneIn: number;
  readonly low: number;
  readonly high: number;
}

/** What a scenario asks for: a value, or a range from which the seed draws. What is left out keeps its calm value. */
export type FaultRanges = {
  readonly [path in KnobPath]?: number | readonly [low: number, high: number] | ScaleRange;
};

export function calmSettings(): FaultSettings {
  const settings = {} as FaultSettings;
  for (const path of knobPaths) settings[path] = knobs[path].calm;
  return settings;
}

/** A fault that a range may leave out is left out in a quarter of the runs: a run without it finds other bugs. */
const leftOutOf = 4;

/**
 * Draws the effective settings of a run (swarm testing: each seed has its own mix of faults).
 * @param overrides win over everything.
 */
export function drawSettings(
  ranges: FaultRanges,
  random: SeededRandom,
  overrides: Partial<FaultSettings>,
): FaultSettings {
  const settings = calmSettings();
  const stream = random.stream("settings");
  knobPaths.forEach((path, i) => {
    const wanted = overrides[path] ?? ranges[path];
    if (wanted === undefined) return;
    if (typeof wanted === "number") settings[path] = wanted;
    else if ("oneIn" in wanted) {
      if (stream.draw(i * 2) % wanted.oneIn === 0) settings[path] = drawScale(wanted, stream.draw(i * 2 + 1));
    } else settings[path] = drawKnob(knobs[path].unit, wanted, stream.draw(i * 2), stream.draw(i * 2 + 1));
  });
  orderPair(settings, "network.latencyMin", "network.latencyMax");
  orderPair(settings, "disk.writeMin", "disk.writeMax");
  orderPair(settings, "disk.readMin", "disk.readMax");
  orderPair(settings, "disk.syncMin", "disk.syncMax");
  orderPair(settings, "process.downMin", "process.downMax");
  return settings;
}

function drawKnob(
  unit: KnobUnit,
  [low, high]: readonly [number, number],
  which: number,
  draw: number,
): number {
  if (unit !== "probability") return low + (draw % (high - low + 1));
  if (low === 0 && which % leftOutOf === 0) return 0;
  // Parts of ten thousand, so that the printed value is the whole truth.
  const steps = 10_000;
  const lowSteps = Math.round(low * steps);
  return (lowSteps + (draw % (Math.round(high * steps) - lowSteps + 1))) / steps;
}

/** A power of two first, then a value between it and the next one. */
function drawScale({ low, high }: ScaleRange, draw: number): number {
  const powers = [low];
  for (let power = low * 2; power * 2 <= high; power *= 2) powers.push(power);
  const from = powers[draw % powers.length] as number;
  return Math.min(high, from + ((draw >>> 8) % (from + 1)));
}

function orderPair(settings: FaultSettings, low: KnobPath, high: KnobPath): void {
  if (settings[low] > settings[high]) settings[high] = settings[low];
}

/** Faults off: what makes trouble by chance is calm, latencies stay as they were drawn. */
export function healSettings(settings: FaultSettings): void {
  for (const path of knobPaths) {
    if (knobs[path].unit === "probability" && path !== "disk.survive") settings[path] = 0;
  }
  settings["disk.capacityBytes"] = 0;
}

/** An effective value as people write it, and as `parseKnob` reads it. */
export function formatKnob(path: KnobPath, value: number): string {
  switch (knobs[path].unit) {
    case "time":
      return value === 0 ? "0" : formatMicros(value);
    case "bytes":
      return value >= mebibyte && value % mebibyte === 0 ? `${value / mebibyte}MiB` : `${value}B`;
    case "ppm":
      return `${value}ppm`;
    default:
      return String(value);
  }
}

export function formatMicros(value: Micros): string {
  if (value !== 0 && value % second === 0) return `${value / second}s`;
  if (value !== 0 && value % millisecond === 0) return `${value / millisecond}ms`;
  return `${value}us`;
}

const times: { readonly [suffix: string]: number } = {
  us: 1,
  ms: millisecond,
  s: second,
  m: 60 * second,
  h: hour,
};

/** `60s`, `250ms`, `2.5s`, `1m`, `800us`. @returns undefined when the text is no time, or finer than a microsecond. */
export function parseMicros(text: string): Micros | undefined {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h)$/.exec(text.trim());
  if (match === null) return undefined;
  const value = Math.round(Number(match[1]) * (times[match[2] as string] as number));
  return Number.isSafeInteger(value) ? value : undefined;
}

const sizes: { readonly [suffix: string]: number } = {
  "": 1,
  B: 1,
  KiB: 1_024,
  MiB: mebibyte,
  GiB: 1_024 * mebibyte,
};

/** @returns the value of a knob, or the sentence that says what is allowed. */
export function parseKnob(path: KnobPath, text: string): number | string {
  const { unit, max } = knobs[path];
  let value: number | undefined;
  let allowed: string;
  if (unit === "time") {
    value = text.trim() === "0" ? 0 : parseMicros(text);
    allowed = "a time such as 250us, 5ms or 1.5s, or 0";
  } else if (unit === "bytes") {
    const match = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(text.trim());
    value = match === null ? undefined : Number(match[1]) * (sizes[match[2] ?? ""] as number);
    allowed = "a size such as 65536 or 4MiB";
  } else if (unit === "probability") {
    value = /^(\d+(\.\d+)?|\.\d+)$/.test(text.trim()) ? Number(text) : undefined;
    allowed = "a probability from 0 to 1";
  } else {
    value = /^\d+(ppm)?$/.test(text.trim()) ? Number.parseInt(text, 10) : undefined;
    allowed = "a whole number";
  }
  if (value === undefined || value > max)
    return `${allowed}${unit === "probability" ? "" : `, at most ${formatKnob(path, max)}`}`;
  return value;
}
