import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type {
  DamageEvent,
  DiskEvent,
  FaultEvent,
  RecoveredEvent,
  StandingEvent,
  TraceEvent,
  TraceKind,
} from "../../core/io/trace.ts";
import type { Checker, EndOfRun, Report } from "./checker.ts";
import type { HarmedRecords } from "./harmed-records.ts";

/**
 * A node leaves the ranks of its group for a reason that the world gave it: it calls records damaged only when they were
 * harmed on its disk, and gives up only when its disk refused it something. A log that differs from the leader's, or
 * records that cannot be read on a disk that kept them, are the doing of our own code, however well the others go on
 * without it. Once all is healed every live node is a member again, but those whose directory was emptied.
 */
export class SoundStanding implements Checker {
  readonly name = "sound-standing";
  readonly kinds: readonly TraceKind[] = ["fault", "disk", "damage", "standing", "recovered"];
  private readonly report: Report;
  private readonly harmed: HarmedRecords;
  /** Nodes that told of a standing at all. */
  private readonly standing = new Set<NodeId>();
  /** Nodes whose disk failed an operation in this life. */
  private readonly failing = new Set<NodeId | "">();
  /** What each node says that its disk refused it in this life, by group. */
  private readonly refused = new Map<NodeId, Set<GroupId>>();

  constructor(report: Report, harmed: HarmedRecords) {
    this.report = report;
    this.harmed = harmed;
  }

  onEvent(event: TraceEvent): void {
    switch (event.kind) {
      case "fault":
        this.onFault(event);
        break;
      case "disk":
        this.onRefused(event);
        break;
      case "damage":
        if (event.change === "found") this.onDamage(event);
        break;
      case "standing":
        this.judge(event, event.reason);
        break;
      case "recovered":
        this.judge(event, "recovery found it so");
        break;
      default:
        break;
    }
  }

  private onFault(event: FaultEvent): void {
    const { node, fault, detail } = event;
    if (fault === "io-failed") this.failing.add(node);
    else if (fault === "crash") {
      this.failing.delete(node);
      this.refused.delete(node as NodeId);
    } else if (fault === "failed-start") {
      if (this.failing.has(node) || this.harmed.mayLackAnything(node as NodeId)) return;
      this.fail(`${node} could not start, and its disk failed nothing`, detail);
    }
  }

  private onRefused(event: DiskEvent): void {
    const { node, group, code, operation } = event;
    if (code === "io" && !this.failing.has(node)) {
      this.fail(`${node} says that its disk failed to ${operation} of ${group}, and it failed nothing`, code);
    }
    // A full disk is no broken one: the node goes on from its reserve, and waits.
    if (code === "full") return;
    const groups = this.refused.get(node) ?? new Set();
    this.refused.set(node, groups.add(group));
  }

  private onDamage({ node, group, from, to }: DamageEvent): void {
    if (this.harmed.covers(node, group, from, to)) return;
    this.fail(
      `${node} calls records ${from} to ${to} of ${group} damaged, and nothing harmed all of them`,
      "it could not read them",
    );
  }

  private judge({ node, group, standing }: StandingEvent | RecoveredEvent, reason: string): void {
    this.standing.add(node);
    if (standing === "damaged" && !this.harmed.any(node, group)) {
      this.fail(`${node} calls its log of ${group} damaged, and nothing harmed its disk`, reason);
    } else if (standing === "failed" && this.refused.get(node)?.has(group) !== true) {
      this.fail(`${node} gave up ${group}, and its disk had refused it nothing`, reason);
    }
  }

  private fail(message: string, reason: string): void {
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message,
      explanation: `The reason it gave: ${reason}.`,
    });
  }

  /** Whoever is up once all is healed is a member again: what was damaged has been mended. */
  atEnd(end: EndOfRun): void {
    for (const { node, group, live, standing } of end.nodes) {
      if (!live || standing === "member" || this.harmed.mayLackAnything(node) || !this.standing.has(node))
        continue;
      this.report.fail({
        checker: this.name,
        kind: "liveness",
        message: `${node} is up and no member of ${group}, healed and without load`,
        explanation: `It calls itself ${standing}, and every other voter is there to help.`,
      });
    }
  }
}
