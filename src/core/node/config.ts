import type { GroupId, NodeId } from "../base/brand.ts";
import { recordBytesMax } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import { kibibyte, mebibyte, millisecond, second } from "../base/units.ts";
import type { CommitLogLimits } from "../commitlog/limits.ts";
import { defaultCommitLogLimits, sessionsCeiling } from "../commitlog/limits.ts";
import type { Address } from "../io/network.ts";
import { frameBytesMax } from "../io/network.ts";

/** One voter of a group and where it listens; `dLegerPeers` is a list of these. */
export interface PeerAddress {
  readonly node: NodeId;
  readonly address: Address;
}

export interface GroupConfig {
  readonly group: GroupId;
  /** All voters, this node included. Bootstraps an empty directory. */
  readonly peers: readonly PeerAddress[];
  /** Directory of the group, relative to the node's disk. */
  readonly directory: string;
  /** Bootstraps an empty directory without waiting for every voter. */
  readonly forceBootstrap: boolean;
}

/** Every limit and time of a node, by name. */
export interface NodeLimits {
  readonly heartbeatInterval: Micros;
  readonly electionTimeoutMin: Micros;
  readonly electionTimeoutMax: Micros;
  readonly hintDelayMax: Micros;
  readonly transferTimeout: Micros;
  readonly retransmitTimeout: Micros;
  readonly reconnectDelayMin: Micros;
  readonly reconnectDelayMax: Micros;
  /** How often a hello is repeated until it is answered, and while a group is being bootstrapped. */
  readonly helloInterval: Micros;
  /** How often a damaged node asks the next peer for a record. */
  readonly repairInterval: Micros;
  /** A log without appends marks how far it is synced after this long. */
  readonly idleMarkDelay: Micros;
  /** How often a full disk is asked again whether it has room. */
  readonly roomInterval: Micros;
  /** A tail without news is answered, empty, after at most this long. */
  readonly tailWaitMax: Micros;
  readonly inFlightMessagesMax: number;
  readonly inFlightBytesMax: number;
  readonly messageBytesMax: number;
  readonly messageEntriesMax: number;
  readonly windowBytesMax: number;
  readonly windowEntriesMax: number;
  readonly uncommittedBytesMax: number;
  readonly uncommittedEntriesMax: number;
  readonly pendingReadsMax: number;
  /** Appends that were accepted from clients and not yet answered. */
  readonly pendingAppendsMax: number;
  readonly pendingAppendBytesMax: number;
  readonly tailsMax: number;
  /** The leader's goes into the log and counts on every node. */
  readonly sessionsMax: number;
  readonly sessionInFlightMax: number;
  /** Client calls of one connection that are not yet answered; beyond, `pending-full`. */
  readonly connectionRequestsMax: number;
  /** Answers that a client does not read are kept up to here; beyond, its connection is closed. */
  readonly connectionAnswerBytesMax: number;
  readonly connectionsMax: number;
  /** A client that has not introduced itself by then is disconnected. */
  readonly clientHelloTimeout: Micros;
  readonly segmentBytes: number;
  readonly reserveBytes: number;
  readonly batchBytesMax: number;
  readonly readBytesMax: number;
  readonly indexIntervalBytes: number;
  readonly aheadBytes: number;
}

export interface NodeConfig {
  readonly self: NodeId;
  /** For the status; 0 where a node is no process. */
  readonly processId: number;
  readonly listen: Address;
  readonly groups: readonly GroupConfig[];
  /** The node takes no entries of clients: it follows, votes and serves reads, and leads only as a last resort. */
  readonly readOnly: boolean;
  readonly limits: NodeLimits;
  /** Bytes of peers' copies that are held while damage is mended; `repairBytesDefault` unless given. */
  readonly repairBytesMax?: number;
}

/** More gains nothing: a larger hole takes twice the messages, whatever the size of its pieces. */
const repairBytesDefault = 4 * mebibyte;

export function repairBytesMax(config: NodeConfig): number {
  return config.repairBytesMax ?? repairBytesDefault;
}

export const defaultLimits: NodeLimits = {
  heartbeatInterval: 75 * millisecond,
  electionTimeoutMin: 300 * millisecond,
  electionTimeoutMax: 600 * millisecond,
  hintDelayMax: 50 * millisecond,
  transferTimeout: second,
  retransmitTimeout: 300 * millisecond,
  reconnectDelayMin: 100 * millisecond,
  reconnectDelayMax: second,
  helloInterval: 100 * millisecond,
  repairInterval: 200 * millisecond,
  idleMarkDelay: 500 * millisecond,
  roomInterval: second,
  tailWaitMax: 10 * second,
  inFlightMessagesMax: 64,
  inFlightBytesMax: 8 * mebibyte,
  messageBytesMax: 256 * kibibyte,
  messageEntriesMax: 1_024,
  windowBytesMax: 16 * mebibyte,
  windowEntriesMax: 16_384,
  uncommittedBytesMax: 8 * mebibyte,
  uncommittedEntriesMax: 16_384,
  pendingReadsMax: 4_096,
  pendingAppendsMax: 10_000,
  pendingAppendBytesMax: 32 * mebibyte,
  tailsMax: 4_096,
  sessionsMax: 10_000,
  sessionInFlightMax: 1_024,
  connectionRequestsMax: 4_096,
  connectionAnswerBytesMax: 32 * mebibyte,
  connectionsMax: 4_096,
  clientHelloTimeout: 5 * second,
  segmentBytes: 64 * mebibyte,
  reserveBytes: 16 * mebibyte,
  batchBytesMax: 4 * mebibyte,
  readBytesMax: mebibyte,
  indexIntervalBytes: 64 * kibibyte,
  aheadBytes: 256 * kibibyte,
};

/** Group sizes that are supported: odd, so that a voter more always tolerates a failure more; two for a pair in migration. */
const votersAllowed: readonly number[] = [1, 2, 3, 5, 7];

/** @throws LogError bad-configuration naming the first thing that is wrong. */
export function checkNodeConfig(config: NodeConfig): void {
  if (config.groups.length === 0) throw bad("a node takes part in at least one group");
  const names = new Set<string>();
  for (const group of config.groups) {
    if (names.has(group.group)) throw bad(`group ${group.group} is configured twice`);
    names.add(group.group);
    checkGroup(config.self, group);
  }
  checkLimits(config.limits);
}

function checkGroup(self: NodeId, group: GroupConfig): void {
  const ids = group.peers.map((peer) => peer.node);
  if (!votersAllowed.includes(ids.length)) {
    throw bad(`group ${group.group} has ${ids.length} voters; allowed are ${votersAllowed.join(", ")}`);
  }
  if (new Set(ids).size !== ids.length) throw bad(`group ${group.group} names a voter twice`);
  if (new Set(group.peers.map((peer) => peer.address)).size !== ids.length) {
    throw bad(`group ${group.group} gives two voters one address`);
  }
  if (!ids.includes(self)) throw bad(`node ${self} is no voter of group ${group.group} (${ids.join(", ")})`);
}

function checkLimits(limits: NodeLimits): void {
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw bad(`${name} is ${value}; it must be a whole number from 0`);
  }
  if (limits.electionTimeoutMin > limits.electionTimeoutMax) {
    throw bad("electionTimeoutMin is above electionTimeoutMax");
  }
  // Raft §5.6: broadcast time, far below the election timeout, or leaders are deposed for one late heartbeat.
  if (limits.heartbeatInterval * 2 > limits.electionTimeoutMin) {
    throw bad("heartbeatInterval must be at most half of electionTimeoutMin");
  }
  if (limits.reserveBytes * 2 > limits.segmentBytes)
    throw bad("reserveBytes must be at most half of segmentBytes");
  if (limits.messageBytesMax + recordBytesMax > frameBytesMax) {
    throw bad(
      `messageBytesMax must leave room for one entry of the largest size in a frame of ${frameBytesMax} bytes`,
    );
  }
  for (const name of [
    "messageEntriesMax",
    "inFlightMessagesMax",
    "pendingAppendsMax",
    "sessionsMax",
  ] as const) {
    if (limits[name] < 1) throw bad(`${name} must be at least 1`);
  }
  if (limits.sessionsMax > sessionsCeiling) throw bad(`sessionsMax must be at most ${sessionsCeiling}`);
}

function bad(message: string): LogError {
  return new LogError("bad-configuration", message);
}

/** Voters sorted by code unit: the one order in which nodes are ever walked. */
export function sortedVoters(peers: readonly PeerAddress[]): NodeId[] {
  return peers.map((peer) => peer.node).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The commit log's limits of a node: what one client call may carry, and how many sessions there are. */
export function commitLogLimits(limits: NodeLimits): CommitLogLimits {
  const { sessionsMax, sessionInFlightMax } = limits;
  const appendEntriesMax = Math.min(defaultCommitLogLimits.appendEntriesMax, sessionInFlightMax);
  return { ...defaultCommitLogLimits, appendEntriesMax, sessionsMax, inFlightMax: sessionInFlightMax };
}
