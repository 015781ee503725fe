import type { TraceKind } from "../../core/io/trace.ts";
import type { Checker, EndOfRun, NodeAtEnd, Report } from "./checker.ts";
import type { ClusterModel } from "./cluster-model.ts";

/**
 * Once the faults are healed and the load has stopped, all live members of a group have committed equally far, and their
 * logs are equal up to there.
 */
export class Convergence implements Checker {
  readonly name = "convergence";
  readonly kinds: readonly TraceKind[] = [];
  private readonly report: Report;
  private readonly model: ClusterModel;

  constructor(report: Report, model: ClusterModel) {
    this.report = report;
    this.model = model;
  }

  onEvent(): void {}

  atEnd(end: EndOfRun): void {
    const firsts = new Map<string, NodeAtEnd>();
    for (const node of end.nodes) {
      // A voter whose directory was emptied has no vote, and takes the entries all the same.
      if (!node.live || (node.standing !== "member" && node.standing !== "wiped")) continue;
      const first = firsts.get(node.group);
      if (first === undefined) firsts.set(node.group, node);
      else this.compare(first, node);
    }
  }

  private compare(one: NodeAtEnd, other: NodeAtEnd): void {
    const group = this.model.group(one.group);
    const common = Math.min(one.commitIndex, other.commitIndex);
    const [crcOne, crcOther] = [one, other].map(({ node }) => group.member(node).chainCrcAt(common));
    if (crcOne !== crcOther) {
      this.report.fail({
        checker: this.name,
        kind: "safety",
        message: `${one.node} and ${other.node} ended with different logs in ${one.group}`,
        explanation: `Both have committed index ${common}, with chainCrc ${crcOne} and ${crcOther}.`,
      });
    } else if (one.commitIndex !== other.commitIndex) {
      this.report.fail({
        checker: this.name,
        kind: "liveness",
        message: `${one.node} and ${other.node} did not come to the same end in ${one.group}`,
        explanation: `They have committed up to ${one.commitIndex} and ${other.commitIndex}, healed and without load.`,
      });
    }
  }
}
