import type { Backlog, BacklogEvent, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import { simulatedLimits } from "../core-node.ts";
import type { Checker, Report } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

const limits = simulatedLimits;

/** What may wait at most, of each kind. */
const bounds: { readonly [what in Backlog]: number } = {
  tails: limits.tailsMax,
  reads: limits.pendingReadsMax,
  "in-flight-bytes": limits.inFlightBytesMax,
  "uncommitted-bytes": limits.uncommittedBytesMax,
  appends: limits.pendingAppendsMax,
  "append-bytes": limits.pendingAppendBytesMax,
  "connection-requests": limits.connectionRequestsMax,
  "connection-answer-bytes": limits.connectionAnswerBytesMax,
};

/**
 * Nothing that waits at a node grows beyond its bound, whoever is slow, absent or greedy: neither what a leader takes of
 * clients and has not committed, nor reads and tails, nor what is on its way to a follower, nor what a client does not read.
 */
export class BoundedBacklog implements Checker {
  readonly name = "bounded-backlog";
  readonly kinds: readonly TraceKind[] = ["append", "backlog"];
  private readonly report: Report;
  private readonly model: ClusterModel;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind === "backlog") return this.onBacklog(event);
    if (event.kind !== "append") return;
    const { role, lastIndex, commitIndex } = this.model.of(event);
    const { uncommittedEntriesMax } = simulatedLimits;
    if (role !== "leader" || lastIndex - commitIndex <= uncommittedEntriesMax) return;
    if (event.entries.every(({ kind }) => kind === "no-op")) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `the leader ${event.node} of ${event.group} took an entry on top of ${uncommittedEntriesMax} that are not committed`,
      explanation: `Its log ends at ${lastIndex}; it has committed up to ${commitIndex}.`,
    });
  }

  private onBacklog({ node, group, what, size, last }: BacklogEvent): void {
    const bound = bounds[what];
    if (size <= bound) return;
    // How large an entry is that a follower needs is not known before it was read from the disk: it goes out alone.
    if (what === "in-flight-bytes" && last > limits.messageBytesMax) return;
    this.report.fail({
      checker: this.name,
      kind: "safety",
      message: `${size} ${what} wait at ${node} for ${group}; its bound is ${bound}`,
      explanation: `What was added last is ${last}.`,
    });
  }
}
