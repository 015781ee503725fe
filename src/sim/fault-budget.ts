import type { NodeId } from "../core/base/brand.ts";
import { failuresTolerated } from "../core/base/quorum.ts";
import type { FaultBudgetKind } from "./scenario.ts";

/**
 * How many voters' disks may be harmed: in a recoverable run never more than a minority at a time. What can be mended
 * frees its share once it is mended; a disk that was emptied uses its share up to the end of the run, for that voter
 * never votes again.
 *
 * Why this is enough: what is committed is synced on a majority, and at most a minority cannot read what it has synced,
 * so a whole copy of every committed record is left, and a majority of whole voters to elect a leader.
 */
export class FaultBudget {
  private readonly kind: FaultBudgetKind;
  private readonly voters: number;
  private readonly isWhole: (node: NodeId) => boolean;
  private readonly damaged = new Set<NodeId>();
  private readonly lost = new Set<NodeId>();

  /** @param isWhole tells whether all that was harmed on a node's disk has been mended. */
  constructor(
    kind: FaultBudgetKind,
    voters: number,
    isWhole: (node: NodeId) => boolean = (): boolean => false,
  ) {
    this.kind = kind;
    this.voters = voters;
    this.isWhole = isWhole;
  }

  /** Whether harm must leave evidence by which recovery can tell it, and a copy elsewhere. */
  get recoverable(): boolean {
    return this.kind === "recoverable";
  }

  /** Whether this voter's disk may be harmed now. */
  allows(node: NodeId): boolean {
    if (!this.recoverable || this.lost.has(node)) return true;
    for (const other of this.damaged) if (this.isWhole(other)) this.damaged.delete(other);
    const harmed = new Set([...this.damaged, ...this.lost]);
    harmed.delete(node);
    return harmed.size < failuresTolerated(this.voters);
  }

  /** Whether it may; if so it counts as damaged until it is whole again. */
  mayDamage(node: NodeId): boolean {
    const allowed = this.allows(node);
    if (allowed && !this.lost.has(node)) this.damaged.add(node);
    return allowed;
  }

  /** Whether this voter may lose its disk; if so it counts as lost for good. */
  mayLose(node: NodeId): boolean {
    if (!this.allows(node)) return false;
    this.damaged.delete(node);
    this.lost.add(node);
    return true;
  }
}
