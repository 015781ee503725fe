import { SimRun } from "#sim/run";
import type { Scenario } from "#sim/scenario";
import { ordinaryLoad } from "#sim/workload/loads";

export const second = 1_000_000;

export const calm: Scenario = {
  name: "calm",
  summary: "nothing goes wrong",
  nodes: [3],
  duration: 60 * second,
  budget: "recoverable",
  workload: ordinaryLoad,
  faults: {},
  nemesis: () => undefined,
};

/** A run of core's nodes in the middle of its load. */
export function underWay(seed: number): SimRun {
  const run = new SimRun(calm, seed);
  while (run.now < 4 * second) run.advance(500);
  return run;
}
