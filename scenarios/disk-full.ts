import { millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { ordinaryLoad, restlessLoad } from "#sim/workload/loads";

/**
 * Disks fill up, one or a majority or all, and are freed again. A full leader hands over; with a majority full appends
 * are refused, while elections and reads go on from the reserve; with room again service resumes by itself.
 */
export const diskFull: Scenario = {
  name: "disk-full",
  summary: "disks fill up, a majority of them too, and are freed again",
  nodes: [1, 2, 3, 5, 7],
  duration: 60 * second,
  budget: "recoverable",
  // Segments roll about once a second, so that a full disk is felt.
  workload: {
    ...restlessLoad,
    appendsPerSecond: ordinaryLoad.appendsPerSecond,
    payloadBytesMin: 64,
    payloadBytesMax: 2_000,
  },
  faults: {
    "network.latencyMax": [500, 5 * millisecond],
    "network.loss": [0, 0.01],
    "disk.syncMax": [1 * millisecond, 10 * millisecond],
    "disk.survive": [0, 1],
    "process.powerLoss": [0, 0.6],
    "process.downMax": [100 * millisecond, 3 * second],
  },
  reaches: [
    "leader-full",
    "no-op-on-reserve",
    "majority-full-refused",
    "full-handed-over",
    "full-yielded",
    "crash-before-first-commit",
  ],
  disturbances: {
    fullDisk: {
      first: 1 * second,
      min: 2 * second,
      max: 8 * second,
      last: { min: 1 * second, max: 6 * second },
    },
    crashLeader: { first: 2 * second, min: 4 * second, max: 12 * second },
    crashNode: { first: 3 * second, min: 5 * second, max: 20 * second },
    aimedCrash: {
      first: 2 * second,
      min: 3 * second,
      max: 9 * second,
      dangers: ["campaign", "first-append", "acknowledged", "committed", "truncation"],
    },
  },
};
