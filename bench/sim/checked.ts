import type { RunOptions, Scenario } from "#sim/scenario";
import type { Measurement, Row } from "./measurement.ts";
import { atLeast, shareOf } from "./measurement.ts";
import { Seeds } from "./seeds.ts";

const eventsPerAckMax = 25;
const ackedPerSecondMin = 10_000;

/** So many times the scenario's own appends a simulated second. */
const heavyTimes = 10;

/** Beside (c), in a process of its own: the same with more appends, so that fewer of the events are the cluster's idle ones. */
export class Heavy implements Measurement {
  readonly letter = "c";
  private readonly name: string;
  private readonly seeds: Seeds;

  constructor(scenario: Scenario, seeds: number, options: RunOptions) {
    const { name, workload } = scenario;
    const appendsPerSecond = heavyTimes * workload.appendsPerSecond;
    this.name = name;
    this.seeds = new Seeds({ ...scenario, workload: { ...workload, appendsPerSecond } }, seeds, options);
  }

  round(): void {
    this.seeds.round();
  }

  rows(): Row[] {
    const { acked, seconds, ms } = this.seeds;
    const what = `${this.name} at ${heavyTimes} times its load, ${ms.length} seeds: acknowledged appends`;
    return [{ letter: "c", what, value: acked / seconds, unit: "a wall second" }];
  }
}

/** (c) A scenario as it is rehearsed: hash, codecs and all checkers. */
export class Checked implements Measurement {
  readonly letter = "c";
  private readonly name: string;
  private readonly seeds: Seeds;

  constructor(scenario: Scenario, seeds: number, options: RunOptions) {
    this.name = scenario.name;
    this.seeds = new Seeds(scenario, seeds, options);
  }

  round(): void {
    this.seeds.round();
  }

  rows(bare: number | undefined): Row[] {
    const { events, acked, seconds, ms } = this.seeds;
    const perSecond = events / seconds;
    const perAck = events / Math.max(1, acked);
    const ackedPerSecond = acked / seconds;
    const share = bare === undefined ? {} : atLeast(perSecond, bare / 5, "a fifth of (a); aim 300,000");
    const what = `${this.name}: ${ms.length} seeds, all checkers`;
    return [
      { letter: "c", what, value: perSecond, unit: "events/s", ...shareOf(perSecond, bare), ...share },
      {
        letter: "c",
        what: "events for an acknowledged append",
        value: perAck,
        unit: "events",
        goal: { text: `at most ${eventsPerAckMax}`, met: perAck <= eventsPerAckMax },
      },
      {
        letter: "c",
        what: "acknowledged appends",
        value: ackedPerSecond,
        unit: "a wall second",
        ...atLeast(ackedPerSecond, ackedPerSecondMin, "10,000"),
      },
    ];
  }
}
