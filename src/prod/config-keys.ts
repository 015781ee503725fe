import { sessionsCeiling } from "../core/commitlog/limits.ts";
import type { NodeLimits } from "../core/node/config.ts";
import { defaultLimits } from "../core/node/config.ts";
import { segmentHeaderBytes } from "../core/storage/format.ts";
import { defaultGroup, defaultPeers } from "./defaults.ts";
import { peerListAllowed } from "./peer-list.ts";

type LimitName = keyof NodeLimits & string;

/** What a key's value may be; `config-schema.ts` checks it. */
export type ConfigRule =
  | { readonly kind: "integer"; readonly min: number; readonly max: number; readonly multipleOf: number }
  | { readonly kind: "flag" }
  | { readonly kind: "word"; readonly words: readonly string[] }
  | { readonly kind: "pattern"; readonly pattern: RegExp }
  | { readonly kind: "path" }
  | { readonly kind: "peers" };

/** One key of the configuration: where it may come from, what it may be, and what it is for. */
export interface ConfigKey {
  readonly key: string;
  /** Its environment variable and its flag (without the dashes). */
  readonly env: string;
  readonly flag: string;
  /** Undefined: there is none, the key must be given or follows from others. */
  readonly fallback: string | undefined;
  /** What people may write, in words. */
  readonly allowed: string;
  readonly rule: ConfigRule;
  readonly doc: string;
  /** The limit of core that this key sets, and how many of its units one of the key's is. */
  readonly limit?: { readonly name: LimitName; readonly scale: number };
}

function integer(min: number, max: number, multipleOf = 1): Pick<ConfigKey, "rule" | "allowed"> {
  const kind = multipleOf === 1 ? "a whole number" : `a multiple of ${multipleOf}`;
  return { rule: { kind: "integer", min, max, multipleOf }, allowed: `${kind} from ${min} to ${max}` };
}

const flag: Pick<ConfigKey, "rule" | "allowed"> = { rule: { kind: "flag" }, allowed: "true or false" };

const certificateAllowed =
  "a file in PEM form with a certificate for the node's id (common name), the unit node and its host in dLegerPeers";

/** `electionTimeoutMsMin` → `ELECTION_TIMEOUT_MS_MIN`; the prefix of DLedger's keys is dropped. */
function words(key: string): string[] {
  return key
    .replace(/^dLeger/, "")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .split(" ")
    .map((word) => word.toLowerCase());
}

type KeyOptions = Pick<ConfigKey, "doc" | "rule" | "allowed"> &
  Partial<Pick<ConfigKey, "fallback" | "flag" | "env" | "limit">>;

function define(key: string, options: KeyOptions): ConfigKey {
  const parts = words(key);
  return {
    fallback: undefined,
    flag: parts.join("-"),
    env: `QUORUMLOG_${parts.join("_").toUpperCase()}`,
    ...options,
    key,
  };
}

/** A time in milliseconds, a size in bytes or a count: a limit of core under the name that people give it. */
function limit(
  name: LimitName,
  unit: "Ms" | "Bytes" | "",
  range: [min: number, max: number, multipleOf?: number],
  doc: string,
): ConfigKey {
  const scale = unit === "Ms" ? 1_000 : 1;
  const named: { readonly [limit: string]: string } = { heartbeatInterval: "heartBeatTimeIntervalMs" };
  const timed = /^(.*?)(Min|Max)?$/.exec(name);
  const key = named[name] ?? (unit === "Ms" ? `${timed?.[1]}Ms${timed?.[2] ?? ""}` : name);
  return define(key, {
    ...integer(...range),
    doc,
    fallback: String(defaultLimits[name] / scale),
    limit: { name, scale },
  });
}

const mebi = 1_024 * 1_024;

const identityKeys: readonly ConfigKey[] = [
  define("dLegerGroup", {
    rule: { kind: "pattern", pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/ },
    allowed: "1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
    fallback: defaultGroup,
    doc: "The Raft group this node belongs to.",
  }),
  define("dLegerPeers", {
    rule: { kind: "peers" },
    allowed: peerListAllowed,
    fallback: defaultPeers,
    // Not QUORUMLOG_PEERS: that one tells clients which nodes to ask, and must never change who votes.
    env: "QUORUMLOG_VOTERS",
    doc: "All voters of the group, this node included, and where each listens for peers and clients.",
  }),
  define("dLegerSelfId", {
    rule: { kind: "pattern", pattern: /^[A-Za-z0-9][A-Za-z0-9._]{0,31}$/ },
    allowed: "one of the ids in dLegerPeers",
    doc: "Which of the peers this node is.",
  }),
  define("storePathRootDir", {
    rule: { kind: "path" },
    allowed: "a path, relative to the working directory or absolute",
    flag: "data",
    doc: "The node's own directory. By default `data/` and its id.",
  }),
  define("httpPort", {
    ...integer(1, 65_535),
    doc: "Health and metrics. By default the port of the node in dLegerPeers, plus 1000.",
  }),
  define("httpHost", {
    rule: { kind: "pattern", pattern: /^[A-Za-z0-9.:_-]{1,253}$/ },
    allowed: "a host name or an address",
    fallback: "127.0.0.1",
    doc: "Where health and metrics are served.",
  }),
  define("tlsCert", {
    rule: { kind: "path" },
    allowed: certificateAllowed,
    doc: "The node's certificate. With it peers and clients speak TLS 1.3 only; tlsKey and tlsCa go with it.",
  }),
  define("tlsKey", {
    rule: { kind: "path" },
    allowed: "a file with the private key of tlsCert in PEM form, without a passphrase",
    doc: "The key of the node's certificate.",
  }),
  define("tlsCa", {
    rule: { kind: "path" },
    allowed: "a file with the certificates of one or more authorities in PEM form",
    doc: "Who signed the certificates of nodes and clients.",
  }),
  define("tlsClientAuth", {
    ...flag,
    fallback: "true",
    doc: "Clients must show a certificate, whose roles say what they may do. With false one without a certificate may append and read. Nodes always show theirs to each other.",
  }),
  define("allowInsecure", {
    ...flag,
    fallback: "false",
    doc: "Lets the node listen beyond this machine although, without tlsCert, nothing is encrypted or authenticated.",
  }),
  define("bootstrap", {
    ...flag,
    fallback: "false",
    doc: "Makes a new group of an empty directory without waiting for every voter. Once, never for a voter that lost its disk.",
  }),
  define("readOnly", {
    ...flag,
    fallback: "false",
    flag: "readonly",
    doc: "The node takes no appends: it follows, votes and serves reads, and leads only when no writable voter's log is as complete.",
  }),
  define("logLevel", {
    rule: { kind: "word", words: ["trace", "debug", "info", "warn", "error", "silent"] },
    allowed: "trace, debug, info, warn, error or silent",
    fallback: "info",
    doc: "The least important log lines that are written.",
  }),
  define("stopTimeoutMs", {
    ...integer(100, 600_000),
    fallback: "5000",
    doc: "How long a stop may take (leadership handed over, log synced) before the process leaves anyway.",
  }),
];

const limitKeys: readonly ConfigKey[] = [
  limit("heartbeatInterval", "Ms", [1, 60_000], "Between two heartbeats of a leader."),
  limit(
    "electionTimeoutMin",
    "Ms",
    [2, 600_000],
    "Shortest time without a leader before a follower campaigns.",
  ),
  limit(
    "electionTimeoutMax",
    "Ms",
    [2, 600_000],
    "Longest time without a leader before a follower campaigns.",
  ),
  limit(
    "hintDelayMax",
    "Ms",
    [0, 60_000],
    "Longest wait before pre-vote when the connection to the leader broke.",
  ),
  limit("transferTimeout", "Ms", [10, 600_000], "A transfer of leadership is given up after this long."),
  limit(
    "retransmitTimeout",
    "Ms",
    [10, 600_000],
    "Entries that a follower did not answer for are sent again after this long.",
  ),
  limit("reconnectDelayMin", "Ms", [1, 600_000], "First pause before a peer is dialled again."),
  limit("reconnectDelayMax", "Ms", [1, 600_000], "Longest pause before a peer is dialled again."),
  limit("helloInterval", "Ms", [10, 600_000], "How often a peer that has not answered is greeted."),
  limit("repairInterval", "Ms", [10, 600_000], "How often a damaged node asks for its records."),
  limit(
    "idleMarkDelay",
    "Ms",
    [1, 60_000],
    "A log without appends marks how far it is synced after this long.",
  ),
  limit("roomInterval", "Ms", [10, 600_000], "How often a full disk is asked again whether it has room."),
  limit("tailWaitMax", "Ms", [1, 600_000], "A tail without news is answered, empty, after this long."),
  limit("inFlightMessagesMax", "", [1, 65_536], "Batches of entries in flight to one follower."),
  limit("inFlightBytesMax", "Bytes", [65_536, 1_024 * mebi], "Bytes of entries in flight to one follower."),
  limit("messageBytesMax", "Bytes", [1_024, 3 * mebi], "Bytes of entries in one message to a follower."),
  limit("messageEntriesMax", "", [1, 65_536], "Entries in one message to a follower."),
  limit("windowBytesMax", "Bytes", [65_536, 1_024 * mebi], "Bytes of the newest entries kept in memory."),
  limit("windowEntriesMax", "", [16, 1_048_576], "Newest entries kept in memory."),
  limit(
    "uncommittedBytesMax",
    "Bytes",
    [65_536, 1_024 * mebi],
    "Uncommitted bytes at a leader; more is refused.",
  ),
  limit("uncommittedEntriesMax", "", [1, 1_048_576], "Uncommitted entries at a leader; more are refused."),
  limit("pendingReadsMax", "", [1, 1_048_576], "Linearizable reads that wait to be confirmed or applied."),
  limit("pendingAppendsMax", "", [1, 1_048_576], "Appends accepted and not yet answered."),
  limit(
    "pendingAppendBytesMax",
    "Bytes",
    [65_536, 1_024 * mebi],
    "Bytes of appends accepted and not yet answered.",
  ),
  limit("tailsMax", "", [1, 1_048_576], "Tails served at one time."),
  limit(
    "sessionsMax",
    "",
    [1, sessionsCeiling],
    "Sessions kept; the one used least recently is evicted. The leader's counts: change it node by node.",
  ),
  limit(
    "sessionInFlightMax",
    "",
    [1, 65_536],
    "Appends of one session in flight. It may differ between nodes.",
  ),
  limit("connectionRequestsMax", "", [1, 1_048_576], "Calls of one client connection not yet answered."),
  limit(
    "connectionAnswerBytesMax",
    "Bytes",
    [65_536, 1_024 * mebi],
    "Answers kept for a client that does not read.",
  ),
  limit("connectionsMax", "", [1, 65_536], "Client connections at one time, those of gRPC too."),
  limit(
    "clientHelloTimeout",
    "Ms",
    [10, 600_000],
    "A client that has not introduced itself is dropped after this long.",
  ),
  limit("segmentBytes", "Bytes", [65_536, 1_024 * mebi, segmentHeaderBytes], "Size of a segment of the log."),
  limit(
    "reserveBytes",
    "Bytes",
    [16_384, 512 * mebi],
    "Kept free for elections when the disk is full; clients never get it.",
  ),
  limit("batchBytesMax", "Bytes", [65_536, 64 * mebi], "Bytes in one write of the log."),
  limit("readBytesMax", "Bytes", [4_096, 64 * mebi], "Bytes in one read of the log."),
  limit("indexIntervalBytes", "Bytes", [1_024, 64 * mebi], "Bytes of log between two entries of its index."),
  limit("aheadBytes", "Bytes", [4_096, 64 * mebi], "Zeros of the next segment that are written at a time."),
];

/** Every key, in the order in which they are documented. */
export const configKeys: readonly ConfigKey[] = [...identityKeys, ...limitKeys];

/** Keys of a RocketMQ broker's file that mean something to the broker only: named in a warning, not refused. */
export const brokerKeys: ReadonlySet<string> = new Set([
  "autoCreateTopicEnable",
  "brokerClusterName",
  "brokerId",
  "brokerIP1",
  "brokerName",
  "brokerRole",
  "deleteWhen",
  "enableDLegerCommitLog",
  "fileReservedTime",
  "flushDiskType",
  "listenPort",
  "mappedFileSizeCommitLog",
  "namesrvAddr",
  "sendMessageThreadPoolNums",
  "storePathCommitLog",
]);
