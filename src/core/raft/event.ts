import type { NodeId } from "../base/brand.ts";
import type { Entry, EntryContent, LogEnd } from "../base/entry.ts";
import type { FaultCode } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import type { Intake } from "../io/trace.ts";
import type { Message } from "./message.ts";

/** What must survive a crash besides the log. Source: Raft figure 2, "persistent state on all servers". */
export interface HardState {
  readonly term: number;
  readonly votedFor: NodeId | "";
}

/** A run of entries of one term: the log's terms are kept as runs, so the term of any index is known without the disk. */
export interface TermRun {
  readonly firstIndex: number;
  readonly term: number;
  /** For damaged entries, whose terms cannot be read: they rise from `term` to at most this. */
  readonly termMax?: number;
}

/** What the disk gave back at start. */
export interface RaftStart {
  readonly hardState: HardState;
  readonly end: LogEnd;
  /** Ascending; covers every entry of the log. */
  readonly terms: readonly TermRun[];
}

/**
 * - `full`: votes and leads.
 * - `none`: neither votes nor campaigns (a wiped or damaged node); it still takes entries.
 */
export type Participation = "full" | "none";

/** All the inputs of the machine. `now` is the monotonic clock of the turn. */
export type RaftEvent =
  | { readonly type: "start"; readonly now: Micros }
  | { readonly type: "tick"; readonly now: Micros }
  | { readonly type: "receive"; readonly now: Micros; readonly from: NodeId; readonly message: Message }
  /**
   * Client entries, in order; refused or appended as a whole. `request` comes back in the effects. With `more`,
   * others may follow in this turn: nothing is sent to the followers before `flush`, so all travel together.
   */
  | {
      readonly type: "propose";
      readonly now: Micros;
      readonly request: number;
      readonly contents: readonly EntryContent[];
      readonly more?: boolean;
    }
  /** The last proposal of a turn was handed in: send what waits. */
  | { readonly type: "flush"; readonly now: Micros }
  /** The log as it is now is durable up to `index`. */
  | { readonly type: "synced"; readonly now: Micros; readonly index: number }
  /** The last hard state handed out by a `save` effect is durable: told only while no later one is on its way. */
  | { readonly type: "saved"; readonly now: Micros }
  /** Answers a `load` effect; empty when the entries are not there any more (the log was cut meanwhile). `before` is the log's end before the first. */
  | {
      readonly type: "loaded";
      readonly now: Micros;
      readonly peer: NodeId;
      readonly before: LogEnd;
      readonly entries: readonly Entry[];
    }
  /** A linearizable read, on any node. Confirmed by `read-ready` or refused by `read-failed`. */
  | { readonly type: "read"; readonly now: Micros; readonly request: number }
  | { readonly type: "transfer"; readonly now: Micros; readonly request: number; readonly to: NodeId }
  /** The connection to a peer was reset or refused: its process is probably gone. */
  | { readonly type: "peer-lost"; readonly now: Micros; readonly peer: NodeId }
  /** The connection to a peer is usable again: what was in flight to it is to be sent again. */
  | { readonly type: "peer-up"; readonly now: Micros; readonly peer: NodeId }
  /** Whether a peer's votes and acknowledgements count (false: its directory is not the one that the group knows). */
  | { readonly type: "peer-counts"; readonly now: Micros; readonly peer: NodeId; readonly counts: boolean }
  /** Whether this node takes entries of clients. */
  | { readonly type: "intake"; readonly now: Micros; readonly intake: Intake }
  /** Damaged entries, in order: they are known from peers' copies, and so are their terms, of which no more than bounds were. */
  | { readonly type: "learned"; readonly now: Micros; readonly records: readonly Entry[] }
  /** `intactTo`: every entry up to there can be read; Infinity when nothing is damaged. */
  | {
      readonly type: "participation";
      readonly now: Micros;
      readonly participation: Participation;
      readonly intactTo?: number;
    };

/** All the outputs, to be carried out in order. */
export type Effect =
  /** Write and sync term and vote; no message emitted after this one may leave before it is durable. Answered by `saved`. */
  | { readonly type: "save"; readonly hardState: HardState }
  /** Write the entries at the end of the log and sync; answered by `synced`. A message emitted after this one may leave at once. */
  | { readonly type: "append"; readonly entries: readonly Entry[] }
  /** Cut `from` and everything after it. Sync completions of cut entries are never reported. */
  | { readonly type: "truncate"; readonly from: number; readonly before: LogEnd }
  | { readonly type: "send"; readonly to: NodeId; readonly message: Message }
  /** Read entries of the log from the disk for a peer that is far behind: from `first`, at most `bytes` (but at least one entry). */
  | { readonly type: "load"; readonly peer: NodeId; readonly first: number; readonly bytes: number }
  /** Entries up to `index` are committed. */
  | { readonly type: "commit"; readonly index: number }
  /** The proposal was appended at `first`..; it is not committed yet. */
  | { readonly type: "proposed"; readonly request: number; readonly entries: readonly Entry[] }
  /** The proposal was refused, nothing was appended. */
  | { readonly type: "propose-failed"; readonly request: number; readonly code: FaultCode }
  /** The state machine may answer the read once it has applied `index`. */
  | { readonly type: "read-ready"; readonly request: number; readonly index: number }
  | { readonly type: "read-failed"; readonly request: number; readonly code: FaultCode }
  | { readonly type: "transferred"; readonly request: number; readonly code: FaultCode | "ok" }
  /** Role, term or known leader changed; `view` tells what they are now. */
  | { readonly type: "role"; readonly reason: string }
  /** The two logs differ where Raft says they cannot: this node's disk or a peer's lies. The node must stop taking part. */
  | { readonly type: "diverged"; readonly index: number };
