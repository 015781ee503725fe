import type { CommitEvent, MatchEvent, RecoveredEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

/**
 * What is committed is synced on a quorum, and what a node vouched for comes back from its disk.
 * - A leader that commits an entry of its own term: a majority holds exactly that entry, synced. Entries of earlier terms
 *   ride on it (Raft §5.4.2).
 * - A node tells its leader of no entry that it has not synced.
 * - A node that restarts still has everything it ever asserted and did not cut since, or knows what of it cannot be read.
 */
export class CommittedDurable implements Checker {
  readonly name = "committed-durable-on-quorum";
  readonly kinds: readonly TraceKind[] = ["commit", "match", "recovered"];
  private readonly report: Report;
  private readonly model: ClusterModel;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "commit") {
      if (event.leader) this.onCommit(event);
    } else if (event.kind === "match") this.onMatch(event);
    else if (event.kind === "recovered") this.onRecovered(event);
  }

  private onCommit(event: CommitEvent): void {
    const { group, terms } = this.model.of(event);
    const term = terms[event.index];
    if (term !== event.term) {
      this.fail(
        `the leader ${event.node} of term ${event.term} committed by counting an entry of term ${term}`,
        `Index ${event.index} of ${event.group} is not of the leader's own term; such entries commit only together with a later one that is.`,
      );
      return;
    }
    let holders = 0;
    // What a voter was given after its directory was emptied is not what it once promised: nobody may count it.
    for (const member of group.members) if (member.countsFor(event.index, term)) holders += 1;
    if (holders >= group.majority) return;
    const told = group.members.map((member) =>
      member.terms[event.index] === term
        ? `${member.node} holds it and has synced up to ${member.syncedIndex}`
        : `${member.node} does not hold it`,
    );
    this.fail(
      `${event.node} committed index ${event.index} of ${event.group}, synced on ${holders} of ${group.members.length} nodes`,
      `A majority is ${group.majority}. The entry is of term ${term}: ${told.join("; ")}.`,
    );
  }

  private onMatch(event: MatchEvent): void {
    const member = this.model.of(event);
    if (event.index <= member.syncedIndex) return;
    this.fail(
      `${event.node} told its leader that it holds index ${event.index} of ${event.group} before that was synced`,
      `Its disk has synced up to ${member.syncedIndex}, its log ends at ${member.lastIndex}.`,
    );
  }

  private onRecovered(event: RecoveredEvent): void {
    const member = this.model.of(event);
    if (member.owedIndex < 0) return;
    if (member.holds(member.owedIndex, member.owedTerm)) return;
    const has = member.termAt(member.owedIndex);
    this.fail(
      `${event.node} lost entries of ${event.group} that it had reported as durable`,
      `It had vouched for everything up to index ${member.owedIndex} (term ${member.owedTerm}); after the restart its log ${
        has === -1 ? `ends at ${event.lastIndex}` : `has term ${has} there`
      }${event.standing === "wiped" ? ", and it takes its directory for empty" : ""}.`,
    );
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}
