import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/**
 * A voter whose directory was emptied never votes or leads again: what it had promised is lost with it, and its vote would
 * make a majority of those who forgot.
 */
export class WipedIsSilent implements Checker {
  readonly name = "wiped-is-silent";
  readonly kinds: readonly TraceKind[] = ["vote", "role", "recovered", "standing"];
  private readonly report: Report;
  private readonly model: ClusterModel;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "vote")
      this.demand(this.model.of(event), `voted for ${event.candidate} in term ${event.term}`);
    else if (event.kind === "role") {
      if (event.role === "candidate" || event.role === "leader")
        this.demand(this.model.of(event), `became ${event.role} of term ${event.term}`);
    } else if (event.kind === "recovered" || event.kind === "standing") {
      if (event.standing === "member") this.demand(this.model.of(event), "calls itself a member");
    }
  }

  private demand({ wiped, node, group }: Member, deed: string): void {
    if (!wiped) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${node} ${deed} of ${group.group} after its directory had been emptied`,
      explanation:
        "It may have voted otherwise in that term, or have acknowledged entries that it holds no more.",
    });
  }
}
