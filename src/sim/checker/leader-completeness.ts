import type { GroupId } from "../../core/base/brand.ts";
import type { CommitEvent, RoleEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** The furthest that leaders of one term committed: an entry, and in which term that was decided. */
interface Decided {
  readonly inTerm: number;
  index: number;
  entryTerm: number;
}

/**
 * An entry committed in a term is in the log of every leader of a later term. By Log Matching the last one stands for all.
 * Source: Raft §5.4, figure 3 "Leader Completeness".
 */
export class LeaderCompleteness implements Checker {
  readonly name = "leader-completeness";
  readonly kinds: readonly TraceKind[] = ["role", "commit"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  /** For each group what each term decided, newest term last. */
  private readonly decided = new Map<GroupId, Decided[]>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "commit") {
      if (event.leader) this.onCommit(event);
    } else if (event.kind === "role" && event.role === "leader") this.onLeader(event);
  }

  private onCommit(event: CommitEvent): void {
    const member = this.model.of(event);
    const decided = this.note(event, member.termAt(event.index));
    for (const other of member.group.members)
      if (other.role === "leader" && other.term > event.term) this.demand(other, decided);
  }

  private onLeader(event: RoleEvent): void {
    const all = this.decided.get(event.group) ?? [];
    for (let i = all.length - 1; i >= 0; i--) {
      const decided = all[i];
      if (decided === undefined || decided.inTerm >= event.term) continue;
      this.demand(this.model.of(event), decided);
      return;
    }
  }

  private note(event: CommitEvent, entryTerm: number): Decided {
    const all = this.decided.get(event.group) ?? [];
    this.decided.set(event.group, all);
    let at = all.length - 1;
    while (at >= 0 && (all[at] as Decided).inTerm > event.term) at -= 1;
    const known = all[at];
    if (known !== undefined && known.inTerm === event.term) {
      if (event.index > known.index) {
        known.index = event.index;
        known.entryTerm = entryTerm;
      }
      return known;
    }
    const fresh: Decided = { inTerm: event.term, index: event.index, entryTerm };
    all.splice(at + 1, 0, fresh);
    return fresh;
  }

  private demand(leader: Member, decided: Decided): void {
    if (leader.holds(decided.index, decided.entryTerm)) return;
    const has = leader.termAt(decided.index);
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `the leader ${leader.node} of term ${leader.term} lacks an entry that was committed in term ${decided.inTerm}`,
      explanation: `Index ${decided.index} of ${leader.group.group} was committed with term ${decided.entryTerm}; the leader's log ${
        has === -1 ? `ends at ${leader.lastIndex}` : `has term ${has} there`
      }.`,
    });
  }
}
