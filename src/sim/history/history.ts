import type { GroupId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";

/**
 * What clients asked and were told, as they saw it: the input of the checkers that know nothing of Raft. The simulator's
 * workload writes one, and so does any test that drives real nodes.
 *
 * - `ok`: answered; what the answer said is in the operation.
 * - `failed`: certainly had no effect.
 * - `unknown`: may have taken effect, or may yet; `returnedAt` is Infinity. Also the outcome of a call under way.
 */
export type Outcome = "ok" | "failed" | "unknown";

interface Call {
  readonly client: number;
  readonly invokedAt: Micros;
  returnedAt: Micros;
  outcome: Outcome;
}

/** Payloads are told apart by their key: no two appends of a history carry the same one. See `payload.ts`. */
export interface AppendOperation extends Call {
  readonly kind: "append";
  readonly keys: readonly number[];
  /** When ok: where each landed, in the order of `keys`. */
  indexes: readonly number[];
  /** When refused or left unknown: what was said, and when. */
  refusal?: Refusal;
}

/** Why an append was not acknowledged, as its client said. */
export interface Refusal {
  readonly at: Micros;
  /** The error's code, and that of what caused it. */
  readonly codes: readonly string[];
}

/** A client had no room for one more append. */
export interface Crowd {
  readonly client: number;
  readonly at: Micros;
  /** Calls that may have taken room: those under way, and those of an unknown outcome, which it may have to settle yet. */
  readonly underWay: number;
  /** So many make a full house. */
  readonly room: number;
  /** When the client told of room, or was left; Infinity while it has not. */
  until: Micros;
}

/** A tail from the first index that somebody follows to the end. */
export interface Watch {
  readonly client: number;
  readonly tail: number;
}

/** When ok: the key of the payload at `index`, `internalKey` for an internal entry, or undefined for "out of range": nothing was committed there yet. */
export interface GetOperation extends Call {
  readonly kind: "get";
  readonly index: number;
  key: number | undefined;
}

/** When ok: everything up to `index`, and nothing after it, was committed at some moment of the call. */
export interface ReadIndexOperation extends Call {
  readonly kind: "read-index";
  index: number;
}

/** One answer to a tail: the entries of [from, next) without internal ones. */
export interface TailOperation extends Call {
  readonly kind: "tail";
  /** The tail that this answer belongs to; the answers of one tail follow each other in the history. */
  readonly tail: number;
  readonly from: number;
  readonly next: number;
  readonly indexes: readonly number[];
  readonly keys: readonly number[];
}

export type Operation = AppendOperation | GetOperation | ReadIndexOperation | TailOperation;

export interface History {
  readonly group: GroupId;
  /** In the order of invocation; a tail's answer in the order of its arrival. */
  readonly operations: readonly Operation[];
  /** When clients were full. */
  readonly crowds?: readonly Crowd[];
  /** Tails that have to come to the end of the log. */
  readonly watches?: readonly Watch[];
  /** The last index that a client's entry has, as the last read of all found it; left out before. */
  readonly end?: number;
}

/**
 * The committed log as the truth has it: at each index the key of the payload, or `internalKey`. In the simulator it comes
 * from what state machines applied, on real nodes from a full read at the end.
 */
export type KeyedLog = readonly number[];

/** Stands in a `KeyedLog` for an entry that no client appended: a no-op, a session's opening. */
export const internalKey = -1;

/** Stands for bytes that no workload wrote. */
export const foreignKey = -2;
