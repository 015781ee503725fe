import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";

/**
 * What a node syncs has a name: a file whose name was taken away, or given to another one, keeps what is written to it only
 * until the process ends. Source: unlink(2), rename(2).
 */
export class NamedFiles implements Checker {
  readonly name = "synced-files-have-names";
  readonly kinds: readonly TraceKind[] = ["fault"];
  private readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind !== "fault" || event.fault !== "nameless-sync") return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${event.node} synced a file that has no name any more`,
      explanation: `It was opened as ${event.detail}; nothing of it can be found after a restart.`,
    });
  }
}
