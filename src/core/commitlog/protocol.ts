import type { GroupId, NodeId } from "../base/brand.ts";
import type { FaultCode, Retry } from "../base/errors.ts";
import { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import type { Address } from "../io/network.ts";
import type { Intake, Role, Standing } from "../io/trace.ts";

/**
 * What clients and nodes say to each other over a connection of the service "client". A client opens with a hello and
 * sends nothing else before the answer. Requests of one connection are taken in order; answers carry the request's id
 * and come in any order. A connection serves the one group named in its hello.
 */
export const clientVersionMin = 1;
/** 2: a status tells a full disk from a read-only node. */
export const clientVersionMax = 2;

export type ClientRequest =
  | ClientHello
  | OpenSession
  | Append
  | Get
  | Tail
  | ReadIndex
  | Status
  | TransferLeadership
  | SetReadOnly
  | Ping;

export type ClientResponse =
  | ServerHello
  | SessionOpened
  | Appended
  | EntryFound
  | Entries
  | ReadIndexConfirmed
  | StatusReport
  | Transferred
  | ReadOnlySet
  | Pong
  | Fault;

/** The first frame of a client. Its layout is that of version 1 for ever. */
export interface ClientHello {
  readonly type: "client-hello";
  readonly requestId: number;
  readonly versionLow: number;
  readonly versionHigh: number;
  readonly group: GroupId;
  /** The cluster that the client means, as 32 hex digits; empty for any. */
  readonly cluster: string;
  /** For logs; may be empty. */
  readonly name: string;
  /** Credentials, as text; empty for none. */
  readonly token: string;
}

export interface OpenSession {
  readonly type: "open-session";
  readonly requestId: number;
}

export interface Append {
  readonly type: "append";
  readonly requestId: number;
  /** 0 for an append outside a session; then firstSequence is 0 too. */
  readonly session: number;
  /** The first body's sequence within the session, from 1; the others follow it. */
  readonly firstSequence: number;
  /** At least one. Decoded ones are views into the frame. */
  readonly bodies: readonly Uint8Array[];
}

export interface Get {
  readonly type: "get";
  readonly requestId: number;
  readonly index: number;
  /** False: answered from what the node knows to be committed, however old. */
  readonly linearizable: boolean;
}

export interface Tail {
  readonly type: "tail";
  readonly requestId: number;
  readonly from: number;
  readonly entriesMax: number;
  /** Body bytes; one larger entry is sent all the same. */
  readonly bytesMax: number;
  /** How long the node may wait for the first entry before it answers with none. */
  readonly waitMicros: Micros;
  /**
   * False: that there is nothing yet is told as the node knows it. One that hears of nothing new (it is failed or damaged, or
   * knows no leader) answers `unavailable` instead, and the tail goes on elsewhere.
   */
  readonly linearizable: boolean;
}

export interface ReadIndex {
  readonly type: "read-index";
  readonly requestId: number;
}

export interface Status {
  readonly type: "status";
  readonly requestId: number;
}

export interface TransferLeadership {
  readonly type: "transfer";
  readonly requestId: number;
  readonly to: NodeId;
}

/** Of the node that is asked: whether it takes no entries of clients. Lasts until its process ends. */
export interface SetReadOnly {
  readonly type: "set-read-only";
  readonly requestId: number;
  readonly readOnly: boolean;
}

export interface Ping {
  readonly type: "ping";
  readonly requestId: number;
}

/** What a node takes from one client. */
export interface ServerLimits {
  readonly entryBodyBytesMax: number;
  readonly appendEntriesMax: number;
  readonly appendBytesMax: number;
  readonly inFlightMax: number;
}

export interface ServerHello {
  readonly type: "server-hello";
  readonly requestId: number;
  readonly version: number;
  readonly node: NodeId;
  readonly group: GroupId;
  /** 32 hex digits; empty until the group is bootstrapped. */
  readonly cluster: string;
  /** The incarnation of the node's directory. */
  readonly incarnation: string;
  /** The leader that the node knows of; empty when it knows none. */
  readonly leader: NodeId | "";
  readonly leaderAddress: Address;
  readonly limits: ServerLimits;
}

export interface SessionOpened {
  readonly type: "session-opened";
  readonly requestId: number;
  readonly session: number;
}

/** Consecutive indexes of one term. */
export interface IndexRun {
  readonly first: number;
  readonly count: number;
  readonly term: number;
}

/** Every entry of the append is committed, in the order of its bodies; several runs when a retry found some there already. */
export interface Appended {
  readonly type: "appended";
  readonly requestId: number;
  readonly runs: readonly IndexRun[];
}

export interface LogEntry {
  readonly index: number;
  readonly term: number;
  /** Decoded ones are views into the frame: copy a small one before keeping it. */
  readonly body: Uint8Array;
}

export interface EntryFound {
  readonly type: "entry";
  readonly requestId: number;
  readonly entry: LogEntry;
}

/** Data entries from the requested index on; internal ones are skipped, and `next` moves past them. */
export interface Entries {
  readonly type: "entries";
  readonly requestId: number;
  /** Where the next tail goes on. */
  readonly next: number;
  readonly commitIndex: number;
  readonly entries: readonly LogEntry[];
}

export interface ReadIndexConfirmed {
  readonly type: "read-index-confirmed";
  readonly requestId: number;
  readonly index: number;
}

export interface NodeStatus {
  readonly id: NodeId;
  readonly group: GroupId;
  readonly cluster: string;
  readonly role: Role;
  readonly standing: Standing;
  readonly term: number;
  readonly leader: NodeId | "";
  readonly commitIndex: number;
  readonly lastIndex: number;
  readonly chainCrc: number;
  /** Entries between the commit index and what the node has applied. */
  readonly lag: number;
  /** Whether its intake is "read-only": an operator wants it so. */
  readonly readOnly: boolean;
  /**
   * Whether the node may take clients' entries and has room for them; what a failed disk means is the standing's matter. A
   * node of version 1 tells all three as "read-only".
   */
  readonly intake: Intake;
  readonly voters: readonly NodeId[];
  /** 0 where a node is no process. */
  readonly pid: number;
}

export interface StatusReport {
  readonly type: "status-report";
  readonly requestId: number;
  readonly status: NodeStatus;
}

export interface Transferred {
  readonly type: "transferred";
  readonly requestId: number;
}

export interface ReadOnlySet {
  readonly type: "read-only-set";
  readonly requestId: number;
}

export interface Pong {
  readonly type: "pong";
  readonly requestId: number;
}

/** The request failed. Answering a hello (requestId of the hello), it is the last frame of the connection. */
export interface Fault {
  readonly type: "fault";
  readonly requestId: number;
  readonly code: FaultCode;
  readonly retry: Retry;
  /** For people, at most 256 characters. */
  readonly message: string;
  /** The leader that the node knows of; empty when it knows none. */
  readonly leader: NodeId | "";
  readonly leaderAddress: Address;
}

/** Who leads, as a node knows it; both empty when it knows none. */
export interface LeaderHint {
  readonly leader: NodeId | "";
  readonly leaderAddress: Address;
}

export const noLeader: LeaderHint = { leader: "", leaderAddress: "" };

export function faultOf(requestId: number, error: LogError, hint: LeaderHint = noLeader): Fault {
  const { code, retry, message } = error;
  const { leader, leaderAddress } = hint;
  return { type: "fault", requestId, code, retry, message, leader, leaderAddress };
}

export function errorOf(fault: Fault): LogError {
  return new LogError(fault.code, fault.message, { retry: fault.retry });
}

/** What a node tells of itself when it is greeted. */
export interface ServerIdentity extends LeaderHint {
  readonly node: NodeId;
  readonly group: GroupId;
  readonly cluster: string;
  readonly incarnation: string;
  readonly limits: ServerLimits;
}

/** Answers a hello: with a hello of the highest version that both speak, or with a fault that names the mismatch. */
export function answerHello(hello: ClientHello, self: ServerIdentity): ServerHello | Fault {
  const refuse = (code: FaultCode, message: string): Fault =>
    faultOf(hello.requestId, new LogError(code, message), self);
  const version = Math.min(hello.versionHigh, clientVersionMax);
  if (version < Math.max(hello.versionLow, clientVersionMin)) {
    const asked = `${hello.versionLow} to ${hello.versionHigh}`;
    return refuse("wrong-version", `client speaks ${asked}, node ${clientVersionMin} to ${clientVersionMax}`);
  }
  if (hello.group !== self.group) {
    return refuse("unknown-group", `client wants group ${hello.group}, node serves ${self.group}`);
  }
  // A node that is not bootstrapped yet belongs to no cluster, so it contradicts none.
  if (hello.cluster !== "" && self.cluster !== "" && hello.cluster !== self.cluster) {
    return refuse("wrong-cluster", `client wants cluster ${hello.cluster}, node belongs to ${self.cluster}`);
  }
  return { type: "server-hello", requestId: hello.requestId, version, ...self };
}

/** @returns the indexes as the fewest runs, in order. `terms` gives the term of the entry at an index. */
export function runsOf(indexes: readonly number[], terms: (index: number) => number): IndexRun[] {
  const runs: { first: number; count: number; term: number }[] = [];
  let run: { first: number; count: number; term: number } | undefined;
  for (const index of indexes) {
    const term = terms(index);
    if (run !== undefined && run.term === term && run.first + run.count === index) run.count += 1;
    else {
      run = { first: index, count: 1, term };
      runs.push(run);
    }
  }
  return runs;
}
