import type { GroupId } from "../../core/base/brand.ts";
import type { CommitEvent, TraceEvent, TraceKind, TruncateEvent } from "../../core/io/trace.ts";
import type { Checker, Report, Topology } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

/**
 * Once an index is committed it never holds another entry: not on another node, not after a restart, and no node cuts
 * what it knows to be committed. chainCrc covers the whole prefix, so one comparison a commit is enough.
 */
export class CommittedImmutable implements Checker {
  readonly name = "committed-immutable";
  readonly kinds: readonly TraceKind[] = ["commit", "truncate"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  /** For each group the chainCrc of each committed index. */
  private readonly committed = new Map<GroupId, number[]>();

  constructor(report: Report, model: ClusterModel, topology: Topology) {
    this.report = report;
    this.model = model;
    for (const group of topology.groups) this.committed.set(group, []);
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "commit") this.onCommit(event);
    else if (event.kind === "truncate") this.onTruncate(event);
  }

  private onCommit(event: CommitEvent): void {
    const member = this.model.of(event);
    const committed = this.committed.get(event.group) as number[];
    if (event.index > member.lastIndex) {
      this.fail(
        `${event.node} committed index ${event.index} of ${event.group}, which its log does not hold`,
        `Its log ends at ${member.lastIndex}.`,
      );
      return;
    }
    const known = Math.min(event.index, committed.length - 1);
    if (known >= 0 && committed[known] !== member.chainCrcs[known]) {
      this.fail(
        `${event.node} committed another entry than was committed before at or below index ${known} of ${event.group}`,
        `Its log has term ${member.terms[known]} at index ${known}; the first difference is at index ${this.firstDifference(committed, member.chainCrcs)}.`,
      );
      return;
    }
    for (let index = committed.length; index <= event.index; index++)
      committed.push(member.chainCrcs[index] as number);
  }

  private onTruncate(event: TruncateEvent): void {
    const { commitIndex } = this.model.of(event);
    if (event.from > commitIndex) return;
    this.fail(
      `${event.node} cut committed entries of ${event.group}`,
      `It cut its log from index ${event.from}, and knew everything up to ${commitIndex} to be committed.`,
    );
  }

  private firstDifference(one: readonly number[], other: readonly number[]): number {
    let index = 0;
    while (one[index] === other[index]) index += 1;
    return index;
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}
