import { entryBodyBytesMax } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import { frameBytesMax } from "../io/network.ts";

/** The largest `sessionsMax`, and so the most sessions of any table, whichever leader's limit it follows. */
export const sessionsCeiling = 1_000_000;

/** Limits of the session table. They may differ between the nodes of a group, and from one start of a node to the next. */
export interface SessionLimits {
  /**
   * Open sessions; one more evicts the one that was used least recently. What a leader has here goes into the entries that
   * open sessions, and that number counts on every node: see `session-entry.ts`.
   */
  readonly sessionsMax: number;
  /**
   * Latest sequences of a session whose indexes are kept; a client has no more than these in flight. Whether an entry is the
   * next of its session does not depend on it: a leader with a smaller one only refuses older retries as too old.
   */
  readonly inFlightMax: number;
}

/** Limits of what one client call may carry. A call of exactly a limit passes every path. */
export interface CommitLogLimits extends SessionLimits {
  /** Bytes of one entry's body; beyond it `entry-too-large`. */
  readonly entryBodyBytesMax: number;
  /** Entries of one append request; beyond it `batch-too-large`. */
  readonly appendEntriesMax: number;
  /** Body bytes of one append request; beyond it `batch-too-large`. */
  readonly appendBytesMax: number;
  /** Entries of one answer to a tail; a request for more gets this many. */
  readonly tailEntriesMax: number;
  /** Body bytes of one answer to a tail; one larger entry is sent alone. */
  readonly tailBytesMax: number;
}

export const defaultCommitLogLimits: CommitLogLimits = {
  sessionsMax: 10_000,
  inFlightMax: 1_024,
  entryBodyBytesMax,
  appendEntriesMax: 1_024,
  appendBytesMax: entryBodyBytesMax,
  tailEntriesMax: 1_024,
  tailBytesMax: entryBodyBytesMax,
};

/** Entries, or runs of indexes, of one frame: each takes more memory than bytes of its frame, so the frame is no bound. */
export const frameItemsMax = 65_536;

/** Frame bytes besides the bodies: a fixed part, and index, term and length of each entry. */
const frameFixedBytes = 64;
const frameEntryBytes = 20;

/** @throws LogError `bad-configuration` that names the limit, its value and what is allowed. */
export function checkCommitLogLimits(limits: CommitLogLimits): void {
  check("sessionsMax", limits.sessionsMax, 1, sessionsCeiling);
  check("inFlightMax", limits.inFlightMax, 1, frameItemsMax);
  check("entryBodyBytesMax", limits.entryBodyBytesMax, 1, entryBodyBytesMax);
  // A session's batch must lie within the sequences that are kept, or a retry of it could not be answered.
  check("appendEntriesMax", limits.appendEntriesMax, 1, limits.inFlightMax);
  check(
    "appendBytesMax",
    limits.appendBytesMax,
    limits.entryBodyBytesMax,
    frameRoom(limits.appendEntriesMax),
  );
  check("tailEntriesMax", limits.tailEntriesMax, 1, frameItemsMax);
  check("tailBytesMax", limits.tailBytesMax, 1, frameRoom(limits.tailEntriesMax));
}

function frameRoom(entries: number): number {
  return frameBytesMax - frameFixedBytes - frameEntryBytes * entries;
}

function check(name: keyof CommitLogLimits, value: number, low: number, high: number): void {
  if (Number.isSafeInteger(value) && value >= low && value <= high) return;
  throw new LogError("bad-configuration", `${name} is ${value}; allowed are integers from ${low} to ${high}`);
}
