import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { FaultEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report, Topology } from "./checker.ts";

/** A write or a sync that failed: whether of a file or of a directory's names. */
const failurePattern = /^(write|sync) ([^/ ]+)/;

/**
 * After a write or a sync that failed a node reports nothing as durable in that life: the kernel calls the lost pages
 * clean, so a sync that is tried again succeeds and proves nothing.
 * Source: Rebello et al., "Can Applications Recover from fsync Failures?" (USENIX ATC 2020).
 */
export class FailedIsSilent implements Checker {
  readonly name = "failed-is-silent";
  readonly kinds: readonly TraceKind[] = [
    "fault",
    "sync",
    "hard-state",
    "match",
    "vote",
    "commit",
    "recovered",
  ];
  private readonly report: Report;
  private readonly groups: ReadonlySet<GroupId>;
  /** What failed, by node and group, in the present life. */
  private readonly failed = new Map<NodeId | "", Map<GroupId, string>>();

  constructor(report: Report, topology: Topology) {
    this.report = report;
    this.groups = new Set(topology.groups);
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "fault") this.onFault(event);
    else if (event.kind === "recovered") this.onRecovered(event.node, event.group);
    else if (event.kind !== "commit" || event.leader) this.demand(event);
  }

  private onFault({ node, fault, detail }: FaultEvent): void {
    if (fault === "crash") this.failed.delete(node);
    if (fault !== "io-failed") return;
    const group = failurePattern.exec(detail)?.[2] as GroupId | undefined;
    if (group === undefined || !this.groups.has(group)) return;
    const groups = this.failed.get(node) ?? new Map<GroupId, string>();
    this.failed.set(node, groups.set(group, detail));
  }

  private onRecovered(node: NodeId, group: GroupId): void {
    const failure = this.failed.get(node)?.get(group);
    if (failure === undefined) return;
    this.fail(node, group, "opened its log", failure);
  }

  private demand(event: Exclude<TraceEvent, FaultEvent>): void {
    const failure = this.failed.get(event.node)?.get(event.group);
    if (failure !== undefined) this.fail(event.node, event.group, `told of a ${event.kind}`, failure);
  }

  private fail(node: NodeId, group: GroupId, deed: string, failure: string): void {
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${node} ${deed} in ${group} after its disk had failed an operation in this life`,
      explanation: `What failed: ${failure}. What the disk holds of it is not known.`,
    });
  }
}
