import type { AppendEvent, TraceEvent, TraceKind, TruncateEvent } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

/**
 * A leader never overwrites or deletes entries of its log, it only appends entries of its own term.
 * Source: Raft §5.3, figure 3 "Leader Append-Only".
 */
export class LeaderAppendOnly implements Checker {
  readonly name = "leader-append-only";
  readonly kinds: readonly TraceKind[] = ["append", "truncate"];
  private readonly report: Report;
  private readonly model: ClusterModel;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "append") this.onAppend(event);
    else if (event.kind === "truncate") this.onTruncate(event);
  }

  private onAppend(event: AppendEvent): void {
    const member = this.model.of(event);
    const last = event.entries[event.entries.length - 1];
    const first = event.entries[0];
    if (member.role !== "leader" || last === undefined || first === undefined) return;
    if (first.term === member.term && last.term === member.term) return;
    this.fail(
      `the leader ${event.node} of term ${member.term} appended an entry of term ${first.term === member.term ? last.term : first.term}`,
      `A leader creates entries in its own term only; these are ${first.index} to ${last.index} of ${event.group}.`,
    );
  }

  private onTruncate(event: TruncateEvent): void {
    const member = this.model.of(event);
    if (member.role !== "leader") return;
    this.fail(
      `the leader ${event.node} of term ${member.term} cut its own log from index ${event.from}`,
      `Its log in ${event.group} now ends at ${member.lastIndex}.`,
    );
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}
