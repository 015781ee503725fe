import type { GroupId, NodeId } from "../base/brand.ts";
import { BlockSpace } from "../base/bytes.ts";
import { HighWater } from "../base/high-water.ts";
import type { Micros } from "../base/units.ts";
import { kibibyte } from "../base/units.ts";
import type { BacklogEvent, Intake, Role, Trace } from "../io/trace.ts";
import type { RaftConfig, RaftDraw } from "./config.ts";
import type { Effect, Participation, RaftStart } from "./event.ts";
import { RaftLog } from "./log.ts";
import type { Message } from "./message.ts";
import type { Progress } from "./progress.ts";

/** Of the blocks that small records share. */
const recordBlockBytes = 16 * kibibyte;

/** A linearizable read that waits for its heartbeat round at the leader. */
export interface PendingRead {
  /** Who asked: a follower, or "" for a client of this node. */
  readonly from: NodeId | "";
  readonly request: number;
  /** commitIndex when the read was admitted. */
  readonly index: number;
  /** The heartbeat round, begun after the read, that confirms it. */
  readonly round: number;
}

/** Reads that were forwarded to the leader in one message. */
export interface ForwardedReads {
  readonly id: number;
  readonly requests: readonly number[];
  readonly deadline: Micros;
  resendAt: Micros;
}

export interface Transfer {
  readonly request: number;
  readonly to: NodeId;
  readonly deadline: Micros;
  /** When TimeoutNow is sent (again); Infinity while the target is behind. */
  sendAt: Micros;
}

/** All that a group member knows: one mutable record that the files of this folder share. */
export class RaftState {
  readonly config: RaftConfig;
  readonly self: NodeId;
  readonly group: GroupId;
  readonly draw: RaftDraw;
  readonly trace: Trace;
  readonly log: RaftLog;

  /** Of the turn: what `step` was given. */
  now: Micros = 0;
  out: Effect[] = [];

  /** The voters of the latest configuration, self included, sorted. */
  voters: readonly NodeId[];
  /** The voters without self. */
  peers: readonly NodeId[];
  /** Peers whose votes and acknowledgements do not count. */
  readonly uncounted: Set<NodeId> = new Set();

  term: number;
  votedFor: NodeId | "";
  /** Term or vote differ from the last `save`. */
  hardStateChanged = false;

  role: Role = "follower";
  leader: NodeId | "" = "";
  participation: Participation = "full";
  commitIndex = -1;
  /** Record bytes up to commitIndex, as far as known: never more than the true value. */
  committedPos = 0;

  /** As a follower: the highest index that was checked against the leader's log in this term; -1 for none. */
  verifiedIndex = -1;
  /** As a follower: up to here every entry was compared with the leader's of this term, as far as damage allows. */
  seenIndex = -1;
  /** Whether this node takes entries of clients. */
  intake: Intake = "open";
  /** How often in a row it gave way as a pre-candidate because it does not. */
  yields = 0;
  /** Every entry up to here can be read. */
  intactTo: number = Number.POSITIVE_INFINITY;
  /** As a follower: the highest match that was sent to the leader of this term. */
  assertedMatch = -1;
  /** How far it was told that what the leader sent was looked at. */
  assertedSeen = -1;
  leaderHeardAt: Micros = Number.NEGATIVE_INFINITY;

  electionDeadline: Micros = Number.POSITIVE_INFINITY;
  /** The election timer was cut short by a hint that the leader is gone. */
  hinted = false;
  /** Drawn so far. */
  draws = 0;
  /** Voters, each once, that granted the vote or pre-vote of the current campaign. */
  readonly votes: Set<NodeId> = new Set();

  /** As a leader: where its records are encoded. */
  readonly space: BlockSpace = new BlockSpace(recordBlockBytes);
  /** As a leader: the index of this term's no-op; -1 otherwise. */
  termStart = -1;
  /** As a leader: one for each peer, in the order of `peers`. */
  readonly progress: Map<NodeId, Progress> = new Map();
  heartbeatDeadline: Micros = Number.POSITIVE_INFINITY;
  /** When the leader next asks itself whether a majority still answers. */
  quorumDeadline: Micros = Number.POSITIVE_INFINITY;
  /** Heartbeat rounds begun in this term. */
  round = 0;
  transfer: Transfer | undefined = undefined;
  /** Its target was told to campaign and a newer term has come: whether it was the target's is told once its leader is known. */
  handedOver: Transfer | undefined = undefined;

  readonly mostReads: HighWater = new HighWater();
  readonly mostUncommittedBytes: HighWater = new HighWater();
  /** Reads that came before the leader committed an entry of its term. */
  earlyReads: { readonly from: NodeId | ""; readonly request: number }[] = [];
  /** Reads in the order of their rounds. */
  reads: PendingRead[] = [];
  /** As a follower: reads asked of the leader, and those that came while that question was out. */
  forwarded: ForwardedReads | undefined = undefined;
  readsToForward: number[] = [];
  lastForward = 0;

  /** Reused for quorum arithmetic: one for each voter. */
  readonly reached: number[] = [];

  constructor(config: RaftConfig, start: RaftStart, draw: RaftDraw, trace: Trace, group: GroupId) {
    this.config = config;
    this.self = config.self;
    this.group = group;
    this.draw = draw;
    this.trace = trace;
    this.log = new RaftLog(start.end, start.terms);
    this.voters = config.voters;
    this.peers = config.voters.filter((voter) => voter !== config.self);
    this.term = start.hardState.term;
    this.votedFor = start.hardState.votedFor;
    if (start.end.term > this.term) {
      // Entries of a newer term became durable before the term itself did. No vote of that term was ever asserted,
      // for a vote is durable before it leaves.
      this.term = start.end.term;
      this.votedFor = "";
      this.hardStateChanged = true;
    }
  }
}

export function isVoter(s: RaftState, node: NodeId): boolean {
  return s.voters.includes(node);
}

/** Whether the node's votes and acknowledgements count. */
export function counts(s: RaftState, node: NodeId): boolean {
  return !s.uncounted.has(node);
}

/** Whether the node itself may vote and campaign. */
export function mayVote(s: RaftState): boolean {
  return s.participation === "full" && isVoter(s, s.self);
}

/** Hands out term and vote if they changed: before every message and entry that builds on them, and at the end of a step. */
export function saveHardState(s: RaftState): void {
  if (!s.hardStateChanged) return;
  s.hardStateChanged = false;
  s.out.push({ type: "save", hardState: { term: s.term, votedFor: s.votedFor } });
}

export function send(s: RaftState, to: NodeId, message: Message): void {
  saveHardState(s);
  s.out.push({ type: "send", to, message });
}

/** Tells that role, term or known leader changed. */
export function tellRole(s: RaftState, reason: string): void {
  s.out.push({ type: "role", reason });
  s.trace.emit({
    kind: "role",
    node: s.self,
    group: s.group,
    term: s.term,
    role: s.role,
    leader: s.leader,
    lastIndex: s.log.lastIndex,
    reason,
  });
}

/** Tells that this node counts its own vote. A vote for somebody else is asserted when its answer leaves: the driver tells it. */
export function tellOwnVote(s: RaftState): void {
  s.trace.emit({ kind: "vote", node: s.self, group: s.group, term: s.term, candidate: s.self });
}

/** A new term: nothing has been compared with its leader's log, nor told to it. */
export function forgetCompared(s: RaftState): void {
  s.verifiedIndex = -1;
  s.assertedMatch = -1;
  s.seenIndex = -1;
  s.assertedSeen = -1;
}

/** Tells that this node asserts to hold the log of this term's leader up to `index`. */
export function tellMatch(s: RaftState, index: number): void {
  if (!s.trace.detailed) return;
  s.trace.emit({ kind: "match", node: s.self, group: s.group, term: s.term, index });
}

/** Tells what waits, when more does than ever; `last` is what was added last. */
export function tellBacklog(
  s: RaftState,
  most: HighWater,
  { what, size, last }: Pick<BacklogEvent, "what" | "size" | "last">,
): void {
  if (!s.trace.detailed || !most.rises(size)) return;
  s.trace.emit({ kind: "backlog", node: s.self, group: s.group, what, size, last });
}

/** Voters sit at the median: the highest value that a majority of them reached, own value included. */
export function fillReached(
  s: RaftState,
  own: number,
  none: number,
  reachedBy: (progress: Progress) => number,
): number[] {
  const { reached, voters } = s;
  for (let i = 0; i < voters.length; i++) {
    const voter = voters[i] as NodeId;
    const progress = s.progress.get(voter);
    if (voter === s.self) reached[i] = own;
    // A peer that does not count still is a voter: it makes no majority smaller.
    else reached[i] = progress === undefined || s.uncounted.has(voter) ? none : reachedBy(progress);
  }
  return reached;
}
