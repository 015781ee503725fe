import { parseArgs } from "node:util";
import type { NodeId } from "#core/base/brand";
import { ByteReader, ByteWriter } from "#core/base/bytes";
import { emptyLogEnd, encodeEntries } from "#core/base/entry";
import { decodeMessage, encodeMessage } from "#core/raft/codec";
import type { Message } from "#core/raft/message";
import { scenarios } from "#scenarios/index";
import { EventHeap } from "#sim/event-heap";
import { runSeed } from "#sim/run-seed";
import type { Scenario } from "#sim/scenario";
import { frameDigest, TraceHash } from "#sim/trace-hash";
import { quantile } from "./support/figures.ts";

const usage = `Usage: npm run bench -- sim [--scenario NAME] [--seeds N] [--warm-up N] [--json]

Runs a scenario with every checker, seed after seed in one process, and beside it a bare loop that takes as many events
from the heap, encodes, decodes and hashes one message for each, and does nothing else.`;

const exitUsage = 64;

interface Options {
  readonly scenario: Scenario;
  readonly seeds: number;
  readonly warmUp: number;
  readonly json: boolean;
}

function parse(args: readonly string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        scenario: { type: "string", default: "failover" },
        seeds: { type: "string", default: "40" },
        "warm-up": { type: "string", default: "8" },
        json: { type: "boolean", default: false },
      },
    });
    const scenario = scenarios.find(({ name }) => name === values.scenario);
    if (scenario === undefined) {
      throw new Error(
        `no scenario ${values.scenario}; there are ${scenarios.map(({ name }) => name).join(", ")}`,
      );
    }
    const [seeds = 0, warmUp = 0] = [values.seeds, values["warm-up"]].map(Number);
    if (!Number.isSafeInteger(seeds) || seeds < 1 || !Number.isSafeInteger(warmUp) || warmUp < 0)
      throw new Error("counts are whole numbers");
    return { scenario, seeds, warmUp, json: values.json };
  } catch (error) {
    process.stderr.write(`bench sim: ${(error as Error).message}\n${usage}\n`);
    return undefined;
  }
}

/** A message of the size that scenarios send most often: three small entries. */
function sampleMessage(): Message {
  const contents = [80, 100, 120].map(
    (bytes) => ({ kind: "data", body: new Uint8Array(bytes).fill(7), session: 3, sequence: 9 }) as const,
  );
  return {
    type: "append-entries",
    term: 1,
    prevIndex: emptyLogEnd.index,
    prevTerm: emptyLogEnd.term,
    prevChainCrc: emptyLogEnd.chainCrc,
    prevPos: emptyLogEnd.pos,
    commitIndex: -1,
    entries: encodeEntries(emptyLogEnd, 1, contents),
  };
}

interface Tick {
  readonly node: NodeId;
}

/** What no simulator of this kind can do without: the heap, a message's codec both ways, the hash. */
function bareLoop(events: number): number {
  const heap = new EventHeap<Tick>();
  const hash = new TraceHash();
  const writer = new ByteWriter();
  const message = sampleMessage();
  // As many events wait at a time as in a run of five nodes.
  const waiting = 64;
  for (let n = 0; n < waiting; n++) heap.push(n * 37, n, { node: `n${n % 5}` as NodeId });
  for (let n = waiting; n < events + waiting; n++) {
    const now = heap.nextTime();
    const tick = heap.pop();
    if (tick === undefined) throw new Error("the heap lost an event");
    encodeMessage(writer, message);
    const frame = writer.finish();
    hash.add(now, n % 5, 6, frameDigest(frame));
    if (decodeMessage(new ByteReader(frame)).type !== "append-entries")
      throw new Error("not the same message");
    heap.push(now + 1 + ((n * 7_919) % 4_096), n, tick);
  }
  return hash.count;
}

interface Result {
  events: number;
  simMs: number;
  bareMs: number;
  readonly runMs: number[];
}

function measure(options: Options): Result {
  const result: Result = { events: 0, simMs: 0, bareMs: 0, runMs: [] };
  // In turns, so that what else the machine does falls on both.
  for (let seed = 1; seed <= options.warmUp + options.seeds; seed++) {
    const begun = performance.now();
    const { events, verdict } = runSeed(options.scenario, seed);
    const middle = performance.now();
    if (verdict !== "pass") throw new Error(`seed ${seed} of ${options.scenario.name}: ${verdict}`);
    if (bareLoop(events) !== events) throw new Error("the bare loop lost events");
    const end = performance.now();
    if (seed <= options.warmUp) continue;
    result.events += events;
    result.simMs += middle - begun;
    result.bareMs += end - middle;
    result.runMs.push(middle - begun);
  }
  result.runMs.sort((a, b) => a - b);
  return result;
}

/** `npm run bench -- sim`. @returns the exit code. */
export function benchmark(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (options === undefined) return Promise.resolve(exitUsage);
  const { events, simMs, bareMs, runMs } = measure(options);
  const figures = {
    scenario: options.scenario.name,
    seeds: options.seeds,
    events,
    eventsPerSecond: Math.round((events * 1_000) / simMs),
    bareEventsPerSecond: Math.round((events * 1_000) / bareMs),
    ratio: Math.round((simMs / bareMs) * 10) / 10,
    medianRunMs: Math.round(quantile(runMs, 0.5)),
    p90RunMs: Math.round(quantile(runMs, 0.9)),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else {
    const lines = [
      `${figures.scenario}, ${figures.seeds} seeds of 60 simulated seconds, all checkers, one process`,
      `simulator   ${figures.eventsPerSecond.toLocaleString("en")} events/s`,
      `bare loop   ${figures.bareEventsPerSecond.toLocaleString("en")} events/s (heap, codec both ways, hash)`,
      `ratio       ${figures.ratio} times the bare loop's time for each event`,
      `a run       median ${figures.medianRunMs} ms, p90 ${figures.p90RunMs} ms`,
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
  return Promise.resolve(0);
}
