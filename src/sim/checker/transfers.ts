import type { NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import type { AppendEvent, RoleEvent, TraceEvent, TraceKind, TransferEvent } from "../../core/io/trace.ts";
import { simulatedLimits } from "../core-node.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** What a leader gives a hand-over, by the slowest clock, and a heartbeat to notice that it is over. */
const openMax: Micros = simulatedLimits.transferTimeout * 1.2 + 2 * simulatedLimits.heartbeatInterval;

interface Open {
  readonly to: NodeId;
  /** The term whose leadership is handed over. Its end is told in the next one, which this node may come to lead yet. */
  readonly term: number;
  since: Micros;
  /** The target was ordered to campaign. */
  sent: boolean;
  /** A newer term has come since: whose it is has to be told once it is known. */
  left: boolean;
}

/**
 * A leader that hands over takes no entries of clients meanwhile, orders a target to campaign only once that one holds its
 * whole log, and comes to an end of it: in time, when it ceases to lead or soon after, and as done only once the target leads.
 * Source: dissertation §3.10.
 */
export class LawfulTransfer implements Checker {
  readonly name = "lawful-transfer";
  readonly kinds: readonly TraceKind[] = ["transfer", "role", "append", "recovered", "fault"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly open = new Map<Member, Open>();
  /** The term whose leadership a node told to be handed over. */
  private readonly given = new Map<Member, number>();
  /** The latest term that each member led. */
  private readonly led = new Map<Member, number>();
  private now: Micros = 0;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    this.now = at;
    if (event.kind === "fault") {
      this.onFault(event.node, event.fault, at);
      return;
    }
    const member = this.model.of(event);
    if (event.kind === "transfer") this.onTransfer(event, member, at);
    else if (event.kind === "role") this.onRole(event, member);
    else if (event.kind === "append") this.onAppend(event, member);
    else if (event.kind === "recovered") this.open.delete(member);
  }

  private onFault(node: NodeId | "", fault: string, at: Micros): void {
    for (const [member, open] of this.open) {
      if (member.node !== node) continue;
      if (fault === "crash") this.open.delete(member);
      // Its timers stood still.
      else if (fault === "resume") open.since = at;
    }
  }

  private onTransfer(event: TransferEvent, member: Member, at: Micros): void {
    const open = this.open.get(member);
    if (event.change === "begun") {
      if (open?.left === true) this.untold(member, open);
      this.open.set(member, { to: event.to, term: event.term, since: at, sent: false, left: false });
    } else if (event.change === "sent") {
      if (open !== undefined) open.sent = true;
      const target = member.group.member(event.to);
      if (!holdsAll(target, member, event.term)) {
        this.fail(
          member,
          `ordered ${event.to} to campaign, which does not hold its whole log`,
          `It leads term ${event.term} with a log to ${member.lastIndex}; ${event.to} vouched for its own up to ${target.assertedIndex}.`,
        );
      } else if (open !== undefined && at - open.since > openMax) {
        this.fail(
          member,
          `still hands over to ${event.to}, ${at - open.since} us after it began`,
          `It is to give up after ${simulatedLimits.transferTimeout} us and take entries again.`,
        );
      }
    } else {
      this.open.delete(member);
      if (event.change === "done" && open !== undefined) this.done(member, open);
    }
  }

  private done(member: Member, { to, term }: Open): void {
    this.given.set(member, term);
    const led = this.led.get(member.group.member(to)) ?? 0;
    if (led > term) return;
    this.fail(
      member,
      `told that leadership was handed over to ${to}, which has not led since`,
      `It led term ${term}; the last term that ${to} led is ${led}.`,
    );
  }

  private onRole(event: RoleEvent, member: Member): void {
    if (event.role === "leader") this.led.set(member, event.term);
    const open = this.open.get(member);
    if (open === undefined || (event.role === "leader" && event.term === open.term)) return;
    // Who leads the newer term may not be known yet.
    const unknown = event.role !== "leader" && event.leader === "";
    if (open.sent && event.term > open.term && unknown) open.left = true;
    else this.untold(member, open);
  }

  atEnd(): void {
    for (const [member, open] of this.open) {
      if (open.left && this.now - open.since > openMax) this.untold(member, open);
    }
  }

  private untold(member: Member, { to, term }: Open): void {
    this.fail(
      member,
      `leads no more, and told nobody what came of handing over to ${to}`,
      `It led term ${term}, and is ${member.role} of term ${member.term}.`,
    );
  }

  private onAppend(event: AppendEvent, member: Member): void {
    if (member.role !== "leader") return;
    const open = this.open.get(member);
    const own = event.entries.some(({ kind }) => kind !== "no-op");
    if (open !== undefined && own) {
      this.fail(
        member,
        `took entries of clients while it handed over to ${open.to}`,
        "The target would never hold the whole log.",
      );
    } else if (this.given.get(member) === member.term) {
      this.fail(
        member,
        "goes on appending in a term whose leadership it told to be handed over",
        `It leads term ${member.term}.`,
      );
    }
  }

  private fail({ node, group }: Member, deed: string, explanation: string): void {
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${node} ${deed} in ${group.group}`,
      explanation,
    });
  }
}

/** Whether the target vouched for the leader's whole log. Not to be told of one that went on, or whose disk was hurt. */
function holdsAll(target: Member, leader: Member, term: number): boolean {
  return target.term > term || target.excused || target.wiped || target.assertedIndex >= leader.lastIndex;
}
