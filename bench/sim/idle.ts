import { second } from "#core/base/units";
import type { Scenario, WorkloadPort } from "#sim/scenario";
import { nothingAsked } from "#sim/workload/loads";
import type { Measurement, Row } from "./measurement.ts";
import { atLeast } from "./measurement.ts";
import { Seeds } from "./seeds.ts";

const simulatedPerWallMin = 3_000;

/** Nobody asks anything. */
const noLoad: WorkloadPort = {
  acked: 0,
  histories: [],
  start() {},
  stop() {},
  finish: (done) => done(undefined, undefined),
  waitingFor: () => "nothing",
};

function idleScenario(seconds: number): Scenario {
  return {
    name: "idle",
    summary: "three nodes elect a leader, then nothing happens",
    nodes: [3],
    duration: seconds * second,
    // Nothing is asked for, so no progress can be waited for.
    budget: "unrestricted",
    workload: nothingAsked,
    faults: {},
    nemesis() {},
  };
}

/** (d) A group of three that only keeps its leader. */
export class Idle implements Measurement {
  readonly letter = "d";
  private readonly seeds: Seeds;

  constructor(seconds: number) {
    this.seeds = new Seeds(idleScenario(seconds), 1, { createWorkload: () => noLoad });
  }

  round(): void {
    this.seeds.round();
  }

  rows(bare: number | undefined): Row[] {
    const { events, simulatedSeconds, seconds } = this.seeds;
    const value = simulatedSeconds / seconds;
    const share = bare === undefined ? {} : { ofBare: events / seconds / bare };
    const what = `idle group of three: ${Math.round(events / simulatedSeconds)} events a simulated second`;
    return [
      {
        letter: "d",
        what,
        value,
        unit: "simulated s/s",
        ...share,
        ...atLeast(value, simulatedPerWallMin, "3,000"),
      },
    ];
  }
}
