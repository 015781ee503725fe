import type { NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { CommitEvent, PeerEvent, TraceEvent, TraceKind, TransferEvent } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";
import { forgetNode } from "./cluster-model.ts";
import type { Intakes, Watched } from "./intakes.ts";
import type { Troubles } from "./troubles.ts";

/** A leader that takes no appends begins to hand over within this time, once a writable voter is there for it. */
const beginWithin: Micros = 2 * second;
/** Its transfers may fail, each within a second; in peace one of them succeeds before this. */
const endWithin: Micros = 8 * second;

/** A leader that takes no entries of clients. */
interface Reluctant {
  /** Since when it is one, with its no-op committed: Infinity before that. */
  since: Micros;
  /** Since when it hands over to nobody: Infinity while a transfer is under way. */
  idleSince: Micros;
}

/**
 * A leader that takes no entries of clients hands leadership over: with a writable voter at hand that it knows, and nothing
 * between the two, a transfer begins, and one of them succeeds. What happens to other voters is no excuse for the first.
 */
export class HandsOver implements Checker {
  readonly name = "hands-over";
  readonly kinds: readonly TraceKind[] = [
    "intake",
    "recovered",
    "role",
    "commit",
    "transfer",
    "peer",
    "fault",
    "match",
  ];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly intakes: Intakes;
  private readonly troubles: Troubles;
  private readonly reluctant = new Map<Member, Reluctant>();
  /** The index of a leader's no-op while that is not committed. */
  private readonly openNoOps = new Map<Member, number>();
  /** Since when the directory of each peer counts for a member, in its present life. */
  private readonly known = new Map<Member, Map<NodeId, Micros>>();

  constructor(report: Report, model: ClusterModel, { intakes, troubles }: Watched) {
    this.report = report;
    this.model = model;
    this.intakes = intakes;
    this.troubles = troubles;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    switch (event.kind) {
      case "match":
        // Every heartbeat brings one: time passes.
        if (this.reluctant.size > 0) this.judge(at);
        return;
      case "commit":
        return this.onCommit(event, at);
      case "transfer":
        return this.onTransfer(event, at);
      case "peer":
        return this.onPeer(event, at);
      case "role": {
        const member = this.model.of(event);
        if (event.role === "leader") this.openNoOps.set(member, event.lastIndex + 1);
        return this.reconsider(member, at);
      }
      case "recovered":
        this.known.delete(this.model.of(event));
        return this.reconsider(this.model.of(event), at);
      case "intake":
        return this.reconsider(this.model.of(event), at);
      case "fault":
        if (event.fault === "crash") forgetNode(this.reluctant, event.node);
        return;
      default:
        return;
    }
  }

  /** The member's role or intake has changed: its time begins anew, or ends. */
  private reconsider(member: Member, at: Micros): void {
    const intake = this.intakes.of(member)?.intake ?? "open";
    if (member.role !== "leader" || intake === "open") {
      this.reluctant.delete(member);
      return;
    }
    const before = this.reluctant.get(member);
    const since = this.openNoOps.has(member) ? Number.POSITIVE_INFINITY : at;
    this.reluctant.set(member, { since, idleSince: before === undefined ? at : before.idleSince });
  }

  private onCommit(event: CommitEvent, at: Micros): void {
    const member = this.model.of(event);
    const noOp = this.openNoOps.get(member);
    if (noOp === undefined || !event.leader || event.index < noOp) return;
    this.openNoOps.delete(member);
    const reluctant = this.reluctant.get(member);
    if (reluctant !== undefined) reluctant.since = at;
  }

  private onTransfer(event: TransferEvent, at: Micros): void {
    const reluctant = this.reluctant.get(this.model.of(event));
    if (reluctant === undefined) return;
    const ended = event.change === "done" || event.change === "failed";
    reluctant.idleSince = ended ? at : Number.POSITIVE_INFINITY;
  }

  private onPeer(event: PeerEvent, at: Micros): void {
    if (event.peer === "") return;
    const member = this.model.of(event);
    const known = this.known.get(member) ?? new Map<NodeId, Micros>();
    this.known.set(member, known);
    if (event.change === "connected") known.set(event.peer, at);
    else if (event.change === "incarnation-changed") known.delete(event.peer);
  }

  private judge(at: Micros): void {
    for (const [leader, { since, idleSince }] of this.reluctant) {
      const times = this.heirs(leader).map((heir) => this.atHandSince(leader, heir));
      if (times.length === 0) continue;
      if (at - Math.max(since, idleSince, Math.min(...times)) > beginWithin) {
        this.fail(leader, "hands over to nobody", at);
      } else if (at - Math.max(since, ...times) > endWithin) this.fail(leader, "goes on leading", at);
    }
  }

  /** Who could lead in its place. */
  private heirs(leader: Member): Member[] {
    return leader.group.members.filter(
      (member) =>
        member !== leader && this.intakes.isWritable(member) && this.known.get(leader)?.has(member.node),
    );
  }

  private atHandSince(leader: Member, heir: Member): Micros {
    return Math.max(
      this.intakes.of(heir)?.since ?? Number.POSITIVE_INFINITY,
      this.known.get(leader)?.get(heir.node) ?? Number.POSITIVE_INFINITY,
      this.troubles.quietSince(leader.node, heir.node),
    );
  }

  private fail(leader: Member, deed: string, at: Micros): void {
    const heirs = this.heirs(leader).map((heir) => `${heir.node} since ${this.atHandSince(leader, heir)} us`);
    this.report.fail({
      checker: this.name,
      kind: "liveness",
      message: `${leader.node} leads ${leader.group.group}, is ${this.intakes.of(leader)?.intake}, and ${deed}`,
      explanation: `It is ${at} us; writable and at hand: ${heirs.join(", ")}.`,
    });
  }
}
