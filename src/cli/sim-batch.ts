import { performance } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import type { SingleBar } from "cli-progress";
import type { RunResult, RunViolation, Verdict } from "../sim/scenario.ts";
import type { Interrupt } from "./interrupt.ts";
import type { SimArguments } from "./sim-args.ts";
import { runOptionsOf } from "./sim-args.ts";
import {
  faultsText,
  mostSerious,
  rate,
  replayCommand,
  verdictExitCodes,
  verdictText,
  violationLines,
} from "./sim-report.ts";
import { runSeedWithBreaks } from "./sim-single.ts";
import { SituationCounts } from "./sim-situations.ts";

/** Every run passed, and yet a rare situation was never reached: the rehearsal is not what it claims to be. */
const exitMissed = 6;

interface Failed {
  readonly seed: number;
  readonly verdict: Verdict;
  readonly violation: RunViolation | null;
}

/** What many seeds came to. */
class Summary {
  seeds = 0;
  passed = 0;
  acked = 0;
  elections = 0;
  events = 0;
  simulatedMicros = 0;
  readonly faults = new Map<string, number>();
  readonly failed: Failed[] = [];
  readonly situations: SituationCounts;

  constructor(scenario: string) {
    this.situations = new SituationCounts(scenario);
  }

  add(result: RunResult): void {
    this.situations.add(result);
    this.seeds += 1;
    this.acked += result.acked;
    this.elections += result.elections;
    this.events += result.events;
    this.simulatedMicros += result.simulatedMicros;
    for (const [kind, count] of Object.entries(result.faults)) {
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    }
    if (result.verdict === "pass") this.passed += 1;
    else {
      const { seed, verdict, violation } = result;
      this.failed.push({ seed, verdict, violation: violation ?? null });
      this.failed.sort((a, b) => a.seed - b.seed);
    }
  }

  get verdict(): Verdict {
    return mostSerious(this.failed.map(({ verdict }) => verdict));
  }

  get faultCounts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.faults].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  json(scenario: string, wallMs: number): object {
    return {
      scenario,
      seeds: this.seeds,
      passed: this.passed,
      acked: this.acked,
      elections: this.elections,
      simulatedMs: this.simulatedMicros / 1_000,
      wallMs: Math.round(wallMs * 10) / 10,
      events: this.events,
      eventsPerSecond: rate(this.events, wallMs),
      faults: this.faultCounts,
      situations: this.situations.json,
      missed: this.situations.missed,
      failed: this.failed,
    };
  }
}

/** `quorumlog sim --seeds A..B`: many runs and a summary. @returns the exit code; undefined when interrupted. */
export async function simulateMany(args: SimArguments, interrupt: Interrupt): Promise<number | undefined> {
  const summary = new Summary(args.plan.scenario);
  const started = performance.now();
  const total = args.lastSeed - args.firstSeed + 1;
  const bar = await progressBar(total);
  const add = (result: RunResult): void => {
    summary.add(result);
    bar?.increment(1, { failed: summary.failed.length });
  };
  try {
    if (args.jobs === 1 || total === 1) await inThisThread(args, interrupt, add);
    else await inWorkers(args, interrupt, add);
  } finally {
    bar?.stop();
  }
  if (interrupt.requested && summary.seeds < total) {
    process.stderr.write(`interrupted after ${summary.seeds} of ${total} seeds\n`);
    return undefined;
  }
  const wallMs = performance.now() - started;
  process.stdout.write(
    args.json ? `${JSON.stringify(summary.json(args.plan.scenario, wallMs))}\n` : told(summary, args, wallMs),
  );
  if (summary.verdict === "pass" && summary.situations.missed.length > 0) return exitMissed;
  return verdictExitCodes[summary.verdict];
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

function told(summary: Summary, args: SimArguments, wallMs: number): string {
  const { format } = new Intl.NumberFormat("en");
  const lines = [
    `${args.plan.scenario}, seeds ${args.firstSeed} to ${args.lastSeed}: ${format(summary.passed)} of ${format(summary.seeds)} passed`,
    "",
    `Elections      ${format(summary.elections)}`,
    `Faults         ${faultsText(summary.faultCounts)}`,
    `Acknowledged   ${format(summary.acked)} appends`,
    `Time           ${(summary.simulatedMicros / 1e6).toFixed(1)} s simulated in ${(wallMs / 1e3).toFixed(2)} s: ${format(summary.events)} events, ${format(rate(summary.events, wallMs))} events/s, ${((summary.seeds * 1e3) / wallMs).toFixed(1)} seeds/s`,
    `Verdict        ${verdictText(summary.verdict)}`,
    "",
    ...summary.situations.lines(),
  ];
  const { missed } = summary.situations;
  if (missed.length > 0)
    lines.push("", `Never reached in ${format(summary.seeds)} seeds: ${missed.join(", ")}`);
  for (const { seed, verdict, violation } of summary.failed) {
    lines.push("", `seed ${seed}: ${verdict}`);
    if (violation !== null) lines.push(...violationLines(violation, replayCommand(args.plan, seed)));
  }
  return `${lines.join("\n")}\n`;
}
