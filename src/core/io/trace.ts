import type { GroupId, NodeId } from "../base/brand.ts";
import type { Entry } from "../base/entry.ts";
import type { FaultCode } from "../base/errors.ts";

/** Version of this vocabulary; it grows when an event changes its meaning. */
export const traceVersion = 1;

export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** How far a node may take part. `wiped` and `damaged` nodes neither vote nor lead. */
export type Standing = "member" | "wiped" | "damaged" | "failed";

/** Whether a node takes entries of clients: an operator may have made it `read-only`, its disk may be `full`. */
export type Intake = "open" | "read-only" | "full";

interface At {
  readonly node: NodeId;
  readonly group: GroupId;
}

/** A group opened its directory: what the disk gave back. */
export interface RecoveredEvent extends At {
  readonly kind: "recovered";
  readonly standing: Standing;
  readonly term: number;
  readonly votedFor: NodeId | "";
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly chainCrc: number;
  /** Bytes of a torn tail that were cut. */
  readonly tornBytes: number;
}

export interface RoleEvent extends At {
  readonly kind: "role";
  readonly term: number;
  readonly role: Role;
  readonly leader: NodeId | "";
  readonly lastIndex: number;
  /** Why: "timeout", "higher-term", "quorum", "check-quorum", "transfer", "hint", "start", ... */
  readonly reason: string;
}

/** A granted vote (its own included) is asserted: the answer leaves, or the candidate counts it. */
export interface VoteEvent extends At {
  readonly kind: "vote";
  readonly term: number;
  readonly candidate: NodeId;
}

/** A vote was not given. */
export interface VoteRefusedEvent extends At {
  readonly kind: "vote-refused";
  readonly term: number;
  readonly candidate: NodeId;
  /** `log`: the candidate's log is not as complete as the own (Raft §5.4.1). `other`: any other rule. */
  readonly why: "log" | "other";
}

/** Term and vote are durable. */
export interface HardStateEvent extends At {
  readonly kind: "hard-state";
  readonly term: number;
  readonly votedFor: NodeId | "";
}

/** Entries were added at the end of the log (not yet durable). */
export interface AppendEvent extends At {
  readonly kind: "append";
  readonly term: number;
  readonly entries: readonly Entry[];
}

/** The log was cut: `from` and everything after it is gone. */
export interface TruncateEvent extends At {
  readonly kind: "truncate";
  readonly from: number;
}

/** The disk reported everything up to `index` as synced. */
export interface SyncEvent extends At {
  readonly kind: "sync";
  readonly index: number;
}

/** The node asserts to the leader of `term` that it holds everything up to `index`, durably. */
export interface MatchEvent extends At {
  readonly kind: "match";
  readonly term: number;
  readonly index: number;
}

/** The node learned or decided (as `leader`) that everything up to `index` is committed. */
export interface CommitEvent extends At {
  readonly kind: "commit";
  readonly term: number;
  readonly index: number;
  readonly leader: boolean;
}

/** Committed entries reached the state machine, in order. */
export interface ApplyEvent extends At {
  readonly kind: "apply";
  readonly entries: readonly Entry[];
}

/** A linearizable read was confirmed at `index`. */
export interface ReadEvent extends At {
  readonly kind: "read";
  readonly term: number;
  readonly index: number;
}

/** A leader that steps down leaves linearizable reads without their confirmation. */
export interface ReadsAbortedEvent extends At {
  readonly kind: "reads-aborted";
  readonly term: number;
  readonly count: number;
}

export interface SessionEvent extends At {
  readonly kind: "session";
  readonly session: number;
  readonly change: "opened" | "evicted";
}

/** A retried append was answered with the index of its first attempt. */
export interface DuplicateEvent extends At {
  readonly kind: "duplicate";
  readonly session: number;
  readonly sequence: number;
  readonly index: number;
}

/** A call of a client or a peer was refused. */
export interface RefuseEvent extends At {
  readonly kind: "refuse";
  readonly code: FaultCode;
  readonly peer: string;
}

export interface TransferEvent extends At {
  readonly kind: "transfer";
  readonly term: number;
  readonly to: NodeId;
  readonly change: "begun" | "sent" | "done" | "failed";
}

/** A record that may have been acknowledged cannot be read; `mended` when a peer's copy took its place. */
export interface DamageEvent extends At {
  readonly kind: "damage";
  readonly from: number;
  readonly to: number;
  readonly change: "found" | "mended" | "cut";
}

/** The node's standing changed: bootstrapped, found wiped, mended, failed. */
export interface StandingEvent extends At {
  readonly kind: "standing";
  readonly standing: Standing;
  readonly reason: string;
}

/** Whether the node takes clients' entries has changed. Not told at a start that finds it `open`. */
export interface IntakeEvent extends At {
  readonly kind: "intake";
  readonly intake: Intake;
  /** Bytes that entries of clients may still take on the disk; Number.MAX_SAFE_INTEGER while that has no bound. */
  readonly room: number;
}

/** What waits at a node and is bounded, each by a limit of its own. */
export type Backlog =
  | "tails"
  | "reads"
  | "in-flight-bytes"
  | "uncommitted-bytes"
  | "appends"
  | "append-bytes"
  | "connection-requests"
  | "connection-answer-bytes";

/**
 * More waits than ever since the process began, or since the leader, connection or replica that it waits for did. Told
 * only where the hot path is.
 */
export interface BacklogEvent extends At {
  readonly kind: "backlog";
  readonly what: Backlog;
  readonly size: number;
  /** What was added last: the one that may be larger than the bound by itself. */
  readonly last: number;
}

/** A disk refused or failed an operation. */
export interface DiskEvent extends At {
  readonly kind: "disk";
  readonly code: string;
  readonly operation: string;
}

/** Peers made contact, or one was turned away. */
export interface PeerEvent extends At {
  readonly kind: "peer";
  /** Empty only where nobody introduced himself. */
  readonly peer: NodeId | "";
  /** `surplus`: one connection was closed, since there were too many of its kind. */
  readonly change: "connected" | "incarnation-changed" | "refused" | "surplus";
  readonly reason: string;
}

/** The node ended a client's connection. */
export interface ClientEvent extends At {
  readonly kind: "client";
  /** As the client calls itself; may be empty. */
  readonly name: string;
  /** `unread`: more answers waited for it than the node keeps. */
  readonly change: "unread";
  readonly reason: string;
}

/** Something that the world did to a node: the simulator's faults, and a crash or a start. */
export interface FaultEvent {
  readonly kind: "fault";
  readonly node: NodeId | "";
  /** "crash", "restart", "pause", "partition", "heal", "loss", "torn-write", ... */
  readonly fault: string;
  readonly detail: string;
}

export type TraceEvent =
  | RecoveredEvent
  | RoleEvent
  | VoteEvent
  | VoteRefusedEvent
  | HardStateEvent
  | AppendEvent
  | TruncateEvent
  | SyncEvent
  | MatchEvent
  | CommitEvent
  | ApplyEvent
  | ReadEvent
  | ReadsAbortedEvent
  | SessionEvent
  | DuplicateEvent
  | RefuseEvent
  | TransferEvent
  | DamageEvent
  | StandingEvent
  | IntakeEvent
  | BacklogEvent
  | DiskEvent
  | PeerEvent
  | ClientEvent
  | FaultEvent;

export type TraceKind = TraceEvent["kind"];

/** Where core tells what happens. Checkers, the trace hash, reports, logs and metrics all hang on it. */
export interface Trace {
  /** Whether anyone listens to events of the hot path (append, sync, match, commit, apply): an object is built only then. */
  readonly detailed: boolean;
  emit(event: TraceEvent): void;
}
