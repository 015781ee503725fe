import { runSeed } from "#sim/run-seed";
import type { RunOptions, Scenario } from "#sim/scenario";
import { clockMs } from "./measurement.ts";

/** The same seeds round after round; of each the shortest time counts. */
export class Seeds {
  /** Milliseconds of each seed, in the order of the seeds. */
  readonly ms: number[];
  events = 0;
  acked = 0;
  simulatedSeconds = 0;
  private readonly scenario: Scenario;
  private readonly options: RunOptions;

  constructor(scenario: Scenario, count: number, options: RunOptions = {}) {
    this.scenario = scenario;
    this.options = options;
    this.ms = new Array<number>(count).fill(Number.POSITIVE_INFINITY);
  }

  round(): void {
    this.events = 0;
    this.acked = 0;
    this.simulatedSeconds = 0;
    for (let i = 0; i < this.ms.length; i++) {
      const seed = i + 1;
      const begun = clockMs();
      const result = runSeed(this.scenario, seed, this.options);
      const ms = clockMs() - begun;
      if (result.verdict !== "pass")
        throw new Error(`${this.scenario.name}, seed ${seed}: ${result.verdict}`);
      this.events += result.events;
      this.acked += result.acked;
      this.simulatedSeconds += result.simulatedMicros / 1_000_000;
      this.ms[i] = Math.min(ms, this.ms[i] as number);
    }
  }

  get seconds(): number {
    return this.ms.reduce((sum, ms) => sum + ms, 0) / 1_000;
  }
}
