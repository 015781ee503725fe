import { millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { restlessLoad } from "#sim/workload/loads";

/**
 * All nodes lose their power within a moment, again and again, and with it whatever was not synced: entries, votes, cuts,
 * directory entries. Of an unsynced write any sectors may have reached the disk. Short partitions, and first entries that
 * reach one slow disk only, leave tails to cut; some strike while a segment is made, and again when the log rolls into it; some while a tail is cut.
 */
export const powerLoss: Scenario = {
  name: "power-loss",
  summary: "all nodes lose what was not synced, again and again",
  nodes: [1, 2, 3, 5, 7],
  duration: 60 * second,
  budget: "recoverable",
  workload: restlessLoad,
  faults: {
    "network.loss": [0, 0.02],
    "network.slow": [0, 0.02],
    "disk.slow": [0, 0.03],
    "disk.syncMax": [1 * millisecond, 20 * millisecond],
    "disk.survive": [0, 1],
    "process.powerLoss": 1,
    "process.downMin": 10 * millisecond,
    "process.downMax": [50 * millisecond, 2 * second],
  },
  reaches: [
    "torn-tail-cut",
    "tail-truncated",
    "leader-cut-own-entries",
    "crash-before-first-commit",
    "vote-refused-for-log",
    "candidate-outrun",
    "acknowledgement-lost",
    "split-vote",
  ],
  disturbances: {
    powerLoss: { first: 3 * second, min: 2 * second, max: 8 * second },
    crashLeader: { first: 2 * second, min: 3 * second, max: 12 * second },
    aimedCrash: {
      first: 1 * second,
      min: 1 * second,
      max: 5 * second,
      dangers: ["campaign", "first-append", "acknowledged", "committed", "truncation"],
    },
    partition: {
      first: 2 * second,
      min: 3 * second,
      max: 10 * second,
      last: { min: 300 * millisecond, max: 2 * second },
      kinds: ["old-leader", "halves"],
    },
    slowDisk: { min: 4 * second, max: 15 * second },
    cutTail: { first: 2 * second, min: 2 * second, max: 7 * second },
    rollCrash: { first: 1 * second, min: 500 * millisecond, max: 4 * second },
    outrun: { first: 2 * second, min: 2 * second, max: 10 * second },
    loneAppend: { first: 1 * second, min: 2 * second, max: 6 * second },
  },
};
