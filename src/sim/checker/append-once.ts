import type { TraceKind } from "../../core/io/trace.ts";
import type { AppendOperation, History, KeyedLog } from "../history/history.ts";
import { foreignKey, internalKey } from "../history/history.ts";
import { payloadName } from "../history/payload.ts";
import type { AppliedLog } from "./applied-log.ts";
import type { Checker, EndOfRun, Report } from "./checker.ts";

/** What is wrong with a history; undefined when nothing is. */
export interface Flaw {
  readonly message: string;
  readonly explanation: string;
}

/**
 * Every acknowledged append stands in the final log exactly once, at the index that its client was told; what certainly
 * failed is absent; of what is unknown at most one copy is there; and nothing is there that no client sent.
 */
export function appendOnceFlaw(history: History, log: KeyedLog): Flaw | undefined {
  const places = new Map<number, number>();
  for (const [index, key] of log.entries()) {
    if (key === internalKey) continue;
    const before = places.get(key);
    if (key !== foreignKey && before !== undefined) {
      return {
        message: `the payload ${payloadName(key)} stands in ${history.group} twice`,
        explanation: `At index ${before} and at index ${index}, though its client sent it once.`,
      };
    }
    places.set(key, index);
  }
  for (const operation of history.operations) {
    if (operation.kind !== "append") continue;
    const flaw = operationFlaw(history, operation, places);
    if (flaw !== undefined) return flaw;
    for (const key of operation.keys) places.delete(key);
  }
  return phantomFlaw(history, places);
}

function operationFlaw(
  history: History,
  operation: AppendOperation,
  places: ReadonlyMap<number, number>,
): Flaw | undefined {
  if (operation.outcome === "unknown") return undefined;
  if (operation.outcome === "ok" && operation.indexes.length !== operation.keys.length) {
    return {
      message: `an append of ${operation.keys.length} entries to ${history.group} was acknowledged with ${operation.indexes.length} indexes`,
      explanation: `Client ${operation.client} was told so at ${operation.returnedAt} us.`,
    };
  }
  for (const [i, key] of operation.keys.entries()) {
    const told = operation.outcome === "ok" ? operation.indexes[i] : undefined;
    const stands = places.get(key);
    if (told === stands && (told !== undefined || operation.outcome === "failed")) continue;
    const name = payloadName(key);
    if (operation.outcome === "failed") {
      return {
        message: `the append of ${name} was refused, and stands in ${history.group} at index ${stands}`,
        explanation: `Client ${operation.client} was told at ${operation.returnedAt} us that it had certainly failed.`,
      };
    }
    return {
      message: `the acknowledged append of ${name} is not at its index ${told} of ${history.group}`,
      explanation: `Client ${operation.client} was told so at ${operation.returnedAt} us; the final log has it ${
        stands === undefined ? "nowhere" : `at index ${stands}`
      }.`,
    };
  }
  return undefined;
}

function phantomFlaw(history: History, left: ReadonlyMap<number, number>): Flaw | undefined {
  for (const [key, index] of left) {
    return {
      message: `index ${index} of ${history.group} holds what no client appended`,
      explanation: `It holds ${payloadName(key)}, and the history has no append of it.`,
    };
  }
  return undefined;
}

/** Source: the sentence above `appendOnceFlaw`. */
export class AppendOnce implements Checker {
  readonly name = "append-once";
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
      const flaw = appendOnceFlaw(history, this.applied.of(history.group).keys);
      if (flaw !== undefined) this.report.fail({ checker: this.name, kind: "safety", ...flaw });
    }
  }
}
