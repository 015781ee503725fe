import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { RoleEvent, TraceEvent, TraceKind, VoteEvent } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

/** What one term of one group has seen. */
interface Ballot {
  leader: NodeId | "";
  /** Who granted a vote to whom; a voter that votes twice is for vote-durability to tell. */
  readonly votes: Map<NodeId, NodeId>;
}

/**
 * At most one leader a term, over all time and not only at one moment, and each with the votes of a majority.
 * Source: Raft §5.2, figure 3 "Election Safety".
 */
export class ElectionSafety implements Checker {
  readonly name = "election-safety";
  readonly kinds: readonly TraceKind[] = ["vote", "role"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly ballots = new Map<GroupId, Map<number, Ballot>>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "vote") this.onVote(event);
    else if (event.kind === "role" && event.role === "leader") this.onLeader(event);
  }

  private onVote(event: VoteEvent): void {
    const { votes } = this.ballot(event.group, event.term);
    if (!votes.has(event.node)) votes.set(event.node, event.candidate);
  }

  private onLeader(event: RoleEvent): void {
    const ballot = this.ballot(event.group, event.term);
    if (ballot.leader !== "" && ballot.leader !== event.node) {
      this.fail(
        `term ${event.term} of ${event.group} has two leaders: ${ballot.leader} and ${event.node}`,
        `${ballot.leader} became leader of term ${event.term} first, and ${event.node} after it. ${this.told(ballot)}`,
      );
      return;
    }
    ballot.leader = event.node;
    let votes = 0;
    for (const candidate of ballot.votes.values()) if (candidate === event.node) votes += 1;
    const { majority } = this.model.group(event.group);
    if (votes < majority) {
      this.fail(
        `${event.node} leads term ${event.term} of ${event.group} without a majority`,
        `${votes} of the ${majority} votes that it needs were granted. ${this.told(ballot)}`,
      );
    }
  }

  private told(ballot: Ballot): string {
    const votes = [...ballot.votes].map(([voter, candidate]) => `${voter} for ${candidate}`);
    return `Votes granted in the term: ${votes.length === 0 ? "none" : votes.join(", ")}.`;
  }

  private ballot(group: GroupId, term: number): Ballot {
    const terms = this.ballots.get(group) ?? new Map<number, Ballot>();
    const ballot: Ballot = terms.get(term) ?? { leader: "", votes: new Map() };
    this.ballots.set(group, terms);
    terms.set(term, ballot);
    return ballot;
  }

  private fail(message: string, explanation: string): void {
    this.report.fail({ checker: this.name, kind: "safety", message, explanation });
  }
}
