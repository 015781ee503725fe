import { millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { restlessLoad } from "#sim/workload/loads";

/**
 * A voter's directory is emptied. It comes back with nothing and another incarnation, takes entries again, and never votes,
 * leads or counts by itself: the others remember the directory that they knew. A minority of the voters is lost so by the
 * end; the majority that is left goes on through crashes and partitions.
 */
export const wiped: Scenario = {
  name: "wiped",
  summary: "a voter's directory is emptied, and it never votes again",
  nodes: [3, 5, 7],
  duration: 60 * second,
  budget: "recoverable",
  workload: restlessLoad,
  faults: {
    "network.latencyMax": [500, 5 * millisecond],
    "network.loss": [0, 0.02],
    "network.slow": [0, 0.02],
    "network.duplicate": [0, 0.02],
    "disk.slow": [0, 0.01],
    "disk.survive": [0, 1],
    "process.powerLoss": [0, 0.5],
    "process.downMin": 10 * millisecond,
    "process.downMax": [100 * millisecond, 2 * second],
  },
  reaches: ["wiped-voter-back", "crash-before-first-commit", "acknowledgement-lost", "retry-deduplicated"],
  disturbances: {
    wipe: { first: 3 * second, min: 4 * second, max: 15 * second },
    crashLeader: { first: 3 * second, min: 4 * second, max: 12 * second },
    crashNode: { first: 5 * second, min: 6 * second, max: 20 * second },
    aimedCrash: {
      first: 4 * second,
      min: 4 * second,
      max: 12 * second,
      dangers: ["campaign", "first-append", "committed"],
    },
    partition: {
      first: 3 * second,
      min: 4 * second,
      max: 12 * second,
      last: { min: 300 * millisecond, max: 2 * second },
      kinds: ["old-leader", "halves", "one-way"],
    },
  },
};
