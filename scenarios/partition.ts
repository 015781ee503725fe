import { kibibyte, mebibyte, millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { restlessLoad } from "#sim/workload/loads";

/**
 * The network falls apart and heals: in halves, one way, around the old leader with a minority, in a ring without a middle,
 * around a leader that stands still and then finds its clients' calls before it can hear of its successor.
 * Two groups share the nodes and their connections, so an old leader of one may lead the other.
 */
export const partitions: Scenario = {
  name: "partition",
  summary: "partitions, symmetric and one-way, the old leader in a minority",
  nodes: [2, 3, 5, 7],
  groups: 2,
  duration: 60 * second,
  budget: "recoverable",
  workload: { ...restlessLoad, clients: 3, appendsPerSecond: 24, getsPerSecond: 3, readIndexesPerSecond: 6 },
  faults: {
    "network.latencyMax": [500, 10 * millisecond],
    "network.slow": [0, 0.05],
    "network.loss": [0, 0.05],
    "network.duplicate": [0, 0.05],
    "network.duplicateMax": [0, 3 * second],
    "network.refuse": [0, 0.1],
    "network.bufferBytes": { oneIn: 3, low: kibibyte, high: mebibyte },
    "network.bufferFrames": { oneIn: 3, low: 2, high: 1_024 },
    "disk.slow": [0, 0.01],
    "disk.survive": [0, 1],
    "clock.driftMax": [0, 10_000],
    "process.powerLoss": [0, 0.5],
  },
  reaches: [
    "tail-truncated",
    "leader-cut-own-entries",
    "acknowledgement-lost",
    "reads-aborted",
    "candidate-outrun",
    "split-vote",
    "stepped-down-without-quorum",
    "two-leaders",
    "paused-leader-deposed",
    "transfer-failed",
  ],
  disturbances: {
    partition: {
      first: 2 * second,
      min: 1 * second,
      max: 6 * second,
      last: { min: 500 * millisecond, max: 6 * second },
      kinds: ["old-leader", "old-leader", "halves", "one-way", "deaf", "ring"],
    },
    clog: { min: 3 * second, max: 15 * second, last: { min: 100 * millisecond, max: 2 * second } },
    crashNode: { first: 5 * second, min: 8 * second, max: 25 * second },
    aimedCrash: {
      first: 4 * second,
      min: 5 * second,
      max: 15 * second,
      dangers: ["campaign", "truncation", "committed"],
    },
    freezeLeader: { first: 3 * second, min: 5 * second, max: 12 * second },
    lateTransfer: { first: 1 * second, min: 1 * second, max: 8 * second },
    outrun: { first: 2 * second, min: 2 * second, max: 10 * second },
    laneLag: { first: 1 * second, min: 500 * millisecond, max: 4 * second },
    firstEntriesLag: { first: 1 * second, min: 1 * second, max: 8 * second },
    heldAnswers: { first: 2 * second, min: 4 * second, max: 12 * second },
    formerAnswers: { first: 2 * second, min: 2 * second, max: 6 * second },
    pause: { min: 8 * second, max: 25 * second },
  },
};
