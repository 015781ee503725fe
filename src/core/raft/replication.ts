import type { Entry, EntryContent, LogEnd } from "../base/entry.ts";
import { encodeEntries, entryBodyBytesMax, recordBytes } from "../base/entry.ts";
import type { FaultCode } from "../base/errors.ts";
import { trimWindow } from "./commit.ts";
import type { AppendEntriesResult } from "./message.ts";
import { Progress } from "./progress.ts";
import { majorityHasRoom } from "./room.ts";
import type { RaftState } from "./state.ts";
import { saveHardState, send, tellBacklog, tellMatch } from "./state.ts";

/** The leader's side of Raft §5.3; the follower's is in `follower.ts`. */

const noEntries: readonly Entry[] = [];

/** Begins to lead: reinitialises what is known of the followers and appends the no-op of the term. */
export function startLeading(s: RaftState): void {
  s.progress.clear();
  s.round = 0;
  for (const peer of s.peers) {
    s.progress.set(peer, new Progress(peer, s.log.lastIndex + 1, s.now, s.config.inFlightMessagesMax));
  }
  s.termStart = s.log.lastIndex + 1;
  s.quorumDeadline = s.now + s.config.electionTimeoutMax;
  // Raft §8: a blank no-op at the start of the term, so that the leader finds out which entries are committed.
  appendContents(s, [{ kind: "no-op", body: new Uint8Array(0), session: 0, sequence: 0 }]);
  beginRound(s);
  pumpAll(s);
}

function appendContents(s: RaftState, contents: readonly EntryContent[]): readonly Entry[] {
  const { log } = s;
  const end = { index: log.lastIndex, term: log.lastTerm, chainCrc: log.chainCrc, pos: log.endPos };
  const entries = encodeEntries(end, s.term, contents, s.space);
  log.append(entries);
  saveHardState(s);
  s.out.push({ type: "append", entries });
  if (s.trace.detailed) {
    s.trace.emit({ kind: "append", node: s.self, group: s.group, term: s.term, entries });
  }
  return entries;
}

/** Appends a proposal or refuses the whole of it. With `more` to come in this turn, sending waits for `flush`. */
export function propose(
  s: RaftState,
  request: number,
  contents: readonly EntryContent[],
  more: boolean,
): void {
  const refusal = refusalOf(s, contents);
  if (refusal === undefined) {
    s.out.push({ type: "proposed", request, entries: appendContents(s, contents) });
    const size = s.log.endPos - s.committedPos;
    tellBacklog(s, s.mostUncommittedBytes, { what: "uncommitted-bytes", size, last: 0 });
  } else s.out.push({ type: "propose-failed", request, code: refusal });
  if (!more) pumpAll(s);
}

function refusalOf(s: RaftState, contents: readonly EntryContent[]): FaultCode | undefined {
  if (s.role !== "leader") return "not-leader";
  // Dissertation §3.10: the leader stops accepting client requests while it hands over.
  if (s.transfer !== undefined) return "leader-transferring";
  if (s.intake === "read-only") return "read-only";
  if (s.intake === "full" || !majorityHasRoom(s)) return "disk-full";
  let bytes = s.log.endPos - s.committedPos;
  for (const content of contents) {
    if (content.body.length > entryBodyBytesMax) return "entry-too-large";
    bytes += recordBytes(content);
  }
  const entries = s.log.lastIndex - s.commitIndex + contents.length;
  const { uncommittedBytesMax, uncommittedEntriesMax } = s.config;
  return bytes > uncommittedBytesMax || entries > uncommittedEntriesMax ? "pending-full" : undefined;
}

/** Sends every follower what it may be sent. */
export function pumpAll(s: RaftState): void {
  for (const progress of s.progress.values()) pump(s, progress);
}

export function pump(s: RaftState, p: Progress): void {
  while (p.loadFirst === -1) {
    if (p.state === "probe") {
      if (!p.probeSent) sendNext(s, p);
      return;
    }
    if (p.nextIndex > s.log.lastIndex || p.inFlightFull || !sendNext(s, p)) return;
  }
}

/** Sends the entries from nextIndex on, or asks the disk for them. @returns whether a message left. */
function sendNext(s: RaftState, p: Progress): boolean {
  const { log, config } = s;
  const previous = p.nextIndex - 1;
  const roomBytes = config.inFlightBytesMax - p.inFlightBytes;
  if (!log.knowsEnd(previous)) {
    // How large the entries are is not known before they are read: one full message must fit.
    if (p.inFlightCount > 0 && roomBytes < config.messageBytesMax) return false;
    p.loadFirst = p.nextIndex;
    // A guess needs only the end of what is before it.
    const bytes = travelsBare(s, p) ? 1 : Math.min(roomBytes, config.messageBytesMax);
    s.out.push({ type: "load", peer: p.peer, first: p.nextIndex, bytes });
    return false;
  }
  if (p.inFlightCount > 0) {
    // Many small messages instead of a few full ones are worth the wait for one more answer.
    const pending = log.endPos - log.posAfter(previous);
    const first = log.entryAt(p.nextIndex)?.size ?? 0;
    if (roomBytes < Math.max(first, Math.min(pending, config.messageBytesMax))) return false;
  }
  const bytesMax = Math.min(roomBytes, config.messageBytesMax);
  const entries = travelsBare(s, p) ? noEntries : log.slice(p.nextIndex, bytesMax, config.messageEntriesMax);
  sendAppend(
    s,
    p,
    previous,
    log.termAt(previous) ?? 0,
    log.chainAt(previous),
    log.posAfter(previous),
    entries,
  );
  return true;
}

/** A guess where the logs agree that was refused once, or whose receiver is silent, carries no entries. */
function travelsBare(s: RaftState, p: Progress): boolean {
  return p.state === "probe" && (p.refused || s.now - p.heardAt >= s.config.electionTimeoutMax);
}

function sendAppend(
  s: RaftState,
  p: Progress,
  prevIndex: number,
  prevTerm: number,
  prevChainCrc: number,
  prevPos: number,
  entries: readonly Entry[],
): void {
  p.commitSent = s.commitIndex;
  if (p.state === "probe") {
    p.probeSent = true;
    p.waitingSince = s.now;
  } else {
    const last = entries[entries.length - 1];
    if (last !== undefined) {
      const bytes = last.pos + last.size - prevPos;
      p.sent(last.index, bytes, s.now);
      tellBacklog(s, p.mostInFlightBytes, { what: "in-flight-bytes", size: p.inFlightBytes, last: bytes });
    }
  }
  send(s, p.peer, {
    type: "append-entries",
    term: s.term,
    prevIndex,
    prevTerm,
    prevChainCrc,
    prevPos,
    commitIndex: s.commitIndex,
    entries,
  });
}

/** Entries that were asked of the disk for a follower. */
export function loaded(s: RaftState, p: Progress, before: LogEnd, entries: readonly Entry[]): void {
  const first = p.loadFirst;
  p.loadFirst = -1;
  const fits =
    first === p.nextIndex &&
    before.index === first - 1 &&
    s.log.termAt(before.index) === before.term &&
    entries.every((entry) => s.log.termAt(entry.index) === entry.term);
  if (first !== p.nextIndex) {
    // An answer moved nextIndex meanwhile: ask for what is needed now.
    pump(s, p);
  } else if (fits && entries.length > 0) {
    const taken =
      entries.length > s.config.messageEntriesMax ? entries.slice(0, s.config.messageEntriesMax) : entries;
    if (p.state === "replicate" || !p.probeSent) {
      sendAppend(
        s,
        p,
        before.index,
        before.term,
        before.chainCrc,
        before.pos,
        travelsBare(s, p) ? noEntries : taken,
      );
    }
    pump(s, p);
  } else {
    p.pause(Math.max(p.nextIndex, p.matchIndex + 1), s.now);
  }
}

/** An acknowledgement, from AppendEntries or a heartbeat. @returns whether a match grew. */
export function acknowledged(s: RaftState, p: Progress, matchIndex: number): boolean {
  // Nobody holds more of this log than its leader; such an answer was not meant for it.
  if (matchIndex > s.log.lastIndex) return false;
  return p.accepted(matchIndex, s.now);
}

/** Raft §5.3, last paragraphs: steps back over whole terms to where the logs may agree. */
export function refused(s: RaftState, p: Progress, m: AppendEntriesResult): void {
  if (!p.isFreshRefusal(m.rejectedIndex)) return;
  // The follower's last index of a term up to prevTerm came back; the leader's own last one up to that term is the next guess.
  const guess = s.log.lastIndexWithTermAtMost(Math.min(m.hintIndex, m.rejectedIndex), m.hintTerm);
  const agreed = m.rejectedIndex > p.matchIndex ? Math.max(guess, p.matchIndex) : guess;
  p.toProbe(agreed + 1);
  p.refused = agreed !== p.matchIndex;
  pump(s, p);
}

/** Begins a heartbeat round: every follower is asked whether it still follows. */
export function beginRound(s: RaftState): void {
  s.round += 1;
  s.heartbeatDeadline = s.now + s.config.heartbeatInterval;
  for (const progress of s.progress.values()) sendHeartbeat(s, progress);
}

function sendHeartbeat(s: RaftState, p: Progress): void {
  // Never beyond what the follower is known to hold, so it may obey without a log check.
  const commitIndex = Math.min(s.commitIndex, p.matchIndex);
  p.commitSent = Math.max(p.commitSent, commitIndex);
  send(s, p.peer, { type: "heartbeat", term: s.term, commitIndex, round: s.round });
}

/** Tells a follower the commit index if nothing that just left did, so that its readers need not wait for a heartbeat. */
export function tellCommit(s: RaftState, p: Progress): void {
  if (p.commitSent < Math.min(s.commitIndex, p.matchIndex)) sendHeartbeat(s, p);
}

export function tellCommitAll(s: RaftState): void {
  for (const progress of s.progress.values()) tellCommit(s, progress);
}

/** A heartbeat's answer shows that the follower forgot what it had verified (it restarted): ask again where the logs agree. */
export function verifyAgain(s: RaftState, p: Progress, matchIndex: number): void {
  if (matchIndex >= p.matchIndex || p.state === "probe" || p.inFlightCount > 0) return;
  p.toProbe(p.matchIndex + 1);
  pump(s, p);
}

/**
 * A log that is damaged from its first entry on vouches for nothing, before its node starts anew and after. Whether it still
 * knows what it had looked at only a message without entries tells: a follower that forgot, or was mended, answers otherwise.
 */
export function askWhetherSeen(s: RaftState, p: Progress): void {
  if (p.state === "probe" || p.inFlightCount > 0 || p.nextIndex === 0) return;
  p.toProbe(p.nextIndex);
  p.refused = true;
  pump(s, p);
}

/** Sends again what was not answered in time. */
export function retransmit(s: RaftState): void {
  for (const p of s.progress.values()) {
    if (s.now - p.waitingSince < s.config.retransmitTimeout) continue;
    if (p.state === "replicate") {
      p.toProbe(p.matchIndex + 1);
    } else {
      p.probeSent = false;
      p.waitingSince = s.now;
    }
    pump(s, p);
  }
}

/** The leader's own disk synced. */
export function leaderSynced(s: RaftState): void {
  tellMatch(s, s.log.durableIndex);
  trimWindow(s);
}
