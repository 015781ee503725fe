import { kibibyte, mebibyte, millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { restlessLoad } from "#sim/workload/loads";

/**
 * The leader crashes again and again, now and then in the middle of an election or of its first append, over a network that
 * loses, doubles and delays; others crash, stall or get a slow disk meanwhile.
 */
export const failover: Scenario = {
  name: "failover",
  summary: "the leader is killed again and again",
  nodes: [3, 5, 7],
  duration: 60 * second,
  budget: "recoverable",
  workload: restlessLoad,
  faults: {
    "network.latencyMax": [500, 5 * millisecond],
    "network.slow": [0, 0.02],
    "network.loss": [0, 0.02],
    "network.duplicate": [0, 0.02],
    "network.duplicateMax": [0, 2 * second],
    "network.reset": [0, 0.0005],
    "network.halfOpen": [0, 0.5],
    "network.bufferBytes": { oneIn: 3, low: kibibyte, high: mebibyte },
    "network.bufferFrames": { oneIn: 3, low: 2, high: 1_024 },
    "disk.slow": [0, 0.02],
    "disk.syncMax": [1 * millisecond, 10 * millisecond],
    "disk.survive": [0, 1],
    "clock.driftMax": [0, 10_000],
    "process.powerLoss": [0, 0.6],
    "process.downMax": [200 * millisecond, 5 * second],
    "process.sessionsSpread": { oneIn: 3, low: 2, high: 4 },
  },
  reaches: [
    "retry-deduplicated",
    "acknowledgement-lost",
    "reads-aborted",
    "vote-refused-for-log",
    "split-vote",
    "two-leaders",
    "transfer-done",
    "transfer-failed",
    "session-evicted",
    "torn-tail-cut",
    "crash-before-first-commit",
  ],
  disturbances: {
    crashLeader: { first: 2 * second, min: 2 * second, max: 7 * second },
    crashNode: { first: 5 * second, min: 5 * second, max: 20 * second },
    aimedCrash: { first: 2 * second, min: 2 * second, max: 8 * second },
    lateTransfer: { first: 1 * second, min: 1 * second, max: 8 * second },
    pause: { min: 5 * second, max: 20 * second },
    slowDisk: { min: 5 * second, max: 20 * second },
    formerAnswers: { first: 3 * second, min: 3 * second, max: 9 * second },
    crowd: { first: 3 * second, min: 4 * second, max: 12 * second },
    orderlyRestart: { min: 10 * second, max: 40 * second },
  },
};
