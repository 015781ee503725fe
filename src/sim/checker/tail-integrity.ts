import type { TraceKind } from "../../core/io/trace.ts";
import type { History, KeyedLog, TailOperation } from "../history/history.ts";
import { internalKey } from "../history/history.ts";
import { payloadName } from "../history/payload.ts";
import type { Flaw } from "./append-once.ts";
import type { AppliedLog } from "./applied-log.ts";
import type { Checker, EndOfRun, Report } from "./checker.ts";

/**
 * A tail gives every client entry once, in the order of the log, with no gap and nothing internal: each answer begins
 * where the one before it ended and holds exactly the log's client entries of its range.
 */
export function tailFlaw(history: History, log: KeyedLog): Flaw | undefined {
  const nexts = new Map<number, number>();
  for (const operation of history.operations) {
    if (operation.kind !== "tail" || operation.outcome !== "ok") continue;
    const expected = nexts.get(operation.tail);
    if (expected !== undefined && expected !== operation.from) {
      return flawOf(
        history,
        operation,
        `began at ${operation.from}, the one before had ended at ${expected}`,
      );
    }
    if (operation.next < operation.from) {
      return flawOf(history, operation, `moved back from ${operation.from} to ${operation.next}`);
    }
    nexts.set(operation.tail, operation.next);
    const what = contentFlaw(operation, log);
    if (what !== undefined) return flawOf(history, operation, what);
  }
  return undefined;
}

function contentFlaw(operation: TailOperation, log: KeyedLog): string | undefined {
  let at = 0;
  for (let index = operation.from; index < operation.next; index++) {
    const key = log[index];
    if (key === internalKey) continue;
    if (key === undefined) return `passed the end of the final log at ${log.length - 1}`;
    if (operation.indexes[at] !== index)
      return operation.indexes[at] === undefined || (operation.indexes[at] as number) > index
        ? `left out index ${index}, ${payloadName(key)}`
        : `gave index ${operation.indexes[at]} out of order, twice or out of range`;
    if (operation.keys[at] !== key)
      return `gave ${payloadName(operation.keys[at] as number)} at index ${index}, which holds ${payloadName(key)}`;
    at += 1;
  }
  return at === operation.indexes.length
    ? undefined
    : `gave index ${operation.indexes[at]} out of order, twice, out of range or of an internal entry`;
}

function flawOf(history: History, operation: TailOperation, what: string): Flaw {
  return {
    message: `an answer to tail ${operation.tail} of client ${operation.client} on ${history.group} ${what}`,
    explanation: `The answer came at ${operation.returnedAt} us and covered [${operation.from}, ${operation.next}) with the indexes ${operation.indexes.slice(0, 16).join(", ")}${operation.indexes.length > 16 ? ", ..." : ""}.`,
  };
}

/** Source: the sentence above `tailFlaw`. */
export class TailIntegrity implements Checker {
  readonly name = "tail-integrity";
  readonly kinds: readonly TraceKind[] = [];
  private readonly report: Report;
  private readonly applied: AppliedLog;

  constructor(report: Report, applied: AppliedLog) {
    this.report = report;
    this.applied = applied;
  }

  onEvent(): void {}

  atEnd(end: EndOfRun): void {
    for (const history of end.histories) {
      const flaw = tailFlaw(history, this.applied.of(history.group).keys);
      if (flaw !== undefined) this.report.fail({ checker: this.name, kind: "safety", ...flaw });
    }
  }
}
