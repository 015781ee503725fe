import type { GroupId, NodeId } from "../core/base/brand.ts";
import type { Standing, TraceEvent, TraceKind } from "../core/io/trace.ts";
import type { TraceReader } from "./trace-sink.ts";

/** What each node says of itself in each group, from the trace. */
export class Standings implements TraceReader {
  readonly kinds: readonly TraceKind[] = ["recovered", "standing"];
  private readonly told = new Map<NodeId, Map<GroupId, Standing>>();
  private readonly failed: (node: NodeId) => void;

  /** @param failed is told when a node gives a group up for the rest of its life. */
  constructor(failed: (node: NodeId) => void) {
    this.failed = failed;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind !== "recovered" && event.kind !== "standing") return;
    const groups = this.told.get(event.node) ?? new Map<GroupId, Standing>();
    this.told.set(event.node, groups.set(event.group, event.standing));
    if (event.standing === "failed") this.failed(event.node);
  }

  /** Whether the node says so of any of its groups. */
  any(node: NodeId, standing: Standing): boolean {
    for (const told of this.told.get(node)?.values() ?? []) if (told === standing) return true;
    return false;
  }

  /** Whether the node has told of itself in this life, and calls itself a member of all its groups. */
  isMember(node: NodeId): boolean {
    const told = [...(this.told.get(node)?.values() ?? [])];
    return told.length > 0 && told.every((standing) => standing === "member");
  }

  /** The process is gone: what it could not read is looked at anew. */
  forget(node: NodeId): void {
    this.told.delete(node);
  }
}
