import type { NodeId } from "../base/brand.ts";
import type { Micros } from "../base/units.ts";

/** Limits and times of one Raft group member. Every limit has a name here; defaults stand in `core/node/config.ts`. */
export interface RaftConfig {
  readonly self: NodeId;
  /** All voters, self included, sorted by code unit. */
  readonly voters: readonly NodeId[];
  readonly heartbeatInterval: Micros;
  /** A follower campaigns after a random time in [min, max] without its leader. */
  readonly electionTimeoutMin: Micros;
  readonly electionTimeoutMax: Micros;
  /** After a lost connection to the leader, pre-vote begins after a random time in [0, this]. */
  readonly hintDelayMax: Micros;
  /** A leader that cannot finish a transfer gives it up after this long. */
  readonly transferTimeout: Micros;
  /** An AppendEntries that was not answered for this long is sent again. */
  readonly retransmitTimeout: Micros;
  /** AppendEntries in flight to one follower: messages and bytes. */
  readonly inFlightMessagesMax: number;
  readonly inFlightBytesMax: number;
  /** Record bytes in one AppendEntries; one larger entry travels alone. */
  readonly messageBytesMax: number;
  /** Entries in one AppendEntries. */
  readonly messageEntriesMax: number;
  /** Entries kept in memory, counted in bytes and number; older ones are loaded from the disk when needed. */
  readonly windowBytesMax: number;
  readonly windowEntriesMax: number;
  /** Uncommitted record bytes at a leader; a proposal beyond it is refused as `pending-full`. */
  readonly uncommittedBytesMax: number;
  readonly uncommittedEntriesMax: number;
  /** Linearizable reads waiting for their heartbeat round. */
  readonly pendingReadsMax: number;
}

/**
 * Chance for election timeouts and the numbers of questions: `draw(key)` gives the same integer in [0, 2^32) for the same key.
 * The machine counts the keys.
 */
export type RaftDraw = (key: number) => number;
