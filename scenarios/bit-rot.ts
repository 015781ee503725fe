import { millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { restlessLoad } from "#sim/workload/loads";

/**
 * Disks forget and mix up what they had synced, on a minority of the voters at a time: bits flip in running nodes' files and
 * between two lives, whole batches go at once, over a change of term too, writes land elsewhere, reads are stale. It is
 * found by recovery, by reads, by peers that need the records, and mended from the others; nothing that was acknowledged
 * is lost. Leadership moves and nodes crash meanwhile, so that logs differ where they are damaged, and now and then a disk
 * fails outright while it is being mended.
 */
export const bitRot: Scenario = {
  name: "bit-rot",
  summary: "disks rot, misplace and misread what they hold; peers mend it",
  nodes: [3, 5, 7],
  duration: 60 * second,
  budget: "recoverable",
  workload: restlessLoad,
  faults: {
    "network.loss": [0, 0.01],
    "network.slow": [0, 0.02],
    "disk.slow": [0, 0.02],
    "disk.syncMax": [1 * millisecond, 10 * millisecond],
    "disk.stall": [0, 0.0002],
    "disk.survive": [0, 1],
    "disk.bitRot": [0.1, 0.8],
    "disk.rot": [0, 0.05],
    "disk.staleRead": [0, 0.02],
    "disk.misdirectedRead": [0, 0.02],
    "disk.misdirectedWrite": [0, 0.004],
    "process.powerLoss": [0, 0.7],
    "process.downMin": 10 * millisecond,
    "process.downMax": [50 * millisecond, 2 * second],
  },
  reaches: [
    "damage-mended",
    "damage-cut",
    "disk-failed",
    "tail-truncated",
    "leader-cut-own-entries",
    "torn-tail-cut",
    "two-leaders",
  ],
  disturbances: {
    rot: { first: 2 * second, min: 800 * millisecond, max: 4 * second },
    crashNode: { first: 3 * second, min: 2 * second, max: 8 * second },
    aimedCrash: {
      first: 2 * second,
      min: 2 * second,
      max: 8 * second,
      dangers: ["campaign", "first-append", "acknowledged", "committed", "truncation"],
    },
    partition: {
      first: 2 * second,
      min: 2 * second,
      max: 8 * second,
      last: { min: 300 * millisecond, max: 2 * second },
      kinds: ["old-leader", "old-leader", "halves"],
    },
    loneAppend: { first: 2 * second, min: 2 * second, max: 8 * second },
    rotTail: { first: 3 * second, min: 3 * second, max: 10 * second },
    closedRot: { first: 2 * second, min: 2 * second, max: 8 * second },
    mendingError: { first: 4 * second, min: 6 * second, max: 20 * second },
    lostMending: { first: 2 * second, min: 3 * second, max: 10 * second },
    rivalTails: { first: 3 * second, min: 4 * second, max: 10 * second },
  },
};
