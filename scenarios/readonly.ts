import { millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { restlessLoad } from "#sim/workload/loads";

/**
 * Nodes are made read-only under load, or started so, and come back; now and then all of them are. A read-only node
 * follows, votes and serves reads, hands leadership over, and leads only when no writable voter's log is as complete.
 */
export const readonly: Scenario = {
  name: "readonly",
  summary: "nodes take no appends for a while, and hand leadership over",
  nodes: [1, 2, 3, 5, 7],
  duration: 60 * second,
  budget: "recoverable",
  workload: restlessLoad,
  faults: {
    "network.latencyMax": [500, 5 * millisecond],
    "disk.syncMax": [1 * millisecond, 10 * millisecond],
    "disk.survive": [0, 1],
    "process.powerLoss": [0, 0.6],
    "process.downMax": [100 * millisecond, 3 * second],
    "process.pauseMax": 1 * second,
  },
  reaches: [
    "read-only-handed-over",
    "read-only-yielded",
    "read-only-led",
    "transfer-done",
    "crash-before-first-commit",
    "paused-leader-deposed",
  ],
  disturbances: {
    readOnly: {
      first: 1 * second,
      min: 1 * second,
      max: 6 * second,
      last: { min: 500 * millisecond, max: 10 * second },
    },
    allReadOnly: {
      first: 10 * second,
      min: 12 * second,
      max: 30 * second,
      last: { min: 1 * second, max: 4 * second },
    },
    crashLeader: { first: 2 * second, min: 4 * second, max: 12 * second },
    crashNode: { first: 3 * second, min: 5 * second, max: 20 * second },
    aimedCrash: {
      first: 2 * second,
      min: 3 * second,
      max: 9 * second,
      dangers: ["campaign", "first-append", "acknowledged", "transfer"],
    },
    pause: { min: 6 * second, max: 20 * second },
  },
};
