import * as fs from "node:fs";
import { performance } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DeterminismCheck } from "../sim/determinism.ts";
import { SimRun } from "../sim/run.ts";
import type { RunOptions, RunResult, TimedTraceEvent } from "../sim/scenario.ts";
import { traceEnd, traceHeader, traceLine } from "../sim/trace-json.ts";
import { formatDecisionFile } from "./decision-file.ts";
import type { Interrupt } from "./interrupt.ts";
import { writeFully } from "./output-fault.ts";
import type { SimArguments, SimPlan } from "./sim-args.ts";
import { findScenario, runOptionsOf } from "./sim-args.ts";
import { jsonOf, report, Story, verdictExitCodes } from "./sim-report.ts";
import { UsageError } from "./usage-error.ts";

/** Events between two looks at Ctrl-C; a few hundredths of a second. */
const sliceEvents = 20_000;

export interface TimedResult {
  readonly result: RunResult;
  readonly wallMs: number;
}

/** Runs one seed, giving way now and then. @returns undefined when it was interrupted. */
export async function runSeedWithBreaks(
  plan: SimPlan,
  seed: number,
  options: {
    readonly run: RunOptions;
    readonly interrupt: Interrupt;
    readonly begun?: (run: SimRun) => void;
  },
): Promise<TimedResult | undefined> {
  const scenario = findScenario(plan.scenario);
  const started = performance.now();
  // The comparison keeps a first run's listeners out of the second.
  let made = 0;
  const make = (): SimRun => {
    const { listener, ...rest } = options.run;
    made += 1;
    const run = new SimRun(scenario, seed, made > 1 || listener === undefined ? rest : { ...rest, listener });
    if (made === 1) options.begun?.(run);
    return run;
  };
  const run = plan.checkDeterminism ? new DeterminismCheck(make) : make();
  while (!run.advance(sliceEvents)) {
    await nextTurn();
    if (options.interrupt.requested) return undefined;
  }
  return { result: run.result(), wallMs: performance.now() - started };
}

/** A trace file, written in blocks. */
class TraceFile {
  private readonly file: number;
  private readonly what: string;
  private lines: string[] = [];
  private chars = 0;

  constructor(path: string) {
    this.file = openForWriting("--trace", path);
    this.what = `--trace ${path}`;
  }

  line(text: string): void {
    this.lines.push(text);
    this.chars += text.length;
    if (this.chars > 1 << 20) this.flush();
  }

  close(): void {
    this.flush();
    fs.closeSync(this.file);
  }

  private flush(): void {
    if (this.lines.length > 0) writeFully(this.file, this.what, `${this.lines.join("\n")}\n`);
    this.lines = [];
    this.chars = 0;
  }
}

function openForWriting(option: string, path: string): number {
  try {
    return fs.openSync(path, "w");
  } catch (error) {
    throw new UsageError(`${option} ${path}: ${(error as Error).message}`);
  }
}

/** `quorumlog sim --seed N`: one run and its story. @returns the exit code; undefined when interrupted. */
export async function simulateOne(args: SimArguments, interrupt: Interrupt): Promise<number | undefined> {
  const { plan, firstSeed: seed, replay } = args;
  const trace = args.trace === undefined ? undefined : new TraceFile(args.trace);
  const decisions = args.decisions === undefined ? undefined : openForWriting("--decisions", args.decisions);
  const story = new Story();
  let header = (): void => undefined;
  // The head needs the run, which emits its first events while it is made.
  const listener = (event: TimedTraceEvent): void => {
    header();
    if (!args.json) story.listen(event);
    trace?.line(traceLine(event));
  };
  let duration = 0;
  const begun = (run: SimRun): void => {
    duration = run.duration;
    header = () => {
      header = () => undefined;
      trace?.line(
        traceHeader({
          scenario: plan.scenario,
          seed,
          nodes: run.cluster.nodes,
          groups: run.groupNames,
          durationMicros: run.duration,
          settings: run.settings,
        }),
      );
    };
    header();
  };
  const run: { -readonly [key in keyof RunOptions]: RunOptions[key] } = runOptionsOf(plan);
  if (trace !== undefined || !args.json) run.listener = listener;
  if (replay !== undefined) {
    run.decisions = replay.decisions;
    run.settings = replay.settings;
  } else if (decisions !== undefined) run.decisions = "record";
  const timed = await runSeedWithBreaks(plan, seed, { run, interrupt, begun });
  if (timed === undefined) return undefined;
  const { result, wallMs } = timed;
  trace?.line(traceEnd(result));
  trace?.close();
  if (decisions !== undefined) {
    writeFully(decisions, `--decisions ${args.decisions}`, formatDecisionFile(result, duration));
    fs.closeSync(decisions);
  }
  process.stdout.write(
    args.json ? `${JSON.stringify(jsonOf(result, wallMs))}\n` : report({ result, wallMs, plan, story }),
  );
  return verdictExitCodes[result.verdict];
}
