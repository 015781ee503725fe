import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import type { RecoveredEvent, RoleEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import { simulatedLimits } from "../core-node.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** The shortest election timeout by the fastest clock of any scenario, which gains a tenth. */
const patience: Micros = Math.floor((simulatedLimits.electionTimeoutMin * 10) / 11);

/** What one group has seen of campaigns. */
interface Campaigns {
  /** The highest term that somebody campaigned in. */
  begun: number;
  /** Whom a leader told to campaign, with the terms of those leaders. */
  readonly told: Map<NodeId, Set<number>>;
}

/** What one life of a member has done. */
interface Seen {
  role: string;
  term: number;
  /** When it came to this term. */
  termAt: Micros;
  /** When it last answered its leader; -Infinity for never. */
  heardAt: Micros;
  syncedAt: Micros;
}

/**
 * A term begins with somebody's campaign in it; a campaign follows a pre-campaign, or the order of the leader of the term
 * before; and whoever hears a leader, or has just voted for somebody, does not campaign for lack of a leader.
 * Source: Raft §5.2; dissertation §3.10, §4.2.3 and §9.6.
 */
export class LawfulCampaign implements Checker {
  readonly name = "lawful-campaign";
  readonly kinds: readonly TraceKind[] = ["role", "recovered", "transfer", "match", "sync", "vote"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly groups = new Map<GroupId, Campaigns>();
  private readonly seen = new Map<Member, Seen>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
    for (const { group, members } of model.groups) {
      this.groups.set(group, { begun: 0, told: new Map() });
      for (const member of members) this.seen.set(member, unseen());
    }
  }

  onEvent(event: TraceEvent, at: Micros): void {
    if (event.kind === "fault") return;
    const member = this.model.of(event);
    const seen = this.seen.get(member) as Seen;
    switch (event.kind) {
      case "sync":
        seen.syncedAt = at;
        return;
      case "match":
        // What its disk has just synced is told without a word of the leader.
        if (seen.syncedAt !== at) seen.heardAt = at;
        return;
      case "vote":
        // Its timer began anew when it gave the vote, which it did in this term.
        if (event.candidate !== event.node && event.term === seen.term)
          seen.heardAt = Math.max(seen.heardAt, seen.termAt);
        return;
      case "transfer":
        if (event.change === "sent") this.note(event.group, event.to, event.term);
        return;
      case "recovered":
        this.seen.set(member, { ...unseen(), term: event.term });
        this.checkTerm(event);
        return;
      case "role":
        this.onRole(event, at, seen);
        return;
      default:
        return;
    }
  }

  private onRole(event: RoleEvent, at: Micros, seen: Seen): void {
    const before = seen.role;
    seen.role = event.role;
    if (event.term > seen.term) {
      seen.term = event.term;
      seen.termAt = at;
    }
    if (event.role === "pre-candidate" && event.reason === "timeout" && at - seen.heardAt < patience) {
      this.fail(
        event,
        `began to campaign ${at - seen.heardAt} us after it had answered a leader or voted for another`,
        `Its election timer runs for ${simulatedLimits.electionTimeoutMin} us at least.`,
      );
      return;
    }
    if (event.role !== "candidate") {
      this.checkTerm(event);
      return;
    }
    const campaigns = this.groups.get(event.group) as Campaigns;
    campaigns.begun = Math.max(campaigns.begun, event.term);
    const ordered = event.reason === "transfer";
    if (ordered && campaigns.told.get(event.node)?.has(event.term - 1) !== true) {
      this.fail(
        event,
        `campaigns in term ${event.term} by an order that the leader of term ${event.term - 1} never gave`,
        "An order to campaign counts only in the term of the leader that gave it.",
      );
    } else if (!ordered && before !== "pre-candidate") {
      this.fail(
        event,
        `campaigns in term ${event.term} without having asked whether it could win`,
        `It was ${before} before.`,
      );
    }
  }

  private checkTerm(event: RoleEvent | RecoveredEvent): void {
    const { begun } = this.groups.get(event.group) as Campaigns;
    if (event.term <= begun) return;
    this.fail(
      event,
      `is in term ${event.term}, in which nobody campaigned`,
      `The highest term of a campaign is ${begun}: a term must not rise for a question.`,
    );
  }

  private note(group: GroupId, to: NodeId, term: number): void {
    const { told } = this.groups.get(group) as Campaigns;
    const terms = told.get(to) ?? new Set();
    told.set(to, terms.add(term));
  }

  private fail(event: RoleEvent | RecoveredEvent, deed: string, explanation: string): void {
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${event.node} ${deed} in ${event.group}`,
      explanation,
    });
  }
}

function unseen(): Seen {
  const never = Number.NEGATIVE_INFINITY;
  return { role: "follower", term: 0, termAt: never, heardAt: never, syncedAt: never };
}
