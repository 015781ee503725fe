import type { DestinationStream, Logger } from "pino";
import { destination, pino } from "pino";
import type { Intake, Standing, Trace, TraceEvent } from "../core/io/trace.ts";
import type { LogFile } from "./log-file.ts";

type Level = "debug" | "info" | "warn" | "error";

/** What is refused again and again is logged this often at most; how often it happened between is counted. */
const refusalSilenceMs = 1_000;
export const peerSilenceMs = 10_000;
/** Kinds of refusal remembered at one time. */
const refusalKindsMax = 1_024;

/**
 * Lines of JSON on a file descriptor or in a file, written at once, so that a crash leaves none behind.
 * @param to 2 for standard error, a path, or what writes them.
 */
export function makeLogger(level: string, to: number | string | Pick<LogFile, "write">): Logger {
  const base = { pid: process.pid };
  const stream = typeof to === "object" ? to : standing(to);
  return pino({ level, base, timestamp: () => `,"time":"${new Date().toISOString()}"` }, stream);
}

function standing(to: number | string): DestinationStream {
  const stream = destination({ dest: to, sync: true, append: true, mkdir: true });
  // Whoever read the log may be gone before the node is; a node does not die of that.
  stream.on("error", () => undefined);
  return stream;
}

/** The node's log, made from the trace: what changes or fails. Entries and what belongs to them leave no line. */
export class TraceLog implements Trace {
  readonly detailed = false;
  private readonly logger: Logger;
  private readonly silence = new Silence();
  /** Terms that this node leads, by group, and in which nothing is committed yet. */
  private readonly unproven = new Map<string, number>();

  constructor(logger: Logger) {
    this.logger = logger;
  }

  emit(event: TraceEvent): void {
    if (event.kind === "commit") return this.committed(event);
    if (event.kind === "role") {
      if (event.role === "leader") this.unproven.set(event.group, event.term);
      else this.unproven.delete(event.group);
    }
    const said = sentence(event);
    if (said === undefined) return;
    const [level, message] = said;
    let more: number | undefined = 0;
    if (event.kind === "role") more = this.roleHeard(event);
    else if (event.kind === "refuse")
      more = this.silence.heard(`${event.group} ${event.code} ${event.peer}`, refusalSilenceMs);
    else if (event.kind === "client")
      more = this.silence.heard(`${event.group} client ${event.change}`, refusalSilenceMs);
    else if (event.kind === "peer" && (event.change === "refused" || event.change === "surplus"))
      more = this.silence.heard(`${event.group} ${event.peer} ${event.reason}`, peerSilenceMs);
    if (more !== undefined) this.logger[level](more === 0 ? event : { ...event, more }, message);
  }

  /** A node that reaches no majority asks for pre-votes several times a second, in one term, for as long as that lasts. */
  private roleHeard({ group, role, term }: Extract<TraceEvent, { kind: "role" }>): number | undefined {
    const kind = `${group} pre-candidate`;
    if (role === "pre-candidate") return this.silence.heard(`${kind} ${term}`, peerSilenceMs);
    this.silence.forget(kind);
    return 0;
  }

  /** The first commit of a term ends a change of leader: from then on appends are answered. */
  private committed({ node, group, term, index, leader }: Extract<TraceEvent, { kind: "commit" }>): void {
    if (!leader || this.unproven.get(group) !== term) return;
    this.unproven.delete(group);
    const line = { kind: "commit", node, group, term, index };
    this.logger.info(line, `leads with everything up to ${index} committed in term ${term}`);
  }
}

/** Keeps lines of one kind apart: what happens again and again is told now and then, and how often between. */
export class Silence {
  private readonly kinds = new Map<string, { since: number; more: number }>();
  private readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** @returns undefined when the line is left out, else how many were left out before it. */
  heard(kind: string, silenceMs: number): number | undefined {
    const now = this.now();
    const before = this.kinds.get(kind);
    if (before !== undefined && now - before.since < silenceMs) {
      before.more += 1;
      return undefined;
    }
    if (this.kinds.size >= refusalKindsMax) this.kinds.clear();
    this.kinds.set(kind, { since: now, more: 0 });
    return before?.more ?? 0;
  }

  /** What comes next of the kinds that begin so is news. */
  forget(kinds: string): void {
    for (const kind of this.kinds.keys()) if (kind.startsWith(kinds)) this.kinds.delete(kind);
  }
}

/** A new group passes through `wiped`, so that alone is no error. */
const standingLevels: { readonly [standing in Standing]: Level } = {
  member: "info",
  wiped: "warn",
  damaged: "error",
  failed: "error",
};

const intakeLines: { readonly [intake in Intake]: readonly [Level, string] } = {
  open: ["info", "takes appends again"],
  "read-only": ["warn", "is read-only: it takes no appends, and leads only while no writable node can"],
  full: ["warn", "takes no appends: its disk is full but for the reserve"],
};

/** Level and text of an event's line; undefined for one that leaves none. */
function sentence(event: TraceEvent): readonly [Level, string] | undefined {
  switch (event.kind) {
    case "recovered":
      return ["info", `recovered the log up to ${event.lastIndex} in term ${event.term}`];
    case "role":
      return ["info", roleSentence(event)];
    case "vote":
      return ["info", `votes for ${event.candidate} in term ${event.term}`];
    case "refuse":
      return ["warn", `refused ${event.peer === "" ? "a client" : event.peer}: ${event.code}`];
    case "transfer":
      return [
        event.change === "failed" ? "warn" : "info",
        `transfer of leadership to ${event.to}: ${event.change}`,
      ];
    case "damage":
      return [
        event.change === "mended" ? "info" : "error",
        `records ${event.from} to ${event.to}: ${event.change}`,
      ];
    case "standing":
      return [standingLevels[event.standing], `is now ${event.standing}: ${event.reason}`];
    case "intake":
      return intakeLines[event.intake];
    case "disk":
      return ["error", `disk: ${event.operation} failed with ${event.code}`];
    case "peer":
      if (event.change === "surplus")
        return ["warn", `closed the oldest connection of ${event.peer || "strangers"}: ${event.reason}`];
      return [
        event.change === "connected" ? "info" : "warn",
        `peer ${event.peer} ${event.change}: ${event.reason}`,
      ];
    case "client":
      return ["warn", `disconnected the client ${JSON.stringify(event.name)}: ${event.reason}`];
    case "truncate":
      return ["warn", `uncommitted entries from ${event.from} on were cut for the leader's`];
    case "session":
      return ["debug", `session ${event.session} ${event.change}`];
    case "fault":
      return ["warn", `${event.fault}: ${event.detail}`];
    default:
      return undefined;
  }
}

function roleSentence(event: Extract<TraceEvent, { kind: "role" }>): string {
  const led = event.leader === "" || event.role === "leader" ? "" : ` of ${event.leader}`;
  return `${event.role}${led} in term ${event.term}: ${event.reason}`;
}

/** One trace for several listeners. */
export function fanOut(traces: readonly Trace[]): Trace {
  return {
    detailed: traces.some((trace) => trace.detailed),
    emit: (event) => {
      for (const trace of traces) trace.emit(event);
    },
  };
}
