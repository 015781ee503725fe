import { millisecond, second } from "#core/base/units";
import { aimedCrashes } from "#sim/nemesis/aim";
import { crashLeader, powerLossOfAll } from "#sim/nemesis/crash";
import { powerLossInCuts } from "#sim/nemesis/cut-tail";
import { loneFirstAppend } from "#sim/nemesis/lone-append";
import { outrunCandidate } from "#sim/nemesis/outrun";
import { partition } from "#sim/nemesis/partition";
import { slowDiskSometimes } from "#sim/nemesis/pause";
import { crashAtRolls } from "#sim/nemesis/roll";
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
  nemesis(world) {
    powerLossOfAll(world, { first: 3 * second, min: 2 * second, max: 8 * second });
    crashLeader(world, { first: 2 * second, min: 3 * second, max: 12 * second });
    aimedCrashes(world, {
      every: { first: 1 * second, min: 1 * second, max: 5 * second },
      dangers: ["campaign", "first-append", "acknowledged", "committed", "truncation"],
    });
    partition(world, {
      every: { first: 2 * second, min: 3 * second, max: 10 * second },
      last: { min: 300 * millisecond, max: 2 * second },
      kinds: ["old-leader", "halves"],
    });
    slowDiskSometimes(world, { min: 4 * second, max: 15 * second });
    powerLossInCuts(world, { first: 2 * second, min: 2 * second, max: 7 * second });
    crashAtRolls(world, { first: 1 * second, min: 500 * millisecond, max: 4 * second });
    outrunCandidate(world, { first: 2 * second, min: 2 * second, max: 10 * second });
    loneFirstAppend(world, { first: 1 * second, min: 2 * second, max: 6 * second });
  },
};
