import type { Scenario } from "#sim/scenario";
import { failover } from "./failover.ts";
import { killLeader } from "./kill-leader.ts";
import { partitions } from "./partition.ts";
import { powerLoss } from "./power-loss.ts";

/** Every scenario, the smallest first. A new one is added here and in README.md. */
export const scenarios: readonly Scenario[] = [killLeader, failover, partitions, powerLoss];
