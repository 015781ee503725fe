import type { NodeId } from "../base/brand.ts";
import type { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import type { ClientRequest, ClientResponse, LogEntry, NodeStatus } from "../commitlog/protocol.ts";
import type { Address, CloseReason } from "../io/network.ts";

/**
 * Which node a read goes to: the leader, a follower, whichever is at hand, or the named one. Reads are linearizable
 * on every node; the choice spreads load.
 */
export type Target = "leader" | "follower" | "any" | { readonly node: NodeId };

/** What a call other than an append asks for. */
export type Question =
  | { readonly kind: "get"; readonly index: number; readonly linearizable: boolean }
  | { readonly kind: "read-index" }
  | { readonly kind: "status" }
  | { readonly kind: "transfer"; readonly to: NodeId }
  | { readonly kind: "set-read-only"; readonly readOnly: boolean };

/** What it is answered with. */
export type Answer =
  | { readonly kind: "get"; readonly entry: LogEntry }
  | { readonly kind: "read-index"; readonly index: number }
  | { readonly kind: "status"; readonly status: NodeStatus }
  | { readonly kind: "transfer" }
  | { readonly kind: "set-read-only" };

/** How a tail asks for entries. */
export interface TailPlan {
  readonly from: number;
  readonly target: Target;
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** How long a node may hold a request for which there is no entry yet. */
  readonly wait: Micros;
}

/** All the inputs of the machine. Calls are numbered by the driver; no number is used twice. */
export type ClientEvent =
  | {
      readonly type: "append";
      readonly now: Micros;
      readonly call: number;
      readonly bodies: readonly Uint8Array[];
      readonly deadline: Micros;
    }
  | {
      readonly type: "ask";
      readonly now: Micros;
      readonly call: number;
      readonly question: Question;
      readonly target: Target;
      readonly deadline: Micros;
    }
  | { readonly type: "tail"; readonly now: Micros; readonly call: number; readonly plan: TailPlan }
  | { readonly type: "pause"; readonly now: Micros; readonly call: number; readonly paused: boolean }
  /** Ends any call. A tail ends silently, others with `cancelled`, or `outcome-unknown` when an append may have happened. */
  | { readonly type: "cancel"; readonly now: Micros; readonly call: number }
  /** Answers a `flush` effect, at the end of a batch of calls and frames. */
  | { readonly type: "flush"; readonly now: Micros }
  | { readonly type: "tick"; readonly now: Micros }
  | { readonly type: "opened"; readonly now: Micros; readonly connection: number }
  | {
      readonly type: "frame";
      readonly now: Micros;
      readonly connection: number;
      readonly response: ClientResponse;
    }
  | {
      readonly type: "closed";
      readonly now: Micros;
      readonly connection: number;
      readonly reason: CloseReason;
    }
  /** Every call ends, every connection is closed. */
  | { readonly type: "close"; readonly now: Micros };

/** All the outputs, to be carried out in order. */
export type ClientEffect =
  | { readonly type: "connect"; readonly connection: number; readonly address: Address }
  | { readonly type: "send"; readonly connection: number; readonly request: ClientRequest }
  | { readonly type: "disconnect"; readonly connection: number }
  /** Send a `flush` event once the pending input was delivered. */
  | { readonly type: "flush" }
  | {
      readonly type: "appended";
      readonly call: number;
      readonly term: number;
      readonly indexes: readonly number[];
    }
  | { readonly type: "answered"; readonly call: number; readonly answer: Answer }
  | {
      readonly type: "entries";
      readonly call: number;
      readonly entries: readonly LogEntry[];
      readonly next: number;
      readonly commitIndex: number;
    }
  /** The last word of a call. */
  | { readonly type: "failed"; readonly call: number; readonly error: LogError }
  /** An append was refused as `pending-full`, and now there is room again. */
  | { readonly type: "drained" };

/** One step of the machine: the time, and where its effects go. */
export interface Turn {
  readonly now: Micros;
  readonly out: ClientEffect[];
}
