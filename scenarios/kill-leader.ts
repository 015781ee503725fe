import { second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { ordinaryLoad } from "#sim/workload/loads";

/**
 * The smallest rehearsal: clients append and read, the leader's process is killed once and comes back later. The others
 * must elect a new leader that has everything acknowledged, and the clients' retried appends must land once.
 */
export const killLeader: Scenario = {
  name: "kill-leader",
  summary: "one kill of the leader under load",
  nodes: [3],
  duration: 60 * second,
  budget: "recoverable",
  workload: ordinaryLoad,
  faults: { "process.downMin": 1 * second, "process.downMax": 10 * second },
  reaches: ["retry-deduplicated"],
  disturbances: {
    crashLeader: { min: 10 * second, max: 40 * second, once: true },
  },
};
