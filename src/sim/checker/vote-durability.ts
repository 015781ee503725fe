import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { RecoveredEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** What a node told others about its term and vote, in all its lives. */
interface Told {
  term: number;
  /** The vote of `voteTerm`. */
  candidate: NodeId | "";
  voteTerm: number;
}

/**
 * A node votes at most once a term, whatever crashes lie between, and comes back with a term and a vote that are not
 * behind anything it asserted: a vote, a match, leadership, a synced hard state.
 * Source: Raft §5.2 and figure 2, "persistent state ... updated on stable storage before responding to RPCs".
 */
export class VoteDurability implements Checker {
  readonly name = "vote-durability";
  readonly kinds: readonly TraceKind[] = ["vote", "hard-state", "match", "role", "recovered"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly told = new Map<Member, Told>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
    for (const group of model.groups)
      for (const member of group.members) this.told.set(member, { term: 0, candidate: "", voteTerm: 0 });
  }

  onEvent(event: TraceEvent): void {
    switch (event.kind) {
      case "vote":
        this.onVote(event.node, event.group, event.term, event.candidate);
        break;
      case "hard-state":
        if (event.votedFor !== "") this.onVote(event.node, event.group, event.term, event.votedFor);
        else this.assertTerm(event.node, event.group, event.term);
        break;
      case "match":
        this.assertTerm(event.node, event.group, event.term);
        break;
      case "role":
        if (event.role === "leader") this.assertTerm(event.node, event.group, event.term);
        break;
      case "recovered":
        this.onRecovered(event);
        break;
      default:
        break;
    }
  }

  private of(node: NodeId, group: GroupId): Told {
    return this.told.get(this.model.group(group).member(node)) as Told;
  }

  private assertTerm(node: NodeId, group: GroupId, term: number): void {
    const told = this.of(node, group);
    if (term > told.term) told.term = term;
  }

  private onVote(node: NodeId, group: GroupId, term: number, candidate: NodeId): void {
    const told = this.of(node, group);
    if (term < told.voteTerm || (term === told.voteTerm && candidate !== told.candidate)) {
      this.fail(
        term < told.voteTerm
          ? `${node} voted in term ${term} of ${group} after it had voted in term ${told.voteTerm}`
          : `${node} voted twice in term ${term} of ${group}: for ${told.candidate} and for ${candidate}`,
        "A vote binds for its term and all terms before it, across restarts too.",
      );
      return;
    }
    told.voteTerm = term;
    told.candidate = candidate;
    if (term > told.term) told.term = term;
  }

  private onRecovered(event: RecoveredEvent): void {
    const told = this.of(event.node, event.group);
    if (this.model.of(event).excused) {
      told.term = event.term;
      told.voteTerm = event.votedFor === "" ? 0 : event.term;
      told.candidate = event.votedFor;
      return;
    }
    if (event.term < told.term) {
      this.fail(
        `${event.node} came back with term ${event.term} in ${event.group} after it had acted in term ${told.term}`,
        "Term and vote are synced before anything is said in them.",
      );
    } else if (event.term === told.voteTerm && event.votedFor !== told.candidate) {
      this.fail(
        `${event.node} came back without the vote that it had given in term ${told.voteTerm} of ${event.group}`,
        `It had voted for ${told.candidate} and now has ${event.votedFor === "" ? "no vote" : `voted for ${event.votedFor}`}.`,
      );
    }
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}
