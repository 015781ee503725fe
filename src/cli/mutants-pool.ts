import { setTimeout as pause } from "node:timers/promises";
import type { Mutant } from "../sim/mutant/mutant.ts";
import type { MutantResult } from "../sim/mutant/result.ts";
import type { TrialOutcome, TrialRun } from "../sim/mutant/trial.ts";
import { Trial } from "../sim/mutant/trial.ts";
import { Runner } from "./mutants-runner.ts";
import { Scratch } from "./mutants-scratch.ts";
import { UsageError } from "./usage-error.ts";

export interface PoolOptions {
  readonly repository: string;
  readonly scenarios: readonly string[];
  readonly seedMax: number;
  readonly jobs: number;
  /** Progress, a line each. */
  readonly say: (line: string) => void;
}

const idleMs = 50;

/** A mutant that is planted and under trial; several workers may run its seeds at once. */
interface Active {
  readonly mutant: Mutant;
  readonly scratch: Scratch;
  readonly trial: Trial;
  readonly startedAt: number;
  workers: number;
}

/** Tries many mutants, `jobs` runs at once: each worker begins a new mutant, or helps with one when none is left. */
export class MutantPool {
  private readonly options: PoolOptions;
  private readonly results = new Map<string, MutantResult>();
  private readonly active: Active[] = [];
  private readonly runners = new Set<Runner>();
  private readonly scratches = new Set<Scratch>();
  /** What the unmutated program does with the runs that found something. */
  private readonly soundness = new Map<string, Promise<boolean>>();
  private base: Scratch | undefined;
  private baseRunner: Runner | undefined;
  private waiting: Mutant[] = [];
  private stopped = false;
  /** Mutants that are being planted: a worker that finds nothing to do waits for them. */
  private beginning = 0;

  constructor(options: PoolOptions) {
    this.options = options;
  }

  /** @returns a result for each mutant, by name. */
  async run(mutants: readonly Mutant[]): Promise<ReadonlyMap<string, MutantResult>> {
    if (mutants.length === 0) return this.results;
    this.waiting = [...mutants];
    try {
      this.base = await this.scratchOf(this.options.repository);
      const flaw = await this.base.compile();
      if (flaw !== undefined) throw new UsageError(`the program without a mutant does not compile: ${flaw}`);
      this.baseRunner = this.newRunner(this.base);
      await Promise.all(Array.from({ length: this.options.jobs }, () => this.work()));
    } finally {
      for (const runner of this.runners) runner.stop();
      await Promise.all([...this.scratches].map((scratch) => scratch.remove()));
    }
    return this.results;
  }

  /** Ends every run under way; `run` then returns what it has. */
  stop(): void {
    this.stopped = true;
    for (const runner of this.runners) runner.stop();
  }

  private async work(): Promise<void> {
    while (!this.stopped) {
      const mutant = this.waiting.shift();
      const task = mutant === undefined ? this.mostWanting() : await this.begin(mutant);
      if (task !== undefined) await this.help(task);
      else if (mutant === undefined && this.beginning === 0) return;
      else if (mutant === undefined) await pause(idleMs);
    }
  }

  /** The trial that still has runs to take, with the fewest workers. */
  private mostWanting(): Active | undefined {
    const open = this.active.filter(({ trial }) => trial.canTake);
    return open.sort((a, b) => a.workers - b.workers)[0];
  }

  private async begin(mutant: Mutant): Promise<Active | undefined> {
    this.beginning += 1;
    try {
      return await this.planted(mutant);
    } finally {
      this.beginning -= 1;
    }
  }

  private async planted(mutant: Mutant): Promise<Active | undefined> {
    const startedAt = performance.now();
    const scratch = await this.scratchOf((this.base as Scratch).root);
    const flaw = await scratch.plant(mutant);
    // Whoever is interrupted takes the compiler with him: that tells nothing of the mutant.
    if (this.stopped) {
      await this.discard(scratch);
      return undefined;
    }
    if (flaw !== undefined) {
      this.options.say(`${mutant.name}: invalid: ${flaw}`);
      this.conclude(mutant, startedAt, {
        found: false,
        scenario: null,
        seeds: 0,
        checker: null,
        verdict: "invalid",
      });
      await this.discard(scratch);
      return undefined;
    }
    const trial = new Trial(this.options.scenarios, mutant.scenario, this.options.seedMax);
    const task: Active = { mutant, scratch, trial, startedAt, workers: 0 };
    this.active.push(task);
    return task;
  }

  /** One worker's part of a trial: takes runs until there is none left. */
  private async help(task: Active): Promise<void> {
    const { trial, scratch } = task;
    const runner = this.newRunner(scratch);
    task.workers += 1;
    try {
      for (let taken = trial.take(); taken !== undefined && !this.stopped; taken = trial.take()) {
        const outcome = await runner.run(taken.run);
        if (!this.stopped) trial.record(taken.number, await this.judged(task, taken.run, outcome));
      }
    } finally {
      runner.stop();
      this.runners.delete(runner);
      task.workers -= 1;
    }
    if (task.workers === 0 && trial.decided) await this.finish(task);
  }

  /** A detection counts only where the unmutated program passes. */
  private async judged(task: Active, run: TrialRun, outcome: TrialOutcome): Promise<TrialOutcome> {
    if (outcome.kind !== "detected" || (await this.sound(run))) return outcome;
    this.options.say(
      `${task.mutant.name}: ${run.scenario} seed ${run.seed} fails without the mutant too (${outcome.checker}); not counted`,
    );
    return { ...outcome, kind: "unnoticed" };
  }

  private sound(run: TrialRun): Promise<boolean> {
    const key = `${run.scenario} ${run.seed} ${run.assertions}`;
    const known = this.soundness.get(key);
    if (known !== undefined) return known;
    const runner = this.baseRunner as Runner;
    const before = this.lastSound;
    const answer = before.then(() => runner.run(run)).then(({ verdict }) => verdict === "pass");
    this.lastSound = answer;
    this.soundness.set(key, answer);
    return answer;
  }
  /** The base has one process: its runs follow each other. */
  private lastSound: Promise<boolean> = Promise.resolve(true);

  private async finish(task: Active): Promise<void> {
    const { mutant, trial, startedAt, scratch } = task;
    this.active.splice(this.active.indexOf(task), 1);
    const { detection, runs } = trial;
    if (detection === undefined) {
      const verdict = trial.givenUp === "" ? "survived" : trial.givenUp;
      this.options.say(`${mutant.name}: ${verdict} after ${runs} runs`);
      this.conclude(mutant, startedAt, { found: false, scenario: null, seeds: runs, checker: null, verdict });
    } else {
      const { run, checker, verdict } = detection;
      const assertions = run.assertions ? ", with core's assertions on" : "";
      this.options.say(
        `${mutant.name}: ${checker} in ${run.scenario} seed ${run.seed}, run ${runs}${assertions}`,
      );
      this.conclude(mutant, startedAt, {
        found: true,
        scenario: run.scenario,
        seeds: runs,
        checker,
        verdict,
      });
    }
    await this.discard(scratch);
  }

  private conclude(mutant: Mutant, startedAt: number, result: Omit<MutantResult, "name" | "seconds">): void {
    const seconds = Math.round((performance.now() - startedAt) / 10) / 100;
    this.results.set(mutant.name, { name: mutant.name, ...result, seconds });
  }

  private newRunner(scratch: Scratch): Runner {
    const runner = new Runner(scratch.root);
    this.runners.add(runner);
    return runner;
  }

  private async scratchOf(root: string): Promise<Scratch> {
    const scratch = await Scratch.copyOf(root);
    this.scratches.add(scratch);
    return scratch;
  }

  private async discard(scratch: Scratch): Promise<void> {
    this.scratches.delete(scratch);
    await scratch.remove();
  }
}
