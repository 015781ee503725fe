import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type {
  CommitEvent,
  HardStateEvent,
  RecoveredEvent,
  TraceEvent,
  TraceKind,
  VoteEvent,
} from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** What a node told others about its term and vote, in all its lives, and what its disk reported as synced. */
interface Told {
  term: number;
  /** The vote of `voteTerm`. */
  candidate: NodeId | "";
  voteTerm: number;
  durableTerm: number;
  durableVote: NodeId | "";
}

/**
 * A node votes at most once a term, whatever crashes lie between; its vote is synced before it is given; and it comes back
 * with a term and a vote that are not behind anything it asserted: a vote, leadership, a synced hard state. A leader's commit
 * rests on nodes that have saved its term.
 * Source: Raft §5.2 and figure 2, "persistent state ... updated on stable storage before responding to RPCs".
 */
export class VoteDurability implements Checker {
  readonly name = "vote-durability";
  readonly kinds: readonly TraceKind[] = ["vote", "hard-state", "role", "commit", "recovered"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly told = new Map<Member, Told>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
    for (const group of model.groups)
      for (const member of group.members) {
        this.told.set(member, { term: 0, candidate: "", voteTerm: 0, durableTerm: 0, durableVote: "" });
      }
  }

  onEvent(event: TraceEvent): void {
    switch (event.kind) {
      case "vote":
        this.onVote(event);
        break;
      case "hard-state":
        this.onHardState(event);
        break;
      case "role":
        if (event.role === "leader") this.assertTerm(this.of(event.node, event.group), event.term);
        break;
      case "commit":
        if (event.leader) this.onCommit(event);
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

  private assertTerm(told: Told, term: number): void {
    if (term > told.term) told.term = term;
  }

  private onHardState({ node, group, term, votedFor }: HardStateEvent): void {
    const told = this.of(node, group);
    if (term < told.durableTerm) {
      this.fail(
        `${node} saved term ${term} of ${group} after it had saved term ${told.durableTerm}`,
        "Saves are made in order, and terms only grow.",
      );
      return;
    }
    told.durableTerm = term;
    told.durableVote = votedFor;
    this.assertTerm(told, term);
  }

  private onVote({ node, group, term, candidate }: VoteEvent): void {
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
    if (term > told.durableTerm || (term === told.durableTerm && candidate !== told.durableVote)) {
      this.fail(
        `${node} voted for ${candidate} in term ${term} of ${group} before that was synced`,
        `Its disk has synced term ${told.durableTerm} with ${told.durableVote === "" ? "no vote" : `a vote for ${told.durableVote}`}; a crash now would free it to vote again.`,
      );
      return;
    }
    told.voteTerm = term;
    told.candidate = candidate;
    this.assertTerm(told, term);
  }

  /** Whoever's acknowledgement counts has saved the term in which it gave it. */
  private onCommit({ node, group: id, term, index }: CommitEvent): void {
    const group = this.model.group(id);
    let savers = 0;
    for (const member of group.members) {
      if (member.wiped) {
        // What it had saved is gone with the rest; it had when it vouched.
        if (member.countsFor(index, term)) savers += 1;
        continue;
      }
      if (member.syncedIndex < index || member.termAt(index) !== term) continue;
      if ((this.told.get(member)?.durableTerm ?? -1) >= term) savers += 1;
    }
    if (savers >= group.majority) return;
    this.fail(
      `${node} committed index ${index} of ${id} by acknowledgements in term ${term}, which ${savers} of those who gave them have saved`,
      `A majority is ${group.majority}; a node that acknowledges in a term that its disk does not know may act in an older one after a crash.`,
    );
  }

  private onRecovered(event: RecoveredEvent): void {
    const told = this.of(event.node, event.group);
    const owed = { ...told };
    told.durableTerm = event.term;
    told.durableVote = event.votedFor;
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
      return;
    }
    // A synced vote is owed even if its answer never left: the disk had reported it.
    const candidate = event.term === owed.voteTerm ? owed.candidate : owed.durableVote;
    const known = event.term === owed.voteTerm || event.term === owed.durableTerm;
    if (!known || candidate === "" || event.votedFor === candidate) return;
    this.fail(
      `${event.node} came back without its vote of term ${event.term} of ${event.group}`,
      `It had voted for ${candidate} and now has ${event.votedFor === "" ? "no vote" : `voted for ${event.votedFor}`}.`,
    );
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}
