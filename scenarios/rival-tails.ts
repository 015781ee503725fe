import { millisecond, second } from "#core/base/units";
import type { Scenario } from "#sim/scenario";
import { ordinaryLoad } from "#sim/workload/loads";

/**
 * Two leaders by turns append what nobody else gets, so that the first one has a tail of several terms and its rival's terms lie
 * between them; a disk does not give back part of that tail, for a while or at all, while the rival's entries cut it. What the
 * node then guesses, cuts and keeps must be the rival's log in the end, and nothing of its own may come back.
 */
export const rivalTails: Scenario = {
  name: "rival-tails",
  summary: "tails of several terms that cannot be read as they are cut",
  nodes: [3],
  duration: 60 * second,
  budget: "recoverable",
  workload: ordinaryLoad,
  faults: {
    "network.slow": [0, 0.05],
    "disk.slow": [0, 0.1],
    "disk.survive": [0, 1],
    "disk.staleRead": { oneIn: 3, low: 0.001, high: 0.01 },
    "process.downMin": 10 * millisecond,
    "process.downMax": [50 * millisecond, 1 * second],
  },
  reaches: ["several-terms-cut", "damage-cut", "damage-mended", "leader-cut-own-entries", "two-leaders"],
  disturbances: {
    rivalTails: { first: 2 * second, min: 3 * second, max: 9 * second },
    aimedCrash: {
      first: 5 * second,
      min: 5 * second,
      max: 20 * second,
      dangers: ["truncation", "committed"],
    },
    mendingError: { first: 5 * second, min: 8 * second, max: 25 * second },
  },
};
