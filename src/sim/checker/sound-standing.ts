import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type {
  DiskEvent,
  FaultEvent,
  RecoveredEvent,
  StandingEvent,
  TraceEvent,
  TraceKind,
} from "../../core/io/trace.ts";
import type { Checker, EndOfRun, Report } from "./checker.ts";

/** Faults of the world after which records may truthfully be unreadable, or the directory empty. */
const harms: ReadonlySet<string> = new Set(["bit-rot", "io-error", "misdirected-write", "lost-sync", "wipe"]);

/**
 * A node leaves the ranks of its group for a reason that the world gave it: it calls itself damaged only when its disk
 * was harmed, and failed only when its disk refused it something. A log that differs from the leader's, or records that
 * cannot be read on a disk that kept everything, are the doing of our own code, however well the others go on without it.
 */
export class SoundStanding implements Checker {
  readonly name = "sound-standing";
  readonly kinds: readonly TraceKind[] = ["fault", "disk", "standing", "recovered"];
  private readonly report: Report;
  /** Nodes whose disk the world harmed at any time. */
  private readonly harmed = new Set<NodeId | "">();
  /** Nodes that told of a standing at all. */
  private readonly standing = new Set<NodeId>();
  /** What each node's disk refused it in this life, by group. */
  private readonly refused = new Map<NodeId, Set<GroupId>>();

  constructor(report: Report) {
    this.report = report;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "fault") {
      if (harms.has(event.fault)) this.harmed.add(event.node);
      else if (event.fault === "crash") this.refused.delete(event.node as NodeId);
      else if (event.fault === "failed-start") this.notStarted(event);
    } else if (event.kind === "disk") this.note(event);
    else if (event.kind === "standing") this.judge(event, event.reason);
    else if (event.kind === "recovered") this.judge(event, "recovery found it so");
  }

  private notStarted({ node, detail }: FaultEvent): void {
    if (!this.harmed.has(node)) this.fail(`${node} could not start, and nothing harmed its disk`, detail);
  }

  private note({ node, group }: DiskEvent): void {
    const groups = this.refused.get(node) ?? new Set();
    this.refused.set(node, groups.add(group));
  }

  private judge({ node, group, standing }: StandingEvent | RecoveredEvent, reason: string): void {
    this.standing.add(node);
    if (standing === "damaged" && !this.harmed.has(node)) {
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

  /** Whoever is up once all is healed, and was not harmed, is a member again. */
  atEnd(end: EndOfRun): void {
    for (const { node, group, live, standing } of end.nodes) {
      if (!live || standing === "member" || this.harmed.has(node) || !this.standing.has(node)) continue;
      this.report.fail({
        checker: this.name,
        kind: "liveness",
        message: `${node} is up and no member of ${group}, healed and without load`,
        explanation: `It calls itself ${standing}, and nothing harmed its disk.`,
      });
    }
  }
}
