import type { GroupId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { History } from "../history/history.ts";
import type { Checker, Report, Topology } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/** How long a healed group may take until an append that was invoked after the healing is acknowledged. */
export const progressWithin: Micros = 10 * second;

/**
 * Every group makes progress within `progressWithin` of healing: a client's append, invoked after it, is acknowledged.
 * The runner tells `healed`, keeps the load up, asks `progressed` and calls `overdue` at the deadline.
 */
export class Liveness implements Checker {
  readonly name = "liveness";
  readonly kinds: readonly TraceKind[] = ["fault", "role"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  private readonly topology: Topology;
  private healedAt: Micros = Number.POSITIVE_INFINITY;
  private readonly down = new Set<string>();
  private readonly lastRole = new Map<Member, string>();

  constructor(report: Report, model: ClusterModel, topology: Topology) {
    this.report = report;
    this.model = model;
    this.topology = topology;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    if (event.kind === "role") {
      this.lastRole.set(this.model.of(event), `${event.role} (${event.reason}, at ${at} us)`);
    } else if (event.kind === "fault") {
      if (event.fault === "crash" || event.fault === "pause") this.down.add(event.node);
      else if (event.fault === "restart" || event.fault === "resume") this.down.delete(event.node);
    }
  }

  /** All faults are over from now on. */
  healed(at: Micros): void {
    this.healedAt = at;
  }

  /** @returns whether every group has acknowledged an append that was invoked after the healing. */
  progressed(histories: readonly History[]): boolean {
    return this.topology.groups.every((group) => this.groupProgressed(group, histories));
  }

  /** The deadline has passed: fails for the first group without progress, saying what each member was doing. */
  overdue(at: Micros, histories: readonly History[]): void {
    const stuck = this.topology.groups.find((group) => !this.groupProgressed(group, histories));
    if (stuck === undefined) return;
    const members = this.model.group(stuck).members.map((member) => this.told(member));
    this.report.fail({
      checker: this.name,
      kind: "liveness",
      message: `no append to ${stuck} was acknowledged within ${(at - this.healedAt) / second} s of healing`,
      explanation: `At ${at} us: ${members.join("; ")}.`,
    });
  }

  private groupProgressed(group: GroupId, histories: readonly History[]): boolean {
    for (const history of histories) {
      if (history.group !== group) continue;
      // Newest first: the operations since the healing are at the end.
      for (let i = history.operations.length - 1; i >= 0; i--) {
        const operation = history.operations[i];
        if (operation === undefined || operation.invokedAt < this.healedAt - progressWithin) break;
        if (operation.kind === "append" && operation.outcome === "ok" && operation.invokedAt >= this.healedAt)
          return true;
      }
    }
    return false;
  }

  private told(member: Member): string {
    if (this.down.has(member.node)) return `${member.node} is down`;
    return (
      `${member.node} (${member.standing}) in term ${member.term}: ${this.lastRole.get(member) ?? "no role yet"}, ` +
      `log to ${member.lastIndex}, synced to ${member.syncedIndex}, committed to ${member.commitIndex}`
    );
  }
}
