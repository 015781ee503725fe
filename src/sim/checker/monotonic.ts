import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** What one life of a member has reached. */
interface Reached {
  term: number;
  commitIndex: number;
  appliedIndex: number;
}

/**
 * Within a life, term and commit index never go back; entries are applied one after the other from the first, only once
 * they are committed; nothing is synced that the log does not hold.
 */
export class Monotonic implements Checker {
  readonly name = "monotonic";
  readonly kinds: readonly TraceKind[] = ["recovered", "role", "match", "append", "sync", "commit", "apply"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly reached = new Map<Member, Reached>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
    for (const group of model.groups)
      for (const member of group.members)
        this.reached.set(member, { term: 0, commitIndex: -1, appliedIndex: -1 });
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "fault") return;
    const member = this.model.of(event);
    const reached = this.reached.get(member) as Reached;
    switch (event.kind) {
      case "recovered":
        reached.term = event.term;
        reached.commitIndex = -1;
        reached.appliedIndex = -1;
        break;
      case "role":
      case "match":
      case "append":
        this.onTerm(member, reached, event.term);
        break;
      case "commit":
        this.onTerm(member, reached, event.term);
        this.onCommit(member, reached, event.index);
        break;
      case "apply":
        for (const entry of event.entries) if (!this.onApply(member, reached, entry.index)) return;
        break;
      case "sync":
        if (event.index > member.lastIndex)
          this.fail(member, `synced index ${event.index}, beyond the end of its log at ${member.lastIndex}`);
        break;
      default:
        break;
    }
  }

  private onTerm(member: Member, reached: Reached, term: number): void {
    if (term < reached.term) this.fail(member, `went back from term ${reached.term} to term ${term}`);
    else reached.term = term;
  }

  private onCommit(member: Member, reached: Reached, index: number): void {
    if (index < reached.commitIndex)
      this.fail(member, `took its commit index back from ${reached.commitIndex} to ${index}`);
    else reached.commitIndex = index;
  }

  private onApply(member: Member, reached: Reached, index: number): boolean {
    if (index === reached.appliedIndex + 1 && index <= reached.commitIndex) {
      reached.appliedIndex = index;
      return true;
    }
    this.fail(
      member,
      index > reached.commitIndex
        ? `applied index ${index}, with only ${reached.commitIndex} committed`
        : `applied index ${index} after index ${reached.appliedIndex}`,
    );
    return false;
  }

  private fail(member: Member, what: string): void {
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${member.node} ${what} in ${member.group.group}`,
      explanation: `It was ${member.role} in term ${member.term}; within one life these numbers only grow.`,
    });
  }
}
