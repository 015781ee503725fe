import type { GroupId } from "../../core/base/brand.ts";
import type { Entry } from "../../core/base/entry.ts";
import { bodyOf } from "../../core/base/entry.ts";
import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import { internalKey } from "../history/history.ts";
import { decodePayload } from "../history/payload.ts";
import type { Checker, Topology } from "./checker.ts";

/** What the state machines of one group applied: each index as the first node that applied it had it. */
export interface Applied {
  readonly chainCrcs: number[];
  readonly keys: number[];
  /** By index: the first node that applied it. */
  readonly firstNodes: string[];
}

/** The truth about the clients' log: what was applied. Judges nothing, except that state-machine-safety reads it. */
export class AppliedLog implements Checker {
  readonly name = "applied-log";
  readonly kinds: readonly TraceKind[] = ["apply"];
  private readonly groups = new Map<GroupId, Applied>();

  constructor(topology: Topology) {
    for (const group of topology.groups) this.groups.set(group, { chainCrcs: [], keys: [], firstNodes: [] });
  }

  of(group: GroupId): Applied {
    const applied = this.groups.get(group);
    if (applied === undefined)
      throw new RangeError(`the trace names the group ${group}, which is not in the topology`);
    return applied;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind !== "apply") return;
    const { chainCrcs, keys, firstNodes } = this.of(event.group);
    for (const entry of event.entries) {
      if (entry.index !== chainCrcs.length) continue;
      chainCrcs.push(entry.chainCrc);
      keys.push(keyOf(entry));
      firstNodes.push(event.node);
    }
  }
}

function keyOf(entry: Entry): number {
  return entry.kind === "data" ? decodePayload(bodyOf(entry)) : internalKey;
}
