import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { AppliedLog } from "./applied-log.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * If a node has applied an entry at an index, no node ever applies another one there.
 * Source: Raft §5.4.3, figure 3 "State Machine Safety".
 */
export class StateMachineSafety implements Checker {
  readonly name = "state-machine-safety";
  readonly kinds: readonly TraceKind[] = ["apply"];
  private readonly report: Report;
  private readonly applied: AppliedLog;

  constructor(report: Report, applied: AppliedLog) {
    this.report = report;
    this.applied = applied;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind !== "apply") return;
    const { chainCrcs, firstNodes } = this.applied.of(event.group);
    for (const entry of event.entries) {
      const first = chainCrcs[entry.index];
      if (first === entry.chainCrc) continue;
      this.report.fail({
        checker: this.name,
        kind: "safety",
        message: `${event.node} applied another entry at index ${entry.index} of ${event.group} than was applied before`,
        explanation:
          first === undefined
            ? `Nothing was applied anywhere before index ${chainCrcs.length}, and entries are applied in order.`
            : `${firstNodes[entry.index]} applied it first; ${event.node} has term ${entry.term} there, and the logs differ there or before.`,
      });
      return;
    }
  }
}
