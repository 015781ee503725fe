import { millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { restlessLoad } from "#sim/workload/loads";

/**
 * No two clocks agree: wall clocks are hours apart and jump, monotonic ones run fast and slow, so that one node's election
 * timeout is long over when another's begins; and whole nodes stand still and go on as if no time had passed. Reads stay
 * linearizable, for no lease hangs on a clock.
 */
export const clock: Scenario = {
  name: "clock",
  summary: "clocks apart, fast, slow and jumping; nodes that stand still",
  nodes: [3, 5, 7],
  duration: 60 * second,
  budget: "recoverable",
  workload: { ...restlessLoad, getsPerSecond: 8, readIndexesPerSecond: 8 },
  faults: {
    "network.latencyMax": [500, 10 * millisecond],
    "network.slow": [0, 0.05],
    "network.loss": [0, 0.02],
    "network.stall": [0, 0.001],
    "disk.slow": [0, 0.01],
    "disk.stall": [0, 0.0005],
    "disk.stallMax": [100 * millisecond, 2 * second],
    "clock.skewMax": [0, 3_600 * second],
    "clock.driftMax": [0, 80_000],
    "clock.jumpMax": [1 * second, 3_600 * second],
    "process.powerLoss": [0, 0.3],
    "process.pauseMax": [200 * millisecond, 4 * second],
  },
  reaches: ["paused-leader-deposed", "two-leaders", "reads-aborted", "retry-deduplicated"],
  disturbances: {
    clockJump: { first: 1 * second, min: 200 * millisecond, max: 4 * second },
    pause: { first: 2 * second, min: 500 * millisecond, max: 5 * second },
    freezeLeader: { first: 3 * second, min: 4 * second, max: 12 * second },
    heldAnswers: { first: 2 * second, min: 2 * second, max: 6 * second },
    crashNode: { first: 5 * second, min: 8 * second, max: 30 * second },
  },
};
