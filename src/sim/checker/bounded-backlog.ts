import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import { simulatedLimits } from "../core-node.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

/** A leader takes no entries of clients beyond the bound of what may wait to be committed: a minority would fill its memory. */
export class BoundedBacklog implements Checker {
  readonly name = "bounded-backlog";
  readonly kinds: readonly TraceKind[] = ["append"];
  private readonly report: Report;
  private readonly model: ClusterModel;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind !== "append") return;
    const { role, lastIndex, commitIndex } = this.model.of(event);
    const { uncommittedEntriesMax } = simulatedLimits;
    if (role !== "leader" || lastIndex - commitIndex <= uncommittedEntriesMax) return;
    if (event.entries.every(({ kind }) => kind === "no-op")) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `the leader ${event.node} of ${event.group} took an entry on top of ${uncommittedEntriesMax} that are not committed`,
      explanation: `Its log ends at ${lastIndex}; it has committed up to ${commitIndex}.`,
    });
  }
}
