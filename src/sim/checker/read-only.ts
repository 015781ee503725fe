import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { AppendEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";
import type { Intakes, Watched } from "./intakes.ts";
import type { Troubles } from "./troubles.ts";

/** A leader knows that a follower's disk is full when nothing was between them for so long. */
const heardWithin: Micros = 2 * second;

/**
 * What no leader takes (an operator wants it so, or disks are full):
 * - one that is read-only or full itself appends no entry of a client;
 * - no leader appends one while it knows the disks of a majority to be full.
 */
export class ReadOnlyNodes implements Checker {
  readonly name = "read-only";
  readonly kinds: readonly TraceKind[] = ["append"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly intakes: Intakes;
  private readonly troubles: Troubles;

  constructor(report: Report, model: ClusterModel, { intakes, troubles }: Watched) {
    this.report = report;
    this.model = model;
    this.intakes = intakes;
    this.troubles = troubles;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    if (event.kind === "append") this.onAppend(event, at);
  }

  private onAppend(event: AppendEvent, at: Micros): void {
    const member = this.model.of(event);
    if (member.role !== "leader") return;
    const taken = event.entries.find(({ kind, term }) => kind !== "no-op" && term === member.term);
    if (taken === undefined) return;
    const intake = this.intakes.of(member)?.intake ?? "open";
    if (intake === "open") return this.judgeRoom(member, taken.index, at);
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${event.node} leads ${event.group}, is ${intake}, and took a client's entry`,
      explanation: `Index ${taken.index} of term ${taken.term} is of kind ${taken.kind}.`,
    });
  }

  /** A leader that knows a majority to be full takes nothing that could not be committed. */
  private judgeRoom(leader: Member, index: number, at: Micros): void {
    const { members, majority } = leader.group;
    const full = members.filter((member) => this.knownFullSince(leader, member) <= at - heardWithin);
    if (members.length - full.length >= majority) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${leader.node} took a client's entry at index ${index} of ${leader.group.group}, and a majority has no room for it`,
      explanation: `Full for ${heardWithin / second} s and more, and heard in peace: ${full.map(({ node }) => node).join(", ")}.`,
    });
  }

  private knownFullSince(leader: Member, member: Member): Micros {
    const said = this.intakes.of(member);
    if (said?.intake !== "full") return Number.POSITIVE_INFINITY;
    return Math.max(said.since, leader.roleSince, this.troubles.quietSince(leader.node, member.node));
  }
}
