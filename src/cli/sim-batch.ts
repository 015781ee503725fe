import { performance } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import type { SingleBar } from "cli-progress";
import type { RunResult } from "../sim/scenario.ts";
import type { Interrupt } from "./interrupt.ts";
import type { SimArguments } from "./sim-args.ts";
import { findScenario, runOptionsOf } from "./sim-args.ts";
import { verdictText } from "./sim-report.ts";
import { runSeedWithBreaks } from "./sim-single.ts";
import { Summary, told } from "./sim-summary.ts";

/** `quorumlog sim --seeds A..B`: many runs and a summary, when interrupted of those that ran. @returns the exit code; undefined then. */
export async function simulateMany(args: SimArguments, interrupt: Interrupt): Promise<number | undefined> {
  const summary = new Summary(findScenario(args.plan.scenario));
  const started = performance.now();
  const total = args.lastSeed - args.firstSeed + 1;
  const bar = await progressBar(total);
  const add = (result: RunResult): void => {
    summary.add(result);
    bar?.increment(1, { failed: summary.failed.length });
    // Of a long run nobody should have to wait for the end to hear what it found.
    if (bar === undefined && result.verdict !== "pass") {
      process.stderr.write(`seed ${result.seed}: ${verdictText(result.verdict)}\n`);
    }
  };
  try {
    if (args.jobs === 1 || total === 1) await inThisThread(args, interrupt, add);
    else await inWorkers(args, interrupt, add);
  } finally {
    bar?.stop();
  }
  const interrupted = interrupt.requested && summary.seeds < total;
  if (interrupted) process.stderr.write(`interrupted after ${summary.seeds} of ${total} seeds\n`);
  const wallMs = performance.now() - started;
  process.stdout.write(
    args.json ? `${JSON.stringify({ ...summary.json(wallMs), interrupted })}\n` : told(summary, args, wallMs),
  );
  return interrupted ? undefined : summary.exitCode;
}

async function inThisThread(
  args: SimArguments,
  interrupt: Interrupt,
  add: (result: RunResult) => void,
): Promise<void> {
  for (let seed = args.firstSeed; seed <= args.lastSeed; seed++) {
    const timed = await runSeedWithBreaks(args.plan, seed, { run: runOptionsOf(args.plan), interrupt });
    if (timed === undefined) return;
    add(timed.result);
  }
}

/** Each worker has one seed at a time, so that a slow seed holds up nobody. */
async function inWorkers(
  args: SimArguments,
  interrupt: Interrupt,
  add: (result: RunResult) => void,
): Promise<void> {
  const count = Math.min(args.jobs, args.lastSeed - args.firstSeed + 1);
  const url = new URL(
    import.meta.url.endsWith(".ts") ? "./sim-worker.ts" : "./sim-worker.js",
    import.meta.url,
  );
  const workers = Array.from({ length: count }, () => new Worker(url, { workerData: args.plan }));
  let next = args.firstSeed;
  const work = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      const give = (): void => {
        if (next > args.lastSeed || interrupt.requested) resolve();
        else worker.postMessage(next++);
      };
      worker.on("error", reject);
      // A terminated worker answers nothing more.
      worker.on("exit", () => resolve());
      worker.on("message", (result: RunResult) => {
        if (interrupt.requested) return;
        add(result);
        give();
      });
      give();
    });
  const terminate = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  };
  interrupt.onRequest(() => void terminate());
  try {
    await Promise.all(workers.map(work));
  } finally {
    await terminate();
  }
}

/** On a terminal only, and on stderr: stdout is data. */
async function progressBar(total: number): Promise<SingleBar | undefined> {
  if (!process.stderr.isTTY) return undefined;
  const { default: cliProgress } = await import("cli-progress");
  const bar = new cliProgress.SingleBar({
    format: "{bar} {value}/{total} seeds | {rate} seeds/s | {eta_formatted} left | {failed} failed",
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
  });
  const started = performance.now();
  bar.start(total, 0, { failed: 0, rate: "-" });
  bar.on("redraw-pre", () => {
    const done = (bar as unknown as { readonly value: number }).value;
    const perSecond = (done * 1_000) / Math.max(1, performance.now() - started);
    (bar as unknown as { payload: { rate: string } }).payload.rate = perSecond.toFixed(1);
  });
  return bar;
}
