import { quorumValue } from "../base/quorum.ts";
import { assertCommitsOwnTerm } from "./invariants.ts";
import type { Progress } from "./progress.ts";
import type { RaftState } from "./state.ts";
import { fillReached } from "./state.ts";

function matchOf(progress: Progress): number {
  return progress.matchIndex;
}

/** As leader: commits what a majority holds. @returns whether the commit index grew. */
export function commitByCounting(s: RaftState): boolean {
  // The leader counts itself only for what its own disk has synced, as everybody else (dissertation §10.2.1).
  const index = quorumValue(fillReached(s, s.log.durableIndex, -1, matchOf));
  if (index <= s.commitIndex) return false;
  // Raft §5.4.2: only entries of the leader's own term commit by counting replicas; earlier ones commit with them.
  if (s.log.termAt(index) !== s.term) return false;
  assertCommitsOwnTerm(s, index);
  commitUpTo(s, index, true);
  return true;
}

/** As follower: obeys the leader's commit index as far as the own log is known to be the leader's. */
export function commitAsFollower(s: RaftState, leaderCommit: number): void {
  // Raft §5.3: min(leaderCommit, index of last new entry): what lies behind it may be another leader's.
  const index = Math.min(leaderCommit, s.verifiedIndex);
  if (index > s.commitIndex) commitUpTo(s, index, false);
}

function commitUpTo(s: RaftState, index: number, leader: boolean): void {
  s.commitIndex = index;
  if (s.log.knowsEnd(index)) s.committedPos = s.log.posAfter(index);
  s.out.push({ type: "commit", index });
  if (s.trace.detailed) {
    s.trace.emit({ kind: "commit", node: s.self, group: s.group, term: s.term, index, leader });
  }
  trimWindow(s);
}

/**
 * Lets durable entries beyond the window's limits leave memory. A leader keeps the uncommitted ones, for its followers
 * still need them and `uncommittedBytesMax` bounds them; a follower's own proposals have no such bound, so it keeps none.
 */
export function trimWindow(s: RaftState): void {
  const { windowBytesMax, windowEntriesMax } = s.config;
  const durable = s.log.durableIndex;
  s.log.evict(
    s.role === "leader" ? Math.min(durable, s.commitIndex) : durable,
    windowBytesMax,
    windowEntriesMax,
  );
}
