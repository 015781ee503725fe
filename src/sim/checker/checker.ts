import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import type { Standing, TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { History } from "../history/history.ts";

/** A broken property: `message` is the sentence that does not hold, `explanation` shows where, for a person. */
export interface Violation {
  /** The checker's name, as in `allCheckers`. */
  readonly checker: string;
  /** Something bad happened, or something good did not happen in time. */
  readonly kind: "safety" | "liveness";
  readonly message: string;
  readonly explanation: string;
}

/** Where checkers tell a broken property. The first one stops the run; the later ones are ignored. */
export interface Report {
  fail(violation: Violation): void;
}

/** What a checker must know of the cluster before the first event. */
export interface Topology {
  /** All voters of every group. */
  readonly nodes: readonly NodeId[];
  readonly groups: readonly GroupId[];
}

/** One node's member of one group at the end of a run, read after the faults were healed and the load has stopped. */
export interface NodeAtEnd {
  readonly node: NodeId;
  readonly group: GroupId;
  /** Running, not paused, and able to reach a quorum; not one that has given up and is left alone. */
  readonly live: boolean;
  readonly standing: Standing;
  readonly commitIndex: number;
}

/** The end of a run, for whole-state scans. */
export interface EndOfRun {
  readonly nodes: readonly NodeAtEnd[];
  /** The clients' history, one for each group that was worked on. */
  readonly histories: readonly History[];
}

/**
 * One property, checked incrementally on the trace. Events come in the order in which they happened, `at` in virtual
 * time; whole-state scans wait for `atEnd`.
 */
export interface Checker {
  readonly name: string;
  /** Events of other kinds are never handed in, so that a checker costs nothing for what it does not read. */
  readonly kinds: readonly TraceKind[];
  onEvent(event: TraceEvent, at: Micros): void;
  atEnd?(end: EndOfRun): void;
}
