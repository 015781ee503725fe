import { second } from "#core/base/units";
import type { RunOptions } from "#sim/scenario";
import { BareLoop } from "./sim/bare-loop.ts";
import { Checked } from "./sim/checked.ts";
import { Idle } from "./sim/idle.ts";
import type { Letter, Measurement, Row } from "./sim/measurement.ts";
import { countProcessorTime } from "./sim/measurement.ts";
import { memory } from "./sim/memory.ts";
import type { SimBenchOptions } from "./sim/options.ts";
import { parseOptions, usage } from "./sim/options.ts";
import { peers } from "./sim/peers.ts";
import { PingPong } from "./sim/ping-pong.ts";
import { RaftCore } from "./sim/raft-core.ts";
import { jsonOf, loadNow, loadQuietMax, machineSince, textOf } from "./sim/report.ts";
import { Swarm } from "./sim/swarm.ts";

const exitFailed = 1;
const exitUsage = 64;

/** What one round does. */
interface Work {
  readonly messages: number;
  readonly proposals: number;
  readonly idleSeconds: number;
  readonly seeds: RunOptions;
}
const usualWork: Work = { messages: 200_000, proposals: 20_000, idleSeconds: 1_000, seeds: {} };
const shortWork: Work = { messages: 2_000, proposals: 256, idleSeconds: 5, seeds: { duration: 3 * second } };

/** `npm run bench -- sim`. @returns the exit code. */
export async function benchmark(args: readonly string[]): Promise<number> {
  let options: SimBenchOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    process.stderr.write(`bench sim: ${(error as Error).message}\n${usage}\n`);
    return exitUsage;
  }
  const loadBefore = loadNow();
  if (loadBefore > loadQuietMax && !options.short)
    process.stderr.write(`!! LOADED MACHINE: load average ${loadBefore}; the figures will be too low\n`);
  if (options.cpu) countProcessorTime();
  const leftOut: string[] = [];
  const leaveOut = (what: string): void => {
    leftOut.push(what);
    process.stderr.write(`!! LEFT OUT: ${what}\n`);
  };
  try {
    const rows = options.memory ? [] : await measure(options, leaveOut);
    const { appendBytes: bytes, rounds, cpu } = options;
    const held = options.memory ? { memory: memory({ ...options, bytes }) } : {};
    const report = { machine: machineSince(loadBefore), rounds, cpu, rows, ...held, leftOut };
    process.stdout.write(options.json ? jsonOf(report) : textOf(report));
    return 0;
  } catch (error) {
    process.stderr.write(`bench sim: ${(error as Error).message}\n`);
    return exitFailed;
  }
}

function measurementOf(letter: Letter, options: SimBenchOptions, work: Work): Measurement {
  switch (letter) {
    case "a":
      return new BareLoop(work.messages);
    case "b":
      return new PingPong(work.messages);
    case "c":
      return new Checked(options.scenario, options.checkedSeeds, work.seeds);
    case "d":
      return new Idle(work.idleSeconds);
    case "e":
      return new RaftCore(work.proposals);
    case "f":
      return new Swarm(options.swarmSeeds, work.seeds);
  }
}

async function measure(options: SimBenchOptions, leaveOut: (what: string) => void): Promise<Row[]> {
  const work = options.short ? shortWork : usualWork;
  const { only, peersDirectory } = options;
  const own = only.map((letter) => measurementOf(letter, options, work));
  const all = options.peers ? [...own, ...peers({ ...work, sources: peersDirectory, only }, leaveOut)] : own;
  if (!options.peers && only.some((letter) => letter === "b" || letter === "e"))
    leaveOut("madsim, turmoil and raft-rs: --peers builds and measures them");
  // In turns, so that what else the machine does falls on all.
  for (let round = 1; round <= options.rounds; round++) {
    for (const measurement of all) {
      if (process.stderr.isTTY)
        process.stderr.write(`\r\u001b[2Kround ${round} of ${options.rounds}: (${measurement.letter})`);
      measurement.round();
      // Lets signals in.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[2K");
  const bare = all.find((measurement) => measurement instanceof BareLoop)?.perSecond;
  return only.flatMap((letter) =>
    all
      .filter((measurement) => measurement.letter === letter)
      .flatMap((measurement) => measurement.rows(bare)),
  );
}
