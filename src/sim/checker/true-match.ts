import type { MatchEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

/**
 * Whoever vouches for its log to the leader of a term holds that leader's log as far as it vouches, whether or not anything
 * comes to be committed by its word. Source: Raft §5.3; equal terms at one index mean equal logs up to there.
 */
export class TrueMatch implements Checker {
  readonly name = "true-match";
  readonly kinds: readonly TraceKind[] = ["match"];
  private readonly report: Report;
  private readonly model: ClusterModel;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "match" && event.index >= 0) this.onMatch(event);
  }

  private onMatch(event: MatchEvent): void {
    const member = this.model.of(event);
    const { index, term } = event;
    // The log of one that leads no more may have gone on otherwise.
    const leader = member.group.members.find((one) => one.role === "leader" && one.term === term);
    if (leader === undefined || leader === member || leader.termAt(index) === member.termAt(index)) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${event.node} vouched for index ${index} of ${event.group} to ${leader.node}, whose log differs there`,
      explanation: `In term ${term}; its entry is of term ${member.termAt(index)}, the leader's of term ${leader.termAt(index)} (-1 for none).`,
    });
  }
}
