import type { NodeId } from "../base/brand.ts";
import type { FaultCode } from "../base/errors.ts";
import { quorumValue } from "../base/quorum.ts";
import type { ReadIndexResult } from "./message.ts";
import type { Progress } from "./progress.ts";
import { beginRound } from "./replication.ts";
import type { RaftState } from "./state.ts";
import { fillReached, send, tellBacklog } from "./state.ts";

/** How far apart the first numbers are that chance gives. */
const forwardsApart = 2 ** 20;

/** Linearizable reads without a log entry. Source: Raft §8; dissertation §6.4. */

export function read(s: RaftState, request: number): void {
  if (pendingReads(s) >= s.config.pendingReadsMax) refuse(s, "", request, "pending-full");
  else if (s.role === "leader") admit(s, "", request);
  else if (s.leader === "") refuse(s, "", request, "unavailable");
  else {
    s.readsToForward.push(request);
    if (s.forwarded === undefined) forward(s);
  }
  tellPending(s);
}

/** A follower asks on behalf of its clients. */
export function readForPeer(s: RaftState, from: NodeId, request: number): void {
  if (s.role !== "leader") refuse(s, from, request, "not-leader");
  else if (pendingReads(s) >= s.config.pendingReadsMax) refuse(s, from, request, "pending-full");
  else admit(s, from, request);
  tellPending(s);
}

export function pendingReads(s: RaftState): number {
  return s.earlyReads.length + s.reads.length + s.readsToForward.length + (s.forwarded?.requests.length ?? 0);
}

function tellPending(s: RaftState): void {
  tellBacklog(s, s.mostReads, { what: "reads", size: pendingReads(s), last: 1 });
}

function refuse(s: RaftState, from: NodeId | "", request: number, code: FaultCode): void {
  if (from === "") s.out.push({ type: "read-failed", request, code });
  else send(s, from, { type: "read-index-result", term: s.term, request, index: -1 });
}

function admit(s: RaftState, from: NodeId | "", request: number): void {
  if (s.commitIndex < s.termStart) {
    // Raft §8: until an entry of its own term is committed, a leader does not know which entries are.
    s.earlyReads.push({ from, request });
    return;
  }
  const idle = s.reads.length === 0;
  // A round that is out was begun before this read and proves nothing about it: only the next one does.
  s.reads.push({ from, request, index: s.commitIndex, round: s.round + 1 });
  if (idle) {
    beginRound(s);
    confirmReads(s);
  }
}

/** The leader committed: reads that waited for the first commit of the term are admitted. */
export function admitEarlyReads(s: RaftState): void {
  if (s.earlyReads.length === 0 || s.commitIndex < s.termStart) return;
  const early = s.earlyReads;
  s.earlyReads = [];
  for (const { from, request } of early) admit(s, from, request);
}

function roundOf(progress: Progress): number {
  return progress.roundAcked;
}

/** Answers the reads whose round a majority has answered, and begins the round of those that came meanwhile. */
export function confirmReads(s: RaftState): void {
  while (s.reads.length > 0) {
    const confirmed = quorumValue(fillReached(s, s.round, 0, roundOf));
    const before = s.reads.length;
    const waiting = s.reads.findIndex((pending) => pending.round > confirmed);
    const ready = s.reads.splice(0, waiting === -1 ? before : waiting);
    for (const pending of ready) answer(s, pending.from, pending.request, pending.index);
    const next = s.reads[0];
    if (next === undefined || next.round <= s.round) return;
    beginRound(s);
  }
}

function answer(s: RaftState, from: NodeId | "", request: number, index: number): void {
  if (from === "") ready(s, request, index);
  else send(s, from, { type: "read-index-result", term: s.term, request, index });
}

function ready(s: RaftState, request: number, index: number): void {
  s.out.push({ type: "read-ready", request, index });
  if (s.trace.detailed) s.trace.emit({ kind: "read", node: s.self, group: s.group, term: s.term, index });
}

/** Asks the leader once for all the reads that wait. */
function forward(s: RaftState): void {
  if (s.readsToForward.length === 0 || s.leader === "") return;
  s.lastForward = s.lastForward === 0 ? firstForward(s) : s.lastForward + 1;
  const deadline = s.now + s.config.electionTimeoutMax;
  const resendAt = s.now + s.config.heartbeatInterval;
  s.forwarded = { id: s.lastForward, requests: s.readsToForward, deadline, resendAt };
  s.readsToForward = [];
  send(s, s.leader, { type: "read-index", term: s.term, request: s.lastForward });
}

/**
 * A late answer to a question of this node's life before its restart is told apart by its number. The clock alone would not
 * do: it may count from the start of the process.
 */
function firstForward(s: RaftState): number {
  const drawn = s.draw(s.draws);
  s.draws += 1;
  return drawn * forwardsApart + s.now;
}

/** The leader's answer to a forwarded read. */
export function forwardAnswered(s: RaftState, from: NodeId, m: ReadIndexResult): void {
  const forwarded = s.forwarded;
  if (forwarded === undefined || forwarded.id !== m.request || from !== s.leader || m.term !== s.term) return;
  s.forwarded = undefined;
  for (const request of forwarded.requests) {
    if (m.index === -1) refuse(s, "", request, "unavailable");
    else ready(s, request, m.index);
  }
  forward(s);
}

/** Repeats a question whose answer may be lost, and gives up when it is too old. */
export function forwardTick(s: RaftState): void {
  const forwarded = s.forwarded;
  if (forwarded === undefined) return;
  if (s.now >= forwarded.deadline) {
    s.forwarded = undefined;
    for (const request of forwarded.requests) refuse(s, "", request, "unavailable");
    forward(s);
  } else if (s.now >= forwarded.resendAt && s.leader !== "") {
    forwarded.resendAt = s.now + s.config.heartbeatInterval;
    send(s, s.leader, { type: "read-index", term: s.term, request: forwarded.id });
  }
}

/** This node stopped leading, or its leader changed: nothing that waits can be confirmed any more. */
export function failReads(s: RaftState): void {
  const early = s.earlyReads;
  const reads = s.reads;
  const forwarded = s.forwarded?.requests ?? [];
  const waiting = s.readsToForward;
  s.earlyReads = [];
  s.reads = [];
  s.forwarded = undefined;
  s.readsToForward = [];
  const count = early.length + reads.length;
  if (count > 0) s.trace.emit({ kind: "reads-aborted", node: s.self, group: s.group, term: s.term, count });
  for (const { from, request } of early) refuse(s, from, request, "not-leader");
  for (const { from, request } of reads) refuse(s, from, request, "not-leader");
  for (const request of forwarded) refuse(s, "", request, "not-leader");
  for (const request of waiting) refuse(s, "", request, "not-leader");
}
