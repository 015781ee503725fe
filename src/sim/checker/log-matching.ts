import type { AppendEvent, RecoveredEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

/**
 * If two logs hold an entry of the same index and term, they are equal up to it. chainCrc covers everything before an
 * entry, so one comparison an entry is enough, against the first node that ever appended it.
 * Source: Raft §5.3, figure 3 "Log Matching".
 */
export class LogMatching implements Checker {
  readonly name = "log-matching";
  readonly kinds: readonly TraceKind[] = ["append", "recovered"];
  private readonly report: Report;
  private readonly model: ClusterModel;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "append") this.onAppend(event);
    else if (event.kind === "recovered") this.onRecovered(event);
  }

  private onAppend(event: AppendEvent): void {
    const member = this.model.of(event);
    if (!member.appendFits) {
      const last = event.entries[event.entries.length - 1];
      this.fail(
        `${event.node} appended entries that do not continue its log`,
        `The entries ${event.entries[0]?.index} to ${last?.index} of ${event.group} came when its log had reached ${member.lastIndex}.`,
      );
      return;
    }
    for (const entry of event.entries) {
      const known = member.group.entries.chainCrcAt(entry.index, entry.term);
      if (known === entry.chainCrc) continue;
      this.differs(event, entry.index, entry.term, entry.chainCrc, known);
      return;
    }
  }

  private onRecovered(event: RecoveredEvent): void {
    if (event.lastIndex < 0 || event.standing === "wiped") return;
    const known = this.model.of(event).group.entries.chainCrcAt(event.lastIndex, event.lastTerm);
    if (known === event.chainCrc) return;
    if (known === -1) {
      this.fail(
        `${event.node} recovered an entry that no node ever appended`,
        `Its log in ${event.group} ends at index ${event.lastIndex} with term ${event.lastTerm}.`,
      );
      return;
    }
    this.differs(event, event.lastIndex, event.lastTerm, event.chainCrc, known);
  }

  private differs(
    event: AppendEvent | RecoveredEvent,
    index: number,
    term: number,
    chainCrc: number,
    known: number,
  ): void {
    this.fail(
      `two logs of ${event.group} hold index ${index} in term ${term} and differ there or before`,
      `${event.node} ${event.kind === "append" ? "appended" : "recovered"} it with chainCrc ${hex(chainCrc)}, the first node that had it with ${hex(known)}.`,
    );
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}
