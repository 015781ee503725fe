import type { GroupId, NodeId } from "../base/brand.ts";
import { entryBodyBytesMax } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import { kibibyte, mebibyte, millisecond, second } from "../base/units.ts";
import type { Address } from "../io/network.ts";

/** A node that the client may dial. */
export interface ClientPeer {
  readonly node: NodeId;
  readonly address: Address;
}

/** Limits and times of a client. Every queue is bounded; a call beyond one is refused as `pending-full`. */
export interface ClientConfig {
  readonly group: GroupId;
  /** The group's nodes, at least one, no id twice. */
  readonly peers: readonly ClientPeer[];
  /** The cluster that is meant, as 32 hex digits; empty for any. */
  readonly cluster: string;
  /** For the nodes' logs, at most 64 characters; may be empty. */
  readonly name: string;
  /** Credentials; empty for none. */
  readonly token: string;
  /**
   * True: appends go through a session, so a retry lands once. False: they do not, and one whose answer is lost ends
   * as `outcome-unknown`; for callers of one append, who would pay a round more for the session.
   */
  readonly sessions: boolean;

  /** Bytes of one entry; beyond it `entry-too-large`. */
  readonly entryBodyBytesMax: number;
  /** Entries of one append call, and of one frame; beyond it `batch-too-large`. */
  readonly appendEntriesMax: number;
  /** Body bytes of one append call, and of one frame; beyond it `batch-too-large`. */
  readonly appendBytesMax: number;
  /**
   * A frame takes no further call beyond so many body bytes. Several small ones keep client, network, leader and disks at
   * work at the same time, where one large one would make each wait for the other.
   */
  readonly frameBytesMax: number;
  /** Entries sent and not yet answered. The nodes keep as many sequences of a session, so no retry is too old. */
  readonly inFlightMax: number;
  /** Append calls that are not answered yet, and the bytes of their bodies. */
  readonly pendingAppendsMax: number;
  readonly pendingBytesMax: number;
  /** Other calls (get, read index, status, transfer) that are not answered yet. */
  readonly pendingCallsMax: number;
  readonly tailsMax: number;

  /** From dialling to the node's hello. */
  readonly connectTimeout: Micros;
  /** A node that leaves a request unanswered for this long is dropped, and the next one tried. */
  readonly requestTimeout: Micros;
  /** A connection that was silent for this long is pinged, ... */
  readonly keepaliveInterval: Micros;
  /** (for this long while answers are awaited: a node that stopped without a word is found out sooner) */
  readonly keepaliveBusyInterval: Micros;
  /** ... and dropped when it stays silent for this long after. */
  readonly keepaliveTimeout: Micros;
  /** A retry waits for a random time of half to all of a delay that doubles from min to max. */
  readonly retryDelayMin: Micros;
  readonly retryDelayMax: Micros;
}

export const defaultClientConfig: Omit<ClientConfig, "group" | "peers"> = {
  cluster: "",
  name: "",
  token: "",
  sessions: true,
  entryBodyBytesMax,
  appendEntriesMax: 1_024,
  appendBytesMax: entryBodyBytesMax,
  frameBytesMax: 32 * kibibyte,
  inFlightMax: 1_024,
  pendingAppendsMax: 4_096,
  // Fits into what a leader holds uncommitted (8 MiB of records), so that one client alone is never refused for it.
  pendingBytesMax: 6 * mebibyte,
  pendingCallsMax: 1_024,
  tailsMax: 64,
  connectTimeout: 1 * second,
  requestTimeout: 3 * second,
  keepaliveInterval: 1 * second,
  keepaliveBusyInterval: 300 * millisecond,
  keepaliveTimeout: 500 * millisecond,
  retryDelayMin: 20 * millisecond,
  retryDelayMax: 500 * millisecond,
};

/** A whole configuration from the parts that differ from the defaults. */
export function clientConfig(
  parts: Partial<ClientConfig> & Pick<ClientConfig, "group" | "peers">,
): ClientConfig {
  const config = { ...defaultClientConfig, ...parts };
  checkClientConfig(config);
  return config;
}

/** @throws LogError `bad-configuration` that names the key, its value and what is allowed. */
export function checkClientConfig(config: ClientConfig): void {
  const ids = new Set(config.peers.map((peer) => peer.node));
  if (ids.size === 0 || ids.size !== config.peers.length) {
    throw new LogError("bad-configuration", "peers: at least one node, and no id twice");
  }
  if (config.name.length > 64) throw new LogError("bad-configuration", "name: at most 64 characters");
  const longest = 3_600 * second;
  for (const [key, low, high] of [
    ["entryBodyBytesMax", 1, entryBodyBytesMax],
    ["inFlightMax", 1, 65_536],
    ["appendEntriesMax", 1, config.inFlightMax],
    ["appendBytesMax", config.entryBodyBytesMax, 6 * mebibyte],
    ["frameBytesMax", 1, 6 * mebibyte],
    ["pendingAppendsMax", 1, 1_000_000],
    ["pendingBytesMax", config.appendBytesMax, 1_024 * mebibyte],
    ["pendingCallsMax", 1, 1_000_000],
    ["tailsMax", 1, 1_000_000],
    ["connectTimeout", millisecond, longest],
    ["requestTimeout", millisecond, longest],
    ["keepaliveInterval", millisecond, longest],
    ["keepaliveBusyInterval", millisecond, config.keepaliveInterval],
    ["keepaliveTimeout", millisecond, longest],
    ["retryDelayMin", millisecond, config.retryDelayMax],
    ["retryDelayMax", millisecond, longest],
  ] as const) {
    const value = config[key];
    if (Number.isSafeInteger(value) && value >= low && value <= high) continue;
    throw new LogError(
      "bad-configuration",
      `${key} is ${value}; allowed are integers from ${low} to ${high}`,
    );
  }
}
