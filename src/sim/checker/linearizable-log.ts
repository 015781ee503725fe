import type { Micros } from "../../core/base/units.ts";
import type { TraceKind } from "../../core/io/trace.ts";
import type { History, KeyedLog, Operation } from "../history/history.ts";
import { payloadName } from "../history/payload.ts";
import type { Flaw } from "./append-once.ts";
import type { AppliedLog } from "./applied-log.ts";
import type { Checker, EndOfRun, Report } from "./checker.ts";

/**
 * For each index the window in which its entry must have taken effect: not before `lower`, not after `upper`, and the
 * operations that say so.
 */
interface Windows {
  readonly lower: Micros[];
  readonly upper: Micros[];
  readonly lowerBy: (Operation | undefined)[];
  readonly upperBy: (Operation | undefined)[];
}

/**
 * Linearizability of appends, gets, tails and read-index, decided exactly: with the final log known, entry i must take
 * effect within its window, and entries take effect in the order of the log. So one sweep with the greatest lower
 * bound so far decides, and the pair that breaks it is the smallest counterexample.
 *
 * - an append that landed at i was not there before it was invoked, and is there once it returned;
 * - whoever saw entry i returned after it; whoever saw the log end before i was invoked before it.
 */
export function linearizableFlaw(history: History, log: KeyedLog): Flaw | undefined {
  const windows: Windows = { lower: [], upper: [], lowerBy: [], upperBy: [] };
  for (let i = 0; i <= log.length; i++) {
    windows.lower.push(Number.NEGATIVE_INFINITY);
    windows.upper.push(Number.POSITIVE_INFINITY);
  }
  const places = new Map<number, number>();
  for (const [index, key] of log.entries()) places.set(key, index);
  for (const operation of history.operations) {
    const flaw = note(operation, log, places, windows);
    if (flaw !== undefined) return flaw;
  }
  return sweep(history, windows);
}

function note(
  operation: Operation,
  log: KeyedLog,
  places: ReadonlyMap<number, number>,
  windows: Windows,
): Flaw | undefined {
  if (operation.kind === "append") {
    for (const key of operation.keys) {
      const index = places.get(key);
      if (index === undefined) continue;
      absentBefore(windows, index, operation);
      if (operation.outcome === "ok") presentAfter(windows, index, operation);
    }
    return undefined;
  }
  if (operation.outcome !== "ok") return undefined;
  if (operation.kind === "read-index") return noteEnd(operation, operation.index, log, windows);
  if (operation.kind === "get") {
    if (operation.key === undefined) {
      absentBefore(windows, operation.index, operation);
      return undefined;
    }
    return noteContent(operation, operation.index, operation.key, log, windows);
  }
  for (const [i, key] of operation.keys.entries()) {
    const flaw = noteContent(operation, operation.indexes[i] as number, key, log, windows);
    if (flaw !== undefined) return flaw;
  }
  return noteReached(operation, operation.next - 1, log, windows);
}

function noteContent(
  operation: Operation,
  index: number,
  key: number,
  log: KeyedLog,
  windows: Windows,
): Flaw | undefined {
  const flaw = noteReached(operation, index, log, windows);
  if (flaw !== undefined || log[index] === key) return flaw;
  return {
    message: `a client read ${payloadName(key)} at index ${index}, which holds ${payloadName(log[index] as number)}`,
    explanation: `${told(operation)}.`,
  };
}

function noteReached(operation: Operation, index: number, log: KeyedLog, windows: Windows): Flaw | undefined {
  if (index < 0) return undefined;
  if (index >= log.length) {
    return {
      message: `a client saw index ${index}, and the final log ends at ${log.length - 1}`,
      explanation: `${told(operation)}.`,
    };
  }
  presentAfter(windows, index, operation);
  return undefined;
}

/** The log was seen to end exactly at `index`. */
function noteEnd(operation: Operation, index: number, log: KeyedLog, windows: Windows): Flaw | undefined {
  const flaw = noteReached(operation, index, log, windows);
  if (flaw === undefined) absentBefore(windows, index + 1, operation);
  return flaw;
}

function absentBefore(windows: Windows, index: number, operation: Operation): void {
  if (index >= windows.lower.length || operation.invokedAt <= (windows.lower[index] as number)) return;
  windows.lower[index] = operation.invokedAt;
  windows.lowerBy[index] = operation;
}

function presentAfter(windows: Windows, index: number, operation: Operation): void {
  if (operation.returnedAt >= (windows.upper[index] as number)) return;
  windows.upper[index] = operation.returnedAt;
  windows.upperBy[index] = operation;
}

function sweep(history: History, windows: Windows): Flaw | undefined {
  let latest = Number.NEGATIVE_INFINITY;
  let latestAt = -1;
  for (let index = 0; index < windows.upper.length; index++) {
    const lower = windows.lower[index] as number;
    if (lower > latest) {
      latest = lower;
      latestAt = index;
    }
    if (latest <= (windows.upper[index] as number)) continue;
    const late = windows.lowerBy[latestAt];
    const early = windows.upperBy[index];
    if (late === undefined || early === undefined) continue;
    return {
      message: `two operations on ${history.group} have no order that agrees with real time`,
      explanation:
        `${told(early)}, so index ${index} was there by then. ` +
        `${told(late)}, after that, and yet index ${latestAt} was not there before it began${
          latestAt === index ? "" : `, nor can it be: entries take effect in the order of the log`
        }.`,
    };
  }
  return undefined;
}

/** One operation as a clause: who, what, when, and the answer. */
function told(operation: Operation): string {
  const span = `${operation.invokedAt}..${operation.returnedAt} us`;
  const who = `client ${operation.client}`;
  switch (operation.kind) {
    case "append": {
      const names = operation.keys.map(payloadName).join(", ");
      const answer = operation.outcome === "ok" ? ` at ${operation.indexes.join(", ")}` : "";
      return `${who} appended ${names}${answer} (${span})`;
    }
    case "get":
      return `${who} asked for index ${operation.index} and got ${
        operation.key === undefined ? "that it is beyond the end" : payloadName(operation.key)
      } (${span})`;
    case "read-index":
      return `${who} asked how far the log is committed and was told ${operation.index} (${span})`;
    case "tail":
      return `${who}'s tail gave [${operation.from}, ${operation.next}) (${span})`;
    default:
      return who;
  }
}

/** Source: the sentence above `linearizableFlaw`. */
export class LinearizableLog implements Checker {
  readonly name = "linearizable-log";
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
      const flaw = linearizableFlaw(history, this.applied.of(history.group).keys);
      if (flaw !== undefined) this.report.fail({ checker: this.name, kind: "safety", ...flaw });
    }
  }
}
