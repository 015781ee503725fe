import type { Scenario } from "#sim/scenario";
import { bitRot } from "./bit-rot.ts";
import { clock } from "./clock.ts";
import { diskError } from "./disk-error.ts";
import { diskFull } from "./disk-full.ts";
import { failover } from "./failover.ts";
import { killLeader } from "./kill-leader.ts";
import { partitions } from "./partition.ts";
import { powerLoss } from "./power-loss.ts";
import { readonly } from "./readonly.ts";
import { rivalTails } from "./rival-tails.ts";
import { swarm } from "./swarm.ts";
import { wiped } from "./wiped.ts";

/** Every scenario, the smallest first. A new one is added here and in README.md. */
export const scenarios: readonly Scenario[] = [
  killLeader,
  failover,
  partitions,
  powerLoss,
  readonly,
  diskFull,
  bitRot,
  diskError,
  wiped,
  clock,
  rivalTails,
  swarm,
];
