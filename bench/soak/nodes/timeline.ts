import type { ClusterNode } from "../../support/cluster.ts";
import type { Acknowledged } from "./ack-load.ts";

/** What a change of leader was made of, in milliseconds; the parts add up to the whole. */
export interface Failover {
  readonly total: number;
  /** Until a node stopped believing in the old leader. */
  readonly detect: number;
  /** Until the new leader was elected, further rounds included. */
  readonly elect: number;
  /** Until its first entry was committed. */
  readonly commit: number;
  /** Until the client had the acknowledgement of an append. */
  readonly client: number;
}

interface Line {
  readonly time: string;
  readonly kind?: string;
  readonly role?: string;
  readonly term?: number;
}

/** Where the logs of the nodes end now. */
export function logEnds(nodes: readonly ClusterNode[]): Map<ClusterNode, number> {
  return new Map(nodes.map((node) => [node, Buffer.byteLength(node.logFrom(0))]));
}

/** Splits the time from a fault to the next acknowledgement by what the logs of the other nodes say. */
export function failoverOf(
  since: number,
  acknowledged: Acknowledged,
  logs: ReadonlyMap<ClusterNode, number>,
): Failover {
  const lines = [...logs].flatMap(([node, from]) => linesOf(node.logFrom(from)));
  const first = (matches: (line: Line) => boolean, otherwise: number): number => {
    const times = lines.filter(matches).map(({ time }) => Date.parse(time));
    return Math.min(...times.filter((at) => at >= since - 1), otherwise);
  };
  const { at, term } = acknowledged;
  const committed = first((line) => line.kind === "commit" && line.term === term, at);
  const led = first((line) => line.role === "leader" && line.term === term, committed);
  const doubted = first((line) => line.role === "pre-candidate" || line.role === "candidate", led);
  // The logs have whole milliseconds: a part is never below nothing.
  const marks = [since, doubted, led, committed, at];
  for (let n = 1; n < marks.length; n++) marks[n] = Math.max(marks[n] ?? 0, marks[n - 1] ?? 0);
  const part = (n: number): number => Math.round((marks[n] ?? 0) - (marks[n - 1] ?? 0));
  return { total: Math.round(at - since), detect: part(1), elect: part(2), commit: part(3), client: part(4) };
}

function linesOf(text: string): Line[] {
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as Line];
    } catch {
      return []; // The last line may be half written; other lines are Node.js' own.
    }
  });
}
