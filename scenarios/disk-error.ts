import { millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { restlessLoad } from "#sim/workload/loads";

/**
 * Disks answer EIO: to a sync, a write, a read, now and then in the middle of a campaign, an append or a cut. The node stops
 * acknowledging and says why; what a failed sync was to cover is lost with the next power loss, whatever a later sync
 * says. It comes back when its process is started anew, by an operator or after a crash.
 */
export const diskError: Scenario = {
  name: "disk-error",
  summary: "disks fail writes, syncs and reads with EIO",
  nodes: [1, 3, 5, 7],
  duration: 60 * second,
  budget: "recoverable",
  workload: restlessLoad,
  faults: {
    "network.loss": [0, 0.01],
    "network.slow": [0, 0.02],
    "disk.slow": [0, 0.02],
    "disk.syncMax": [1 * millisecond, 10 * millisecond],
    "disk.stall": [0, 0.0005],
    "disk.stallMax": [100 * millisecond, 1 * second],
    "disk.survive": [0, 1],
    "disk.ioError": [0, 0.0001],
    "disk.readError": [0, 0.005],
    "disk.writeError": [0, 0.0005],
    "disk.syncError": [0, 0.001],
    "process.powerLoss": [0.2, 1],
    "process.downMin": 10 * millisecond,
    "process.downMax": [50 * millisecond, 1 * second],
    "operator.away": { oneIn: 4, low: 1, high: 1 },
  },
  reaches: [
    "disk-failed",
    "failed-left-alone",
    "torn-tail-cut",
    "tail-truncated",
    "leader-cut-own-entries",
    "acknowledgement-lost",
    "reads-aborted",
  ],
  disturbances: {
    diskError: { first: 1 * second, min: 1 * second, max: 5 * second },
    crashNode: { first: 3 * second, min: 2 * second, max: 10 * second },
    partition: {
      first: 2 * second,
      min: 3 * second,
      max: 10 * second,
      last: { min: 300 * millisecond, max: 2 * second },
      kinds: ["old-leader", "halves"],
    },
    lostCut: { first: 2 * second, min: 2 * second, max: 8 * second },
  },
};
