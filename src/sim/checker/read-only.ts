import type { NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { AppendEvent, Intake, RoleEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** A leader that takes no appends has this long to hand over to a writable voter that it can reach. */
const handOverWithin: Micros = 8 * second;
/** An election is judged when everybody has been left in peace for this long before it. */
const calmFor: Micros = 2 * second;

/** Faults that may keep a message from a voter, or a voter from answering in time. */
const troubles: ReadonlySet<string> = new Set([
  "loss",
  "late",
  "reset",
  "refuse",
  "stall",
  "half-open",
  "cut",
  "heal",
  "clog",
  "pause",
  "resume",
  "slow-disk",
  "slow-disk-operation",
  "full-disk",
  "free-disk",
]);

/** What the trace tells of one member's intake. */
interface Watch {
  intake: Intake;
  /** Since when it is so, in this life. */
  since: Micros;
}

/**
 * Nodes that take no entries of clients (an operator wants it so, or their disk is full):
 * - as leader such a node appends no entry of a client;
 * - no leader appends one while it knows the disks of a majority to be full;
 * - it leads only when no writable voter's log is as complete: judged where every voter was heard in peace before;
 * - it hands leadership over to a writable voter within `handOverWithin`.
 */
export class ReadOnlyNodes implements Checker {
  readonly name = "read-only";
  readonly kinds: readonly TraceKind[] = ["intake", "recovered", "append", "role", "fault", "commit"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly watches = new Map<Member, Watch>();
  private readonly down = new Set<NodeId | "">();
  private troubledAt: Micros = Number.NEGATIVE_INFINITY;
  /** Members that lead and take nothing, each with the moment from which a writable voter was there for it. */
  private readonly reluctant = new Map<Member, Micros>();

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    switch (event.kind) {
      case "append":
        return this.onAppend(event, at);
      case "commit":
        return this.overdue(at);
      case "intake":
        this.watches.set(this.model.of(event), { intake: event.intake, since: at });
        return this.reconsider(at);
      case "recovered":
        this.watches.set(this.model.of(event), { intake: "open", since: at });
        return this.reconsider(at);
      case "role":
        if (event.role === "leader") this.onLeader(event, at);
        return this.reconsider(at);
      case "fault":
        if (event.fault === "crash") this.crashed(event.node);
        else if (event.fault === "restart") this.down.delete(event.node);
        if (troubles.has(event.fault)) this.troubledAt = at;
        return this.reconsider(at, true);
      default:
        return;
    }
  }

  /** What a node said in its life before counts for nothing until it has recovered. */
  private crashed(node: NodeId | ""): void {
    this.down.add(node);
    for (const member of this.watches.keys()) if (member.node === node) this.watches.delete(member);
  }

  private intakeOf(member: Member): Intake {
    return this.watches.get(member)?.intake ?? "open";
  }

  private onAppend(event: AppendEvent, at: Micros): void {
    const member = this.model.of(event);
    if (member.role !== "leader") return;
    const taken = event.entries.find(({ kind, term }) => kind !== "no-op" && term === member.term);
    if (taken === undefined) return;
    if (this.intakeOf(member) === "open") return this.judgeRoom(member, taken.index, at);
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${event.node} leads ${event.group}, is ${this.intakeOf(member)}, and took a client's entry`,
      explanation: `Index ${taken.index} of term ${taken.term} is of kind ${taken.kind}.`,
    });
  }

  /** A leader that knows a majority to be full takes nothing that could not be committed. */
  private judgeRoom(leader: Member, index: number, at: Micros): void {
    const { members, majority } = leader.group;
    const full = members.filter(
      (member) => !this.down.has(member.node) && this.intakeOf(member) === "full" && this.calm(member, at),
    );
    if (members.length - full.length >= majority || !this.calm(leader, at)) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${leader.node} took a client's entry at index ${index} of ${leader.group.group}, and a majority has no room for it`,
      explanation: `Full for ${calmFor / second} s and more, and heard in peace: ${full.map(({ node }) => node).join(", ")}.`,
    });
  }

  private onLeader(event: RoleEvent, at: Micros): void {
    const leader = this.model.of(event);
    if (this.intakeOf(leader) === "open" || !this.calm(leader, at)) return;
    const better = leader.group.members.find(
      (member) => this.couldLead(member) && this.calm(member, at) && asComplete(member, leader),
    );
    if (better === undefined) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${leader.node} leads ${event.group} though it is ${this.intakeOf(leader)}, and ${better.node} is writable`,
      explanation: `The log of ${better.node} ends at ${better.lastIndex} (term ${better.termAt(better.lastIndex)}), that of the leader before its term at ${event.lastIndex} (term ${leader.termAt(event.lastIndex)}); nothing kept the two from hearing each other.`,
    });
  }

  /** Whether nothing has changed about the member, nor about the network, for long enough. */
  private calm(member: Member, at: Micros): boolean {
    const since = this.watches.get(member)?.since ?? at;
    return at - since >= calmFor && at - this.troubledAt >= calmFor;
  }

  private couldLead(member: Member): boolean {
    return member.standing === "member" && !this.down.has(member.node) && this.intakeOf(member) === "open";
  }

  /** Who leads and takes nothing while somebody else could: their time begins, or ends. */
  private reconsider(at: Micros, afresh = false): void {
    for (const { members } of this.model.groups) {
      const able = members.some((member) => this.couldLead(member));
      for (const member of members) {
        const leads = member.role === "leader" && !this.down.has(member.node);
        if (!leads || !able || this.intakeOf(member) === "open") this.reluctant.delete(member);
        else if (afresh || !this.reluctant.has(member)) this.reluctant.set(member, at);
      }
    }
  }

  private overdue(at: Micros): void {
    for (const [member, since] of this.reluctant) {
      if (at - since <= handOverWithin) continue;
      this.report.fail({
        checker: this.name,
        kind: "liveness",
        message: `${member.node} is ${this.intakeOf(member)} and goes on leading ${member.group.group}`,
        explanation: `Since ${since} us a writable voter is up, and no fault came between; it is ${at} us now.`,
      });
    }
  }
}

function asComplete(member: Member, leader: Member): boolean {
  const [own, other] = [member, leader].map((one) => one.termAt(one.syncedIndex)) as [number, number];
  return own > other || (own === other && member.syncedIndex >= leader.lastIndex);
}
