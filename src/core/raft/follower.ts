import type { NodeId } from "../base/brand.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import { endOf } from "../base/entry.ts";
import { commitAsFollower, trimWindow } from "./commit.ts";
import { followLeader } from "./election.ts";
import { assertDoesNotLead } from "./invariants.ts";
import type { AppendEntries, Heartbeat } from "./message.ts";
import type { RaftState } from "./state.ts";
import { saveHardState, send, tellMatch } from "./state.ts";

/** The follower's side of Raft §5.3. */

export function onAppendEntries(s: RaftState, from: NodeId, m: AppendEntries): void {
  if (!followLeader(s, from, m.term)) {
    // Of an older term: its leader learns the newer one from the refusal.
    refuse(s, from, m);
    return;
  }
  // Backpressure from the own disk: as if the message was lost, and the leader sends it again.
  if (m.entries.length > 0 && s.log.undurableBytes > s.config.uncommittedBytesMax) return;
  // Raft §5.3: refuse unless the log holds an entry at prevIndex whose term is prevTerm.
  if (!s.log.matchesTerm(m.prevIndex, m.prevTerm)) {
    refuse(s, from, m);
    return;
  }
  // A term within bounds proves nothing, not even of what is before the damage: the leader comes through it from its front.
  const known = s.log.provenTo(m.prevIndex);
  const seen = Math.max(s.verifiedIndex, s.seenIndex);
  if (known < m.prevIndex && seen < m.prevIndex) {
    refuseAt(s, from, m, Math.max(known, seen));
    return;
  }
  if (!sameChain(s, m.prevIndex, m.prevChainCrc)) {
    s.out.push({ type: "diverged", index: m.prevIndex });
    return;
  }
  const held = knownEntries(s, m.entries);
  if (held === -1) return;
  if (held < m.entries.length && !takeEntries(s, m, held)) return;
  const last = m.prevIndex + m.entries.length;
  // Everything up to here is this leader's log, whatever lies behind it. What lies among unknown terms is not yet.
  s.verifiedIndex = Math.max(s.verifiedIndex, s.log.provenTo(last));
  s.seenIndex = Math.max(s.seenIndex, last);
  commitAsFollower(s, m.commitIndex);
  // What the disk has not synced is answered once it has.
  if (s.log.durableIndex >= last) accept(s, from);
}

/** Equal index and term mean equal logs up to there (Log Matching); the chained checksum proves it, where it is in memory. */
function sameChain(s: RaftState, index: number, chainCrc: number): boolean {
  return !s.log.knowsEnd(index) || s.log.chainAt(index) === chainCrc;
}

/** How many of the entries the log already holds; -1 when one that it holds has other content. */
function knownEntries(s: RaftState, entries: readonly Entry[]): number {
  let known = 0;
  for (; known < entries.length; known++) {
    const entry = entries[known] as Entry;
    if (!s.log.matchesTerm(entry.index, entry.term)) break;
    if (!sameChain(s, entry.index, entry.chainCrc)) {
      s.out.push({ type: "diverged", index: entry.index });
      return -1;
    }
  }
  return known;
}

/** Appends the entries from `known` on, cutting what conflicts with the first of them. @returns false when it must not. */
function takeEntries(s: RaftState, m: AppendEntries, known: number): boolean {
  const fresh = known === 0 ? m.entries : m.entries.slice(known);
  const from = m.prevIndex + known + 1;
  // Raft §5.3: only an existing entry with another term is a conflict; a shorter or older message is none.
  if (from <= s.log.lastIndex) {
    if (from <= s.commitIndex) {
      // Leader Completeness rules this out: a disk, here or there, has lied.
      s.out.push({ type: "diverged", index: from });
      return false;
    }
    const before = m.entries[known - 1];
    cut(s, before === undefined ? endBefore(m) : endOf(before));
  }
  s.log.append(fresh);
  saveHardState(s);
  s.out.push({ type: "append", entries: fresh });
  if (s.trace.detailed) {
    s.trace.emit({ kind: "append", node: s.self, group: s.group, term: s.term, entries: fresh });
  }
  return true;
}

function endBefore(m: AppendEntries): LogEnd {
  return { index: m.prevIndex, term: m.prevTerm, chainCrc: m.prevChainCrc, pos: m.prevPos };
}

function cut(s: RaftState, end: LogEnd): void {
  assertDoesNotLead(s);
  s.log.truncate(end, s.commitIndex);
  sawNoFurther(s, end.index);
  // The damage went with what was cut.
  if (end.index <= s.intactTo) s.intactTo = Number.POSITIVE_INFINITY;
  saveHardState(s);
  s.out.push({ type: "truncate", from: end.index + 1, before: end });
  s.trace.emit({ kind: "truncate", node: s.self, group: s.group, from: end.index + 1 });
}

/** What was seen among terms within bounds is looked at anew: it may not be the leader's. */
export function learnTerms(s: RaftState, records: readonly Entry[]): void {
  const first = records[0];
  if (first === undefined) return;
  s.log.learn(records);
  sawNoFurther(s, Math.max(s.verifiedIndex, first.index - 1));
}

/** What is seen again behind `index` is told to the leader again. */
function sawNoFurther(s: RaftState, index: number): void {
  s.seenIndex = Math.min(s.seenIndex, index);
  s.assertedSeen = Math.min(s.assertedSeen, index);
}

/**
 * What this node may assert to its leader: synced, checked against that leader's log in this term, and readable: behind
 * a damaged entry it holds nothing that counts until a peer has mended that one.
 */
function matchIndexOf(s: RaftState): number {
  return Math.min(s.log.durableIndex, s.verifiedIndex, s.intactTo);
}

/** How far the leader need not send anything again, though damage may lie before it. */
function seenIndexOf(s: RaftState): number {
  return Math.min(s.log.durableIndex, s.seenIndex);
}

function accept(s: RaftState, leader: NodeId): void {
  const matchIndex = matchIndexOf(s);
  const seen = seenIndexOf(s);
  s.assertedMatch = matchIndex;
  s.assertedSeen = seen;
  tellMatch(s, matchIndex);
  send(s, leader, {
    type: "append-entries-result",
    term: s.term,
    accepted: true,
    matchIndex,
    rejectedIndex: -1,
    hintIndex: seen > matchIndex ? seen : -1,
    hintTerm: 0,
  });
}

function refuse(s: RaftState, from: NodeId, m: AppendEntries): void {
  refuseAt(s, from, m, s.log.lastIndexWithTermAtMost(m.prevIndex, m.prevTerm));
}

function refuseAt(s: RaftState, from: NodeId, m: AppendEntries, hintIndex: number): void {
  send(s, from, {
    type: "append-entries-result",
    term: s.term,
    accepted: false,
    matchIndex: -1,
    rejectedIndex: m.prevIndex,
    hintIndex,
    hintTerm: s.log.termAt(hintIndex) ?? 0,
  });
}

export function onHeartbeat(s: RaftState, from: NodeId, m: Heartbeat): void {
  if (followLeader(s, from, m.term)) commitAsFollower(s, m.commitIndex);
  // A stale leader learns the newer term from the answer.
  const matchIndex = m.term === s.term ? matchIndexOf(s) : -1;
  if (matchIndex >= 0) tellMatch(s, matchIndex);
  const answer = { type: "heartbeat-result", term: s.term, round: m.round, matchIndex } as const;
  send(s, from, s.intake === "open" ? answer : { ...answer, intake: s.intake });
}

/** The disk synced: what was verified and is durable now is acknowledged. */
export function followerSynced(s: RaftState): void {
  trimWindow(s);
  if (s.leader === "" || s.leader === s.self) return;
  if (matchIndexOf(s) > s.assertedMatch || seenIndexOf(s) > s.assertedSeen) accept(s, s.leader);
}
