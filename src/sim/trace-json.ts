import type { Entry } from "../core/base/entry.ts";
import { traceVersion } from "../core/io/trace.ts";
import type { RunResult, TimedTraceEvent } from "./scenario.ts";
import type { FaultSettings } from "./settings.ts";

/** The first line of a trace file: scenario, topology and effective settings. */
export function traceHeader(run: {
  readonly scenario: string;
  readonly seed: number;
  readonly nodes: readonly string[];
  readonly groups: readonly string[];
  readonly durationMicros: number;
  readonly settings: Readonly<FaultSettings>;
}): string {
  return JSON.stringify({
    kind: "run",
    version: traceVersion,
    scenario: run.scenario,
    seed: run.seed,
    durationMicros: run.durationMicros,
    topology: { nodes: run.nodes, groups: run.groups },
    settings: run.settings,
  });
}

/** One event on one line, its fields in a fixed order: place in the trace, who, then the event's own by name. */
export function traceLine({ at, sequence, event }: TimedTraceEvent): string {
  const line: Record<string, unknown> = { sequence, at, kind: event.kind, node: event.node };
  if (event.kind !== "fault") line["group"] = event.group;
  const fields = event as unknown as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(fields).sort()) {
    if (name in line) continue;
    const value = fields[name];
    line[name] = name === "entries" ? (value as readonly Entry[]).map(entryFields) : value;
  }
  return JSON.stringify(line);
}

/** The last line: how it ended. */
export function traceEnd(result: RunResult): string {
  return JSON.stringify({
    kind: "end",
    at: result.simulatedMicros,
    verdict: result.verdict,
    events: result.events,
    acked: result.acked,
    elections: result.elections,
    traceHash: result.traceHash,
    violation: result.violation ?? null,
  });
}

function entryFields(entry: Entry): object {
  return {
    index: entry.index,
    term: entry.term,
    kind: entry.kind,
    pos: entry.pos,
    size: entry.size,
    chainCrc: entry.chainCrc,
  };
}
