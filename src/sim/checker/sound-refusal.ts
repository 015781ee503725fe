import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { AppendOperation, History } from "../history/history.ts";
import type { Flaw } from "./append-once.ts";
import type { Checker, EndOfRun, Report } from "./checker.ts";

/** Once all is healed and somebody's append got through, every other one does within so long: twice a client's longest waits. */
const patience: Micros = 5 * second;

/** What a client that keeps to its limits never brings upon itself. */
const neverTold: ReadonlySet<string> = new Set([
  "sequence-too-old",
  "malformed-frame",
  "frame-too-large",
  "entry-too-large",
  "batch-too-large",
  "unknown-group",
  "wrong-cluster",
  "wrong-version",
  "not-authorised",
]);

/** @returns what is wrong with the refusals of a history whose faults ended at `healedAt`; undefined when nothing is. */
export function refusalFlaw(history: History, healedAt: Micros): Flaw | undefined {
  const { group } = history;
  let progressedAt = Number.POSITIVE_INFINITY;
  for (const { kind, outcome, invokedAt, returnedAt } of history.operations) {
    if (kind === "append" && outcome === "ok" && invokedAt >= healedAt)
      progressedAt = Math.min(progressedAt, returnedAt);
  }
  for (const operation of history.operations) {
    if (operation.kind !== "append") continue;
    const flaw = appendFlaw(operation, group, progressedAt);
    if (flaw !== undefined) return flaw;
  }
  for (const { client, at, underWay, room, until } of history.crowds ?? []) {
    if (underWay < room) {
      return {
        message: `client ${client} of ${group} had no room for an append, with ${underWay} under way at most`,
        explanation: `At ${at} us; it has room for ${room}.`,
      };
    }
    if (until !== Number.POSITIVE_INFINITY) continue;
    return {
      message: `client ${client} of ${group} was never told that it has room for appends again`,
      explanation: `It was full at ${at} us, and all its calls have ended.`,
    };
  }
  return undefined;
}

function appendFlaw(operation: AppendOperation, group: string, progressedAt: Micros): Flaw | undefined {
  const { client, refusal, invokedAt } = operation;
  if (refusal === undefined) return undefined;
  const code = refusal.codes.find((one) => neverTold.has(one));
  if (code !== undefined) {
    return {
      message: `an append of client ${client} to ${group} was refused as ${code}`,
      explanation: `At ${refusal.at} us; a client that keeps to its limits is never told so.`,
    };
  }
  const since = Math.max(invokedAt, progressedAt);
  if (refusal.at - since < patience) return undefined;
  return {
    message: `an append of client ${client} to ${group} was given up, ${refusal.at - since} us after all could get through`,
    explanation: `It was made at ${invokedAt} us and told ${refusal.codes.join(", ")}; others were acknowledged from ${progressedAt} us on.`,
  };
}

/**
 * A client is turned away for a reason: what its limits rule out is never told; it has no room only while as many appends are
 * under way as it takes, and says so when it has room again; and once all is healed every client's appends get through, not
 * only somebody's.
 */
export class SoundRefusal implements Checker {
  readonly name = "sound-refusal";
  readonly kinds: readonly TraceKind[] = ["fault"];
  private readonly report: Report;
  private healedAt: Micros = Number.POSITIVE_INFINITY;

  constructor(report: Report) {
    this.report = report;
  }

  onEvent(event: TraceEvent, at: Micros): void {
    if (event.kind === "fault" && event.fault === "healed") this.healedAt = at;
  }

  atEnd(end: EndOfRun): void {
    for (const history of end.histories) {
      const flaw = refusalFlaw(history, this.healedAt);
      if (flaw !== undefined) this.report.fail({ checker: this.name, kind: "liveness", ...flaw });
    }
  }
}
