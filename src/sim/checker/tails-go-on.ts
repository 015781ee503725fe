import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { TraceKind } from "../../core/io/trace.ts";
import type { History } from "../history/history.ts";
import type { Checker, Report } from "./checker.ts";

/** How long after the last read of all a tail may take to get what that read got. */
export const tailsWithin: Micros = 10 * second;

/** Where a tail stands that has not come to the end. */
interface Laggard {
  readonly history: History;
  readonly client: number;
  readonly tail: number;
  /** The first index that it has not got. */
  readonly next: number;
  /** When it got the last answer; undefined when it got none. */
  readonly at: Micros | undefined;
}

/**
 * Whoever follows a log comes to its end, as long as the group works, even where the node at hand has given up and no
 * person has come to it: each watched tail gets everything that the last read of all got, within `tailsWithin` of it. The
 * runner asks `isBehind` once that read is over, and calls `overdue` at the deadline.
 */
export class TailsGoOn implements Checker {
  readonly name = "tails-go-on";
  readonly kinds: readonly TraceKind[] = [];
  private readonly report: Report;

  constructor(report: Report) {
    this.report = report;
  }

  onEvent(): void {}

  isBehind(histories: readonly History[]): boolean {
    return histories.some((history) => laggard(history) !== undefined);
  }

  overdue(at: Micros, histories: readonly History[]): void {
    for (const history of histories) {
      const found = laggard(history);
      if (found === undefined) continue;
      const last =
        found.at === undefined ? "It was told nothing" : `It was told something last at ${found.at} us`;
      this.report.fail({
        checker: this.name,
        kind: "liveness",
        message: `tail ${found.tail} of client ${found.client} on ${history.group} stands at index ${found.next}, and the log goes on to ${history.end}`,
        explanation: `${last}; at ${at} us, ${tailsWithin / second} s after the last read, it has got no further.`,
      });
    }
  }
}

function laggard(history: History): Laggard | undefined {
  const { end, watches = [], operations } = history;
  if (end === undefined || watches.length === 0) return undefined;
  const stands = new Map(watches.map(({ tail }) => [tail, { next: 0, at: undefined as Micros | undefined }]));
  for (const operation of operations) {
    const stand = operation.kind === "tail" ? stands.get(operation.tail) : undefined;
    if (stand === undefined || operation.kind !== "tail") continue;
    stand.next = operation.next;
    stand.at = operation.returnedAt;
  }
  for (const { client, tail } of watches) {
    const stand = stands.get(tail);
    if (stand !== undefined && stand.next <= end) return { history, client, tail, ...stand };
  }
  return undefined;
}
