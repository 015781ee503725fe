import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LogError } from "#core/base/errors";
import type { Decoder } from "./decoder.ts";
import { allocationBytesBase, allocationTimesInput, inputMsMax } from "./decoder.ts";
import { Inputs } from "./inputs.ts";

/** An input that was not decoded as it must be. */
export interface FuzzFailure {
  readonly decoder: string;
  readonly seed: number;
  /** The input's number, which with decoder and seed makes it again. */
  readonly input: number;
  readonly bytes: number;
  /** Its first bytes, in hex. */
  readonly hex: string;
  readonly what: string;
}

/** What feeding one decoder came to. Plain data: a worker sends it. */
export interface FuzzTally {
  readonly decoder: string;
  inputs: number;
  values: number;
  refused: number;
  /** Inputs whose allocation was measured, and the largest one. */
  measured: number;
  allocatedMax: number;
  slowestMs: number;
  readonly failures: FuzzFailure[];
}

/** More of one decoder tell nothing new. */
const failuresMax = 20;
const hexBytesMax = 256;
/** An input is measured every so often; to measure takes longer than to decode. */
const measureEvery = 64;
const triesMax = 3;

export function newTally(decoder: string): FuzzTally {
  return {
    decoder,
    inputs: 0,
    values: 0,
    refused: 0,
    measured: 0,
    allocatedMax: 0,
    slowestMs: 0,
    failures: [],
  };
}

/** Feeds a decoder the inputs from number `from` up to `to`. Yields after each. */
export function* feed(
  decoder: Decoder,
  { seed, from, to }: { readonly seed: number; readonly from: number; readonly to: number },
  tally: FuzzTally,
): Generator<number> {
  const inputs = new Inputs(decoder, seed);
  for (let n = from; n < to && tally.failures.length < failuresMax; n++) {
    const input = inputs.at(n);
    tally.inputs += 1;
    const what = feedOne(decoder, input, n % measureEvery === 0, tally);
    if (what !== undefined) tally.failures.push(failureOf(decoder, { seed, input: n }, input, what));
    yield n + 1;
  }
}

export function failureOf(
  { name }: Decoder,
  where: { readonly seed: number; readonly input: number },
  input: Uint8Array,
  what: string,
): FuzzFailure {
  const hex = Buffer.from(input.subarray(0, hexBytesMax)).toString("hex");
  return { decoder: name, ...where, bytes: input.length, hex, what };
}

/** @returns what is wrong. */
function feedOne(
  decoder: Decoder,
  input: Uint8Array,
  measure: boolean,
  tally: FuzzTally,
): string | undefined {
  // A decoder may keep views of what it got, and must not change it.
  const begun = performance.now();
  const outcome = measure ? measured(decoder, input, tally) : decodeOnce(decoder, input);
  const ms = performance.now() - begun;
  if (ms > tally.slowestMs) tally.slowestMs = ms;
  if (outcome === "value") tally.values += 1;
  else if (outcome === "refused") tally.refused += 1;
  else return outcome;
  return ms > inputMsMax && !measure ? slow(decoder, input) : undefined;
}

function decodeOnce(decoder: Decoder, input: Uint8Array): string {
  try {
    return decoder.decode(input) === undefined ? "refused" : "value";
  } catch (error) {
    if (error instanceof LogError && decoder.codes.includes(error.code)) return "refused";
    if (error instanceof LogError)
      return `LogError ${error.code}, which is not one of its own: ${error.message}`;
    return error instanceof Error ? `${error.name}: ${error.message}` : `threw ${String(error)}`;
  }
}

function slow(decoder: Decoder, input: Uint8Array): string | undefined {
  let least = Number.POSITIVE_INFINITY;
  for (let left = triesMax; left > 0; left--) {
    const begun = performance.now();
    decodeOnce(decoder, input);
    least = Math.min(least, performance.now() - begun);
  }
  return least > inputMsMax ? `took ${Math.round(least)} ms, at most ${inputMsMax} are allowed` : undefined;
}

/** The least of some tries: what else happens in between, like a collection, counts for nothing. */
function measured(decoder: Decoder, input: Uint8Array, tally: FuzzTally): string {
  const allowed = (decoder.allocationBytes ?? allocationBytesBase) + allocationTimesInput * input.length;
  let least = Number.POSITIVE_INFINITY;
  let outcome = "";
  for (let left = triesMax; left > 0 && least > allowed; left--) {
    // What the try before left behind would hide as much of this one when it is collected.
    if (left < triesMax) collect();
    const before = held();
    outcome = decodeOnce(decoder, input);
    least = Math.min(least, Math.max(0, held() - before));
  }
  tally.measured += 1;
  if (least > tally.allocatedMax) tally.allocatedMax = least;
  if (least <= allowed) return outcome;
  return `allocated ${least} bytes for an input of ${input.length}, at most ${allowed} are allowed`;
}

let collector: (() => void) | undefined;

function collect(): void {
  if (collector === undefined) {
    setFlagsFromString("--expose-gc");
    collector = runInNewContext("gc") as () => void;
  }
  collector();
}

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
