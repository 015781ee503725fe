import type { NodeId } from "../base/brand.ts";
import { majority, quorumValue } from "../base/quorum.ts";
import { isAsComplete } from "./log.ts";
import type { PreVote, PreVoteResult, RequestVote, RequestVoteResult } from "./message.ts";
import type { Progress } from "./progress.ts";
import { failReads } from "./read-index.ts";
import { awaitsObjections, givesWay, objectsTo } from "./read-only.ts";
import { startLeading } from "./replication.ts";
import type { RaftState } from "./state.ts";
import { counts, fillReached, forgetCompared, mayVote, send, tellOwnVote, tellRole } from "./state.ts";
import { leaveTransfer, settleHandOver } from "./transfer.ts";

/** Raft §5.2 and §5.4.1; dissertation §4.2.3 (disruptive servers) and §9.6 (pre-vote). */

function drawWithin(s: RaftState, low: number, high: number): number {
  const draw = s.draw(s.draws);
  s.draws += 1;
  return low + (draw % (high - low + 1));
}

/** Raft §5.2: a new random timeout each time, so that split votes are rare and soon resolved. */
export function resetElectionTimer(s: RaftState): void {
  s.hinted = false;
  s.electionDeadline = s.now + drawWithin(s, s.config.electionTimeoutMin, s.config.electionTimeoutMax);
}

/** The connection to the known leader broke: forget the last contact and ask the others soon. */
export function leaderLost(s: RaftState): void {
  s.leaderHeardAt = Number.NEGATIVE_INFINITY;
  s.hinted = true;
  s.electionDeadline = Math.min(s.electionDeadline, s.now + drawWithin(s, 0, s.config.hintDelayMax));
}

/** The current leader was heard: its message is of this term. */
export function leaderHeard(s: RaftState): void {
  s.leaderHeardAt = s.now;
  s.yields = 0;
  resetElectionTimer(s);
}

/** Whether there is a live leader, so that nobody else's campaign is to be helped (dissertation §4.2.3). */
function hearsLeader(s: RaftState): boolean {
  if (s.role === "leader") return true;
  return s.leader !== "" && s.now - s.leaderHeardAt < s.config.electionTimeoutMin;
}

/** Takes over a term that is not older than the own, as a follower of `leader` ("" while unknown). */
export function becomeFollower(s: RaftState, term: number, leader: NodeId | "", reason: string): void {
  const raised = term > s.term;
  if (!raised && s.role === "follower" && s.leader === leader) return;
  if (raised) {
    s.term = term;
    s.votedFor = "";
    s.hardStateChanged = true;
    forgetCompared(s);
  }
  const led = s.role === "leader";
  s.role = "follower";
  s.leader = leader;
  s.votes.clear();
  if (led) stopLeading(s, raised);
  settleHandOver(s);
  failReads(s);
  tellRole(s, reason);
}

function stopLeading(s: RaftState, raised: boolean): void {
  leaveTransfer(s, raised);
  s.progress.clear();
  s.termStart = -1;
  s.heartbeatDeadline = Number.POSITIVE_INFINITY;
  s.quorumDeadline = Number.POSITIVE_INFINITY;
  // A leader runs no election timer. Its log was its own, so nothing of it was verified against another's.
  resetElectionTimer(s);
}

/** The election timer fired. */
export function electionTimeout(s: RaftState): void {
  const reason = s.hinted ? "hint" : "timeout";
  resetElectionTimer(s);
  if (!mayVote(s)) becomeFollower(s, s.term, "", "timeout");
  // It waited for objections, and none came.
  else if (s.role === "pre-candidate" && wonBy(s)) campaign(s, false, "quorum");
  else preCampaign(s, reason);
}

/** Dissertation §9.6: asks whether a campaign could be won before raising the term. */
function preCampaign(s: RaftState, reason: string): void {
  s.role = "pre-candidate";
  s.leader = "";
  failReads(s);
  s.votes.clear();
  s.votes.add(s.self);
  tellRole(s, reason);
  if (wonBy(s)) {
    campaign(s, false, "quorum");
    return;
  }
  const { lastIndex, lastTerm } = s.log;
  const question = { type: "pre-vote", term: s.term + 1, lastIndex, lastTerm } as const;
  for (const peer of s.peers) send(s, peer, s.intake === "open" ? question : { ...question, yields: true });
}

/** Raft §5.2: a new term, a vote for itself, and the question to everybody. */
export function campaign(s: RaftState, transfer: boolean, reason: string): void {
  s.term += 1;
  s.votedFor = s.self;
  s.hardStateChanged = true;
  forgetCompared(s);
  s.role = "candidate";
  s.leader = "";
  failReads(s);
  // Its own vote is counted by `ownVoteSaved`: a vote that a crash could undo is none.
  s.votes.clear();
  resetElectionTimer(s);
  tellRole(s, reason);
  const { term } = s;
  const { lastIndex, lastTerm } = s.log;
  for (const peer of s.peers) send(s, peer, { type: "request-vote", term, lastIndex, lastTerm, transfer });
}

/** Term and vote are durable: a candidate's own vote counts from now on. */
export function ownVoteSaved(s: RaftState): void {
  if (s.role !== "candidate" || s.votes.has(s.self)) return;
  s.votes.add(s.self);
  tellOwnVote(s);
  if (wonBy(s)) becomeLeader(s);
}

function wonBy(s: RaftState): boolean {
  let votes = 0;
  for (const voter of s.voters) if (s.votes.has(voter) && counts(s, voter)) votes += 1;
  return votes >= majority(s.voters.length);
}

function becomeLeader(s: RaftState): void {
  s.role = "leader";
  s.leader = s.self;
  s.votes.clear();
  s.electionDeadline = Number.POSITIVE_INFINITY;
  settleHandOver(s);
  tellRole(s, "quorum");
  startLeading(s);
}

/** Whether this node's vote of the current term is free for, or already given to, `candidate`. */
function voteIsFree(s: RaftState, candidate: NodeId): boolean {
  return (s.votedFor === "" && s.leader === "") || s.votedFor === candidate;
}

export function onPreVote(s: RaftState, from: NodeId, m: PreVote): void {
  const objects = !hearsLeader(s) && objectsTo(s, m);
  const granted =
    mayVote(s) &&
    counts(s, from) &&
    (m.term > s.term || (m.term === s.term && voteIsFree(s, from))) &&
    !hearsLeader(s) &&
    !objects &&
    isAsComplete(m, s.log);
  const answer = { type: "pre-vote-result", term: granted ? m.term : s.term, granted } as const;
  send(s, from, objects ? { ...answer, objects: true } : answer);
  // Whoever would rather lead itself does not wait long.
  if (objects && s.role === "follower") leaderLost(s);
}

export function onPreVoteResult(s: RaftState, from: NodeId, m: PreVoteResult): void {
  if (!m.granted) {
    // A refusal carries the refuser's term: a node that is behind learns it here, or it would ask for ever.
    if (m.term > s.term) becomeFollower(s, m.term, "", "higher-term");
    else if (m.objects === true && givesWay(s)) becomeFollower(s, s.term, "", "yields");
    return;
  }
  if (s.role !== "pre-candidate" || m.term !== s.term + 1) return;
  s.votes.add(from);
  if (wonBy(s) && !awaitsObjections(s)) campaign(s, false, "quorum");
}

export function onRequestVote(s: RaftState, from: NodeId, m: RequestVote): void {
  if (m.term > s.term) {
    // Dissertation §4.2.3: within the minimum election timeout of a leader's message, neither term nor vote changes.
    if (!m.transfer && hearsLeader(s)) return;
    if (!counts(s, from)) {
      send(s, from, { type: "request-vote-result", term: s.term, granted: false });
      return;
    }
    becomeFollower(s, m.term, "", m.transfer ? "transfer" : "higher-term");
  }
  const granted =
    m.term === s.term && mayVote(s) && counts(s, from) && voteIsFree(s, from) && isAsComplete(m, s.log);
  if (granted) vote(s, from);
  else {
    const why = isAsComplete(m, s.log) ? "other" : "log";
    s.trace.emit({ kind: "vote-refused", node: s.self, group: s.group, term: m.term, candidate: from, why });
  }
  send(s, from, { type: "request-vote-result", term: s.term, granted });
}

function vote(s: RaftState, candidate: NodeId): void {
  if (s.votedFor !== candidate) {
    s.votedFor = candidate;
    s.hardStateChanged = true;
  }
  // A pre-candidate that votes for somebody else gives its own campaign up.
  if (s.role === "pre-candidate") becomeFollower(s, s.term, "", "voted");
  resetElectionTimer(s);
}

export function onRequestVoteResult(s: RaftState, from: NodeId, m: RequestVoteResult): void {
  if (m.term > s.term) {
    becomeFollower(s, m.term, "", "higher-term");
    return;
  }
  if (s.role !== "candidate" || m.term !== s.term || !m.granted) return;
  s.votes.add(from);
  if (wonBy(s)) becomeLeader(s);
}

/** Dissertation §3.10: the leader asks this node to campaign at once; the vote rules decide the rest. */
export function onTimeoutNow(s: RaftState, from: NodeId, term: number): void {
  if (term > s.term) becomeFollower(s, term, from, "leader");
  if (term !== s.term || s.role !== "follower" || from !== s.leader || !mayVote(s)) return;
  // It stopped taking entries meanwhile: as leader it would only hand over again.
  if (s.intake !== "open") return;
  campaign(s, true, "transfer");
}

function heardAt(progress: Progress): number {
  return progress.heardAt;
}

/** Check-quorum: a leader that a majority has not answered for an election timeout steps down (dissertation §6.2). */
export function checkQuorum(s: RaftState): void {
  const lastHeard = quorumValue(fillReached(s, s.now, Number.NEGATIVE_INFINITY, heardAt));
  s.quorumDeadline = lastHeard + s.config.electionTimeoutMax;
  if (s.now >= s.quorumDeadline) becomeFollower(s, s.term, "", "check-quorum");
}

/** Self stopped taking part: it leads and campaigns no more. */
export function stopTakingPart(s: RaftState): void {
  if (s.role !== "follower") becomeFollower(s, s.term, "", "participation");
}

/** A message of `term` from a peer that leads it. @returns whether the peer is this node's leader now. */
export function followLeader(s: RaftState, from: NodeId, term: number): boolean {
  if (term < s.term || (term === s.term && s.role === "leader")) return false;
  becomeFollower(s, term, from, "leader");
  leaderHeard(s);
  return true;
}
