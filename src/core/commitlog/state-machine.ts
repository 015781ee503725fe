import type { Entry } from "../base/entry.ts";

/**
 * A replicated state machine: what committed entries are applied to, equal on every node that applied equally many.
 * It is told nothing but entries, so its state is a function of the log: no clock, no chance, no configuration of the node.
 */
export interface StateMachine {
  /** The index of the last entry applied; -1 before the first. */
  readonly appliedIndex: number;
  /**
   * Applies committed entries; the first one follows `appliedIndex`, the others follow each other.
   * @throws AssertionError when they do not.
   */
  apply(entries: readonly Entry[]): void;
  /** The state as of `appliedIndex`, in chunks of bounded size. It is read to its end before the next `apply`. */
  snapshot(): Iterable<Uint8Array>;
  /**
   * Replaces the state by that of a snapshot; nothing has changed when it throws.
   * @throws LogError `damaged` when the chunks are not those of one whole snapshot, in order.
   */
  restore(chunks: Iterable<Uint8Array>): void;
}
