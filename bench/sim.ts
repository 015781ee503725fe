import type { Row, Turns } from "./sim/measurement.ts";
import { countProcessorTime } from "./sim/measurement.ts";
import { memory } from "./sim/memory.ts";
import type { SimBenchOptions } from "./sim/options.ts";
import { parseOptions, usage } from "./sim/options.ts";
import { peers } from "./sim/peers.ts";
import { Remote } from "./sim/remote.ts";
import { jsonOf, loadNow, loadQuietMax, machineSince, textOf } from "./sim/report.ts";
import { workOf } from "./sim/work.ts";

const exitFailed = 1;
const exitUsage = 64;
/** They take longer each than those of the usual load. */
const heavySeeds = "2";

/** `npm run bench -- sim`. @returns the exit code. */
export async function benchmark(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
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
    const rows = options.memory ? [] : await measure(args, options, leaveOut);
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

/** Every measurement of ours has a process of its own. */
async function measure(
  args: readonly string[],
  options: SimBenchOptions,
  leaveOut: (what: string) => void,
): Promise<Row[]> {
  const { only, peersDirectory } = options;
  if (!options.peers && only.some((letter) => letter === "b" || letter === "e"))
    leaveOut("madsim, turmoil and raft-rs: --peers builds and measures them");
  const others = options.peers ? peers({ ...workOf(options), sources: peersDirectory, only }, leaveOut) : [];
  const ours = only.map((letter) => new Remote(letter, args));
  if (only.includes("c")) ours.push(new Remote("c", [...args, "--heavy", "--seeds", heavySeeds]));
  const all = [...ours, ...others];
  try {
    await inTurns(all, options.rounds);
    const rows: Row[] = [];
    let bare: number | undefined;
    for (const letter of only) {
      for (const one of all.filter((turns) => turns.letter === letter)) rows.push(...(await one.rows(bare)));
      if (letter === "a") bare = rows[0]?.value;
    }
    return rows;
  } finally {
    for (const one of all) one.stop();
  }
}

/** In turns, so that what else the machine does falls on all. */
async function inTurns(all: readonly Turns[], rounds: number): Promise<void> {
  const clear = "\r\u001b[2K";
  for (let round = 1; round <= rounds; round++) {
    for (const one of all) {
      if (process.stderr.isTTY) process.stderr.write(`${clear}round ${round} of ${rounds}: (${one.letter})`);
      await one.round();
    }
  }
  if (process.stderr.isTTY) process.stderr.write(clear);
}
