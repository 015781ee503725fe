import type { Entry } from "../base/entry.ts";
import type { Intake } from "../io/trace.ts";

/**
 * What Raft peers say to each other. Who sent a message is known from the connection (or the harness) it came on.
 * Index -1 stands before the first entry, whose index is 0.
 */
export type Message =
  | PreVote
  | PreVoteResult
  | RequestVote
  | RequestVoteResult
  | AppendEntries
  | AppendEntriesResult
  | Heartbeat
  | HeartbeatResult
  | TimeoutNow
  | ReadIndexRequest
  | ReadIndexResult;

/** Dissertation §9.6: would you vote for me in `term`? Changes no state of the receiver. */
export interface PreVote {
  readonly type: "pre-vote";
  /** The term that the sender would campaign in: its own plus one. */
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The sender takes no entries of clients, and gives way to whoever does and holds as much of the log. */
  readonly yields?: true;
}

export interface PreVoteResult {
  readonly type: "pre-vote-result";
  /** Granted: the term asked for. Refused: the receiver's own term. */
  readonly term: number;
  readonly granted: boolean;
  /** Refused because the receiver would rather lead itself. */
  readonly objects?: true;
}

/** Raft §5.2. */
export interface RequestVote {
  readonly type: "request-vote";
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Set when the leader itself asked for this election (TimeoutNow), so a live leader is no reason to refuse. */
  readonly transfer: boolean;
}

export interface RequestVoteResult {
  readonly type: "request-vote-result";
  readonly term: number;
  readonly granted: boolean;
}

/** Raft §5.3. Heartbeats are a message of their own: they travel on the control connection. */
export interface AppendEntries {
  readonly type: "append-entries";
  readonly term: number;
  readonly prevIndex: number;
  readonly prevTerm: number;
  /** chainCrc and end position at prevIndex, so the follower checks that both logs are equal up to there. */
  readonly prevChainCrc: number;
  readonly prevPos: number;
  readonly commitIndex: number;
  /** Consecutive, the first at prevIndex + 1; empty to probe. */
  readonly entries: readonly Entry[];
}

export interface AppendEntriesResult {
  readonly type: "append-entries-result";
  readonly term: number;
  readonly accepted: boolean;
  /** Accepted: the receiver holds, synced, the leader's log up to here. Refused: -1. */
  readonly matchIndex: number;
  /** Refused: the prevIndex that was refused, so a late refusal is told from a fresh one. Accepted: -1. */
  readonly rejectedIndex: number;
  /**
   * Refused: where the logs may still agree (§5.3's fast backtracking): the receiver's last index with a term at most prevTerm, and its term there.
   * Accepted: how far what the leader sent was looked at and synced, where damage keeps the receiver from holding all of it; else -1.
   */
  readonly hintIndex: number;
  readonly hintTerm: number;
}

export interface Heartbeat {
  readonly type: "heartbeat";
  readonly term: number;
  /** Never beyond what the receiver is known to match, so it may be obeyed without a log check. */
  readonly commitIndex: number;
  /** Counts the leader's heartbeat rounds in this term: a read waits for a round begun after it (ReadIndex). */
  readonly round: number;
}

export interface HeartbeatResult {
  readonly type: "heartbeat-result";
  readonly term: number;
  readonly round: number;
  /** As in an accepted AppendEntriesResult; -1 when nothing of this leader's log was verified yet. */
  readonly matchIndex: number;
  /** Absent: the receiver takes entries of clients. */
  readonly intake?: Exclude<Intake, "open">;
}

/** Dissertation §3.10: campaign at once, without pre-vote. */
export interface TimeoutNow {
  readonly type: "timeout-now";
  readonly term: number;
}

/** Dissertation §6.4: a follower asks its leader for a read index. */
export interface ReadIndexRequest {
  readonly type: "read-index";
  readonly term: number;
  readonly request: number;
}

export interface ReadIndexResult {
  readonly type: "read-index-result";
  readonly term: number;
  readonly request: number;
  /** -1: refused; ask again later. */
  readonly index: number;
}
