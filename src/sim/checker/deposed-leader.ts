import type { NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel, Member } from "./cluster-model.ts";

/**
 * Longer than the largest election timeout by the slowest clock, and than anything that was said in the old term can be on
 * its way: a nemesis holds an order to campaign up for two and a half seconds.
 */
const deposedWithin: Micros = 4 * second;

/**
 * A leader that a majority has left for newer terms steps down in bounded time, though it hears nothing of them: until then
 * its clients wait for answers that cannot come.
 * Source: dissertation §6.2.
 */
export class DeposedStepsDown implements Checker {
  readonly name = "deposed-steps-down";
  readonly kinds: readonly TraceKind[] = ["role", "recovered", "fault", "sync"];
  private readonly report: Report;
  private readonly model: ClusterModel;
  /** Leaders that run and that a majority has left, and since when. */
  private readonly left = new Map<Member, Micros>();
  private readonly paused = new Set<NodeId | "">();
  /** From a crash until the log is recovered, which a slow disk makes long: what they were says nothing. */
  private readonly down = new Set<Member>();
  /** When the first of them is overdue. */
  private overdueAt: Micros = Number.POSITIVE_INFINITY;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    if (at > this.overdueAt) this.tell(at);
    if (event.kind === "recovered") this.down.delete(this.model.of(event));
    if (event.kind === "role" || event.kind === "recovered") {
      for (const member of this.model.group(event.group).members) this.look(member, at);
    } else if (event.kind === "fault") this.onFault(event.node, event.fault, at);
    else return;
    this.overdueAt = Math.min(...this.left.values()) + deposedWithin;
  }

  private onFault(node: NodeId | "", fault: string, at: Micros): void {
    if (fault === "pause") this.paused.add(node);
    // Its time begins anew: what waited for it counts as heard now.
    else if (fault === "resume") this.paused.delete(node);
    else if (fault !== "crash") return;
    for (const { members } of this.model.groups) {
      for (const member of members) {
        if (member.node !== node) continue;
        if (fault === "crash") this.down.add(member);
        this.look(member, at);
      }
    }
  }

  private look(member: Member, at: Micros): void {
    const { members, majority } = member.group;
    const leads = member.role === "leader" && !this.paused.has(member.node) && !this.down.has(member);
    if (!leads || members.filter(({ term }) => term > member.term).length < majority)
      this.left.delete(member);
    else if (!this.left.has(member)) this.left.set(member, at);
  }

  private tell(at: Micros): void {
    for (const [{ node, term, group }, since] of this.left) {
      if (at - since <= deposedWithin) continue;
      this.report.fail({
        checker: this.name,
        kind: "liveness",
        message: `${node} leads ${group.group} in term ${term} long after a majority has left that term`,
        explanation: `The majority went to newer terms at ${since} us; it is ${at} us, and the node has been running.`,
      });
    }
  }
}
