import type { NodeId } from "../core/base/brand.ts";
import { failuresTolerated } from "../core/base/quorum.ts";
import type { FaultBudgetKind } from "./scenario.ts";

/** How many voters' disks may lose what they had synced: in a recoverable run never more than a minority. */
export class FaultBudget {
  private readonly kind: FaultBudgetKind;
  private readonly voters: number;
  private readonly damaged = new Set<NodeId>();

  constructor(kind: FaultBudgetKind, voters: number) {
    this.kind = kind;
    this.voters = voters;
  }

  /** Whether this voter's disk may be damaged. */
  allows(node: NodeId): boolean {
    if (this.kind === "unrestricted" || this.damaged.has(node)) return true;
    return this.damaged.size < failuresTolerated(this.voters);
  }

  /** Whether it may; if so it counts as damaged from now on. */
  mayDamage(node: NodeId): boolean {
    const allowed = this.allows(node);
    if (allowed) this.damaged.add(node);
    return allowed;
  }
}
