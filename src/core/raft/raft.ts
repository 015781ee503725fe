import { unreachable } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import type { Micros } from "../base/units.ts";
import type { Trace } from "../io/trace.ts";
import { commitByCounting } from "./commit.ts";
import type { RaftConfig, RaftDraw } from "./config.ts";
import {
  becomeFollower,
  checkQuorum,
  electionTimeout,
  leaderLost,
  onPreVote,
  onPreVoteResult,
  onRequestVote,
  onRequestVoteResult,
  onTimeoutNow,
  ownVoteSaved,
  resetElectionTimer,
  stopTakingPart,
} from "./election.ts";
import type { Effect, Participation, RaftEvent, RaftStart } from "./event.ts";
import { followerSynced, learnTerms, onAppendEntries, onHeartbeat } from "./follower.ts";
import type { Checked } from "./invariants.ts";
import { assertOneLeader, checkStep, firstChecked } from "./invariants.ts";
import type { AppendEntriesResult, HeartbeatResult, Message } from "./message.ts";
import { Progress } from "./progress.ts";
import {
  admitEarlyReads,
  confirmReads,
  forwardAnswered,
  forwardTick,
  read,
  readForPeer,
} from "./read-index.ts";
import { handOver, noteIntake, setIntake } from "./read-only.ts";
import {
  acknowledged,
  askWhetherSeen,
  beginRound,
  leaderSynced,
  loaded,
  propose,
  pump,
  pumpAll,
  refused,
  retransmit,
  tellCommit,
  tellCommitAll,
  verifyAgain,
} from "./replication.ts";
import { counts, isVoter, RaftState, saveHardState, tellRole } from "./state.ts";
import { beginTransfer, continueTransfer, settleHandOver, transferTick } from "./transfer.ts";
import { RaftView } from "./view.ts";

export type { ProgressView, RaftView } from "./view.ts";

/**
 * One member of a Raft group as a step machine: events in, effects out; no clock, disk, socket or chance of its own.
 * Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (extended version), and Ongaro's
 * dissertation. Each rule stands in the file named after its section.
 */
export class Raft {
  readonly view: RaftView;
  private readonly state: RaftState;
  private readonly checked: Checked;

  constructor(config: RaftConfig, start: RaftStart, draw: RaftDraw, trace: Trace, group: GroupId) {
    this.state = new RaftState(config, start, draw, trace, group);
    this.checked = firstChecked(this.state);
    this.view = new RaftView(this.state);
  }

  /** Takes one event. Effects are appended to `out` in the order in which they are to be carried out. */
  step(event: RaftEvent, out: Effect[]): void {
    const s = this.state;
    s.now = event.now;
    s.out = out;
    this.take(event);
    saveHardState(s);
    checkStep(s, this.checked);
  }

  private take(event: RaftEvent): void {
    const s = this.state;
    switch (event.type) {
      case "receive":
        if (event.from !== s.self && isVoter(s, event.from)) this.receive(event.from, event.message);
        return;
      case "propose":
        propose(s, event.request, event.contents, event.more ?? false);
        return;
      case "flush":
        pumpAll(s);
        return;
      case "synced":
        this.synced(event.index);
        return;
      case "saved":
        ownVoteSaved(s);
        return;
      case "tick":
        this.tick();
        return;
      case "start":
        this.start();
        return;
      case "loaded":
        this.loaded(event.peer, event.before, event.entries);
        return;
      case "read":
        read(s, event.request);
        return;
      case "transfer":
        beginTransfer(s, event.request, event.to);
        return;
      case "peer-lost":
        this.peerLost(event.peer);
        return;
      case "peer-up":
        this.peerUp(event.peer);
        return;
      case "peer-counts":
        this.peerCounts(event.peer, event.counts);
        return;
      case "intake":
        setIntake(s, event.intake);
        return;
      case "learned":
        learnTerms(s, event.records);
        return;
      case "participation":
        this.participate(event.participation, event.intactTo ?? Number.POSITIVE_INFINITY);
        return;
      default:
        unreachable(event);
    }
  }

  private receive(from: NodeId, m: Message): void {
    const s = this.state;
    switch (m.type) {
      case "append-entries":
        if (m.term === s.term) assertOneLeader(s);
        onAppendEntries(s, from, m);
        return;
      case "append-entries-result":
        this.appendAnswered(from, m);
        return;
      case "heartbeat":
        if (m.term === s.term) assertOneLeader(s);
        onHeartbeat(s, from, m);
        return;
      case "heartbeat-result":
        this.heartbeatAnswered(from, m);
        return;
      case "pre-vote":
        onPreVote(s, from, m);
        return;
      case "pre-vote-result":
        onPreVoteResult(s, from, m);
        return;
      case "request-vote":
        onRequestVote(s, from, m);
        return;
      case "request-vote-result":
        onRequestVoteResult(s, from, m);
        return;
      case "timeout-now":
        onTimeoutNow(s, from, m.term);
        return;
      case "read-index":
        this.stepDownBefore(m.term);
        readForPeer(s, from, m.request);
        return;
      case "read-index-result":
        forwardAnswered(s, from, m);
        return;
      default:
        unreachable(m);
    }
  }

  /** Raft §5.1: a newer term in any answer makes a leader or candidate a follower of that term. */
  private stepDownBefore(term: number): void {
    const s = this.state;
    if (term <= s.term) return;
    becomeFollower(s, term, "", "higher-term");
  }

  /** The progress of a follower that answered in this leader's term; a late answer of another term never counts. */
  private answeredBy(from: NodeId, term: number): Progress | undefined {
    const s = this.state;
    this.stepDownBefore(term);
    if (s.role !== "leader" || term !== s.term) return undefined;
    const progress = s.progress.get(from);
    if (progress !== undefined) progress.heardAt = s.now;
    return progress;
  }

  private appendAnswered(from: NodeId, m: AppendEntriesResult): void {
    const progress = this.answeredBy(from, m.term);
    if (progress === undefined) return;
    if (!m.accepted) return refused(this.state, progress, m);
    // The follower agrees, though damage may keep it from vouching: what conflicts behind that is cut by entries alone.
    progress.refused = false;
    // Were it all in flight until it is mended, a window full of it would keep back the very entry that conflicts.
    if (m.hintIndex <= this.state.log.lastIndex) progress.seen(m.hintIndex, this.state.now);
    progress.vouched = m.matchIndex;
    this.acknowledge(progress, m.matchIndex);
  }

  private heartbeatAnswered(from: NodeId, m: HeartbeatResult): void {
    const s = this.state;
    const progress = this.answeredBy(from, m.term);
    if (progress === undefined) return;
    if (m.round > progress.roundAcked && m.round <= s.round) {
      progress.roundAcked = m.round;
      if (s.reads.length > 0) confirmReads(s);
    }
    if (m.matchIndex >= 0) this.acknowledge(progress, m.matchIndex);
    if (m.matchIndex !== progress.vouched) verifyAgain(s, progress, m.matchIndex);
    else if (m.matchIndex === -1) askWhetherSeen(s, progress);
    progress.vouched = m.matchIndex;
    noteIntake(s, from, m.intake ?? "open");
    handOver(s);
  }

  private acknowledge(progress: Progress, matchIndex: number): void {
    const s = this.state;
    if (acknowledged(s, progress, matchIndex)) {
      this.commit();
      continueTransfer(s, progress);
    }
    pump(s, progress);
    tellCommit(s, progress);
  }

  /** A match grew, a follower's or the leader's own. */
  private commit(): void {
    const s = this.state;
    if (!commitByCounting(s)) return;
    handOver(s);
    admitEarlyReads(s);
    pumpAll(s);
    tellCommitAll(s);
  }

  private synced(index: number): void {
    const s = this.state;
    if (!s.log.synced(index)) return;
    if (s.role === "leader") {
      leaderSynced(s);
      this.commit();
    } else {
      followerSynced(s);
    }
  }

  private loaded(peer: NodeId, before: LogEnd, entries: readonly Entry[]): void {
    const progress = this.state.progress.get(peer);
    if (progress !== undefined && progress.loadFirst !== -1) loaded(this.state, progress, before, entries);
  }

  private start(): void {
    const s = this.state;
    resetElectionTimer(s);
    // Nobody else could be leading: a group of one does not wait.
    if (s.peers.length === 0) s.electionDeadline = s.now;
    tellRole(s, "start");
  }

  private tick(): void {
    const s = this.state;
    if (s.role !== "leader") {
      forwardTick(s);
      settleHandOver(s);
      if (s.now >= s.electionDeadline) electionTimeout(s);
      return;
    }
    if (s.now >= s.quorumDeadline) checkQuorum(s);
    if (s.role !== "leader") return;
    if (s.now >= s.heartbeatDeadline) beginRound(s);
    retransmit(s);
    transferTick(s);
  }

  private peerLost(peer: NodeId): void {
    const s = this.state;
    if (s.role === "follower" && peer === s.leader) leaderLost(s);
    const progress = s.progress.get(peer);
    if (progress !== undefined) progress.pause(progress.matchIndex + 1, s.now);
  }

  private peerUp(peer: NodeId): void {
    const s = this.state;
    const progress = s.progress.get(peer);
    if (progress === undefined) return;
    progress.toProbe(progress.matchIndex + 1);
    pump(s, progress);
  }

  private peerCounts(peer: NodeId, peerCounts: boolean): void {
    const s = this.state;
    if (counts(s, peer) === peerCounts) return;
    if (peerCounts) s.uncounted.delete(peer);
    else s.uncounted.add(peer);
    if (!s.progress.has(peer)) return;
    // Another directory answers from now on: nothing that the one before asserted holds for it.
    const progress = new Progress(peer, s.log.lastIndex + 1, s.now, s.config.inFlightMessagesMax);
    s.progress.set(peer, progress);
    pump(s, progress);
  }

  private participate(participation: Participation, intactTo: number): void {
    const s = this.state;
    s.intactTo = intactTo;
    s.participation = participation;
    if (participation === "none") stopTakingPart(s);
  }

  /** When the next `tick` is due, of the monotonic clock; Infinity for never. A tick that comes early or late is harmless. */
  deadline(): Micros {
    const s = this.state;
    if (s.role !== "leader") {
      const { forwarded, handedOver } = s;
      const due = Math.min(s.electionDeadline, handedOver?.deadline ?? Number.POSITIVE_INFINITY);
      return forwarded === undefined ? due : Math.min(due, forwarded.deadline, forwarded.resendAt);
    }
    let earliest = Math.min(s.heartbeatDeadline, s.quorumDeadline);
    for (const progress of s.progress.values()) {
      earliest = Math.min(earliest, progress.waitingSince + s.config.retransmitTimeout);
    }
    if (s.transfer !== undefined) earliest = Math.min(earliest, s.transfer.deadline, s.transfer.sendAt);
    return earliest;
  }

  /** The term of any entry of the log; 0 for -1, undefined beyond the end. */
  termAt(index: number): number | undefined {
    return this.state.log.termAt(index);
  }

  /**
   * Entries from `first` on out of the memory: at least one if there is one, then up to `bytesMax`.
   * @returns undefined if `first` has left the window (the disk has it), an empty list if it lies beyond the end.
   */
  entriesFrom(first: number, bytesMax: number): readonly Entry[] | undefined {
    const { log } = this.state;
    if (first < log.windowFirst) return undefined;
    return first > log.lastIndex ? [] : log.slice(first, bytesMax, Number.MAX_SAFE_INTEGER);
  }
}
