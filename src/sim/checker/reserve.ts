import type { AppendEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";
import { forgetNode } from "./cluster-model.ts";

/**
 * The reserve of a full disk is for the log's own entries: a no-op, and what older leaders left. From the moment at which a
 * node says how much room is left for clients, it stores no more of its leader's clients than that.
 */
export class Reserve implements Checker {
  readonly name = "reserve";
  readonly kinds: readonly TraceKind[] = ["intake", "append", "truncate", "sync", "recovered", "fault"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  /** Bytes that are left for clients on a full disk. */
  private readonly left = new Map<Member, number>();
  /** Members whose disks are about to cut something, which gives room back. */
  private readonly cutting = new Set<Member>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    switch (event.kind) {
      case "append":
        if (this.left.size > 0) this.onAppend(event);
        return;
      case "sync":
        // What replaces the cut entries is synced behind the cut.
        if (this.cutting.size > 0) this.cutting.delete(this.model.of(event));
        return;
      case "intake": {
        const member = this.model.of(event);
        if (event.intake === "full" && !this.cutting.has(member)) this.left.set(member, event.room);
        else this.left.delete(member);
        return;
      }
      case "truncate":
        this.cutting.add(this.model.of(event));
        this.left.delete(this.model.of(event));
        return;
      case "recovered":
        this.left.delete(this.model.of(event));
        this.cutting.delete(this.model.of(event));
        return;
      case "fault":
        if (event.fault !== "crash") return;
        forgetNode(this.left, event.node);
        forgetNode(this.cutting, event.node);
        return;
      default:
        return;
    }
  }

  private onAppend(event: AppendEvent): void {
    const { node, group, term, entries } = event;
    const member = this.model.of(event);
    const left = this.left.get(member);
    if (left === undefined) return;
    let bytes = 0;
    for (const entry of entries) if (entry.term === term && entry.kind !== "no-op") bytes += entry.size;
    this.left.set(member, left - bytes);
    if (bytes === 0 || bytes <= left) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${node} is full and stored a client's entry of ${group} on its reserve`,
      explanation: `Up to index ${entries[entries.length - 1]?.index}: ${bytes} bytes of clients, and there was room for ${left}.`,
    });
  }
}
