import type { GroupId, NodeId } from "../base/brand.ts";
import { groupId, nodeId } from "../base/brand.ts";
import type { ByteReader } from "../base/bytes.ts";
import { ByteWriter } from "../base/bytes.ts";
import type { LogEnd } from "../base/entry.ts";
import type { FaultCode } from "../base/errors.ts";
import { faultCodeOf, faultCodes, LogError } from "../base/errors.ts";
import type { Stage } from "../storage/identity.ts";
import { stages } from "../storage/identity.ts";

/** Version of the frames between peers that this build writes, and the lowest it reads. */
export const peerVersion = 1;
export const peerVersionLowest = 1;
const votersMax = 16;

/** Opens a connection for one group, and tells how far its directory is. Repeated until answered. */
export interface Hello {
  readonly from: NodeId;
  readonly versionLow: number;
  readonly versionHigh: number;
  /** 32 hex digits, or "" before the group has a cluster. */
  readonly cluster: string;
  /** 16 hex digits: which directory this is. */
  readonly incarnation: string;
  readonly stage: Stage;
  readonly entryBodyBytesMax: number;
  /** Sorted. Nodes that name different voters would count different majorities: they refuse each other. */
  readonly voters: readonly NodeId[];
  /** The incarnations of the voters that an active node knows. */
  readonly peers: readonly { readonly node: NodeId; readonly incarnation: string }[];
}

export interface Refusal {
  readonly code: FaultCode;
  readonly message: string;
}

/**
 * A frame between peers: version u8, type u8, group (ascii), then the body of its type. Every frame carries its
 * group, because all groups of two processes share their connections.
 */
export const frameTypes = { hello: 1, welcome: 2, refuse: 3, raft: 4, fetch: 5, records: 6 } as const;
export type FrameType = keyof typeof frameTypes;
const typeNames: readonly (FrameType | undefined)[] = [
  undefined,
  "hello",
  "welcome",
  "refuse",
  "raft",
  "fetch",
  "records",
];

export function beginFrame(writer: ByteWriter, type: FrameType, group: GroupId): ByteWriter {
  return writer.u8(peerVersion).u8(frameTypes[type]).ascii(group);
}

/** @throws LogError malformed-frame, wrong-version. Leaves the reader at the body. */
export function readFrameHeader(reader: ByteReader): { type: FrameType; group: GroupId } {
  const version = reader.u8();
  if (version < peerVersionLowest || version > peerVersion) {
    throw new LogError(
      "wrong-version",
      `a peer speaks version ${version}; this build reads ${peerVersionLowest} to ${peerVersion}`,
    );
  }
  const number = reader.u8();
  const type = typeNames[number];
  if (type === undefined) throw new LogError("malformed-frame", `no peer frame has type ${number}`);
  return { type, group: readGroup(reader) };
}

const scratch = new ByteWriter(512);

export function encodeHello(type: "hello" | "welcome", group: GroupId, hello: Hello): Uint8Array {
  beginFrame(scratch, type, group).ascii(hello.from).u8(hello.versionLow).u8(hello.versionHigh);
  scratch
    .ascii(hello.cluster)
    .ascii(hello.incarnation)
    .u8(stages.indexOf(hello.stage))
    .u32(hello.entryBodyBytesMax);
  scratch.u8(hello.voters.length);
  for (const voter of hello.voters) scratch.ascii(voter);
  scratch.u8(hello.peers.length);
  for (const peer of hello.peers) scratch.ascii(peer.node).ascii(peer.incarnation);
  return scratch.finish();
}

export function decodeHello(reader: ByteReader): Hello {
  const from = readNode(reader);
  const versionLow = reader.u8();
  const versionHigh = reader.u8();
  const cluster = readHex(reader, 32, true);
  const incarnation = readHex(reader, 16, false);
  const stage = stages[reader.u8()];
  if (stage === undefined) throw new LogError("malformed-frame", "an unknown stage in a hello");
  const entryBodyBytesMax = reader.u32();
  const voters = [];
  for (let left = readCount(reader); left > 0; left--) voters.push(readNode(reader));
  const peers = [];
  for (let left = readCount(reader); left > 0; left--)
    peers.push({ node: readNode(reader), incarnation: readHex(reader, 16, false) });
  reader.done();
  return { from, versionLow, versionHigh, cluster, incarnation, stage, entryBodyBytesMax, voters, peers };
}

function readCount(reader: ByteReader): number {
  const count = reader.u8();
  if (count > votersMax) throw new LogError("malformed-frame", `a hello that lists ${count} voters`);
  return count;
}

export function encodeRefusal(group: GroupId, refusal: Refusal): Uint8Array {
  return beginFrame(scratch, "refuse", group)
    .u16(faultCodes[refusal.code])
    .text(refusal.message.slice(0, 1_024))
    .finish();
}

export function decodeRefusal(reader: ByteReader): Refusal {
  const code = faultCodeOf(reader.u16()) ?? "unavailable";
  const message = reader.text(4_096);
  reader.done();
  return { code, message };
}

/** Asks for a copy of records that are damaged here. */
export function encodeFetch(group: GroupId, first: number, last: number): Uint8Array {
  return beginFrame(scratch, "fetch", group).index(first).index(last).finish();
}

export function decodeFetch(reader: ByteReader): { first: number; last: number } {
  const range = { first: reader.index(), last: reader.index() };
  reader.done();
  if (range.first < 0 || range.last < range.first)
    throw new LogError("malformed-frame", "a fetch of no records");
  return range;
}

export function putLogEnd(writer: ByteWriter, end: LogEnd): void {
  writer.index(end.index).u64(end.term).u32(end.chainCrc).u64(end.pos);
}

export function readLogEnd(reader: ByteReader): LogEnd {
  return { index: reader.index(), term: reader.u64(), chainCrc: reader.u32(), pos: reader.u64() };
}

function readNode(reader: ByteReader): NodeId {
  return checked(() => nodeId(reader.ascii(64)));
}

function readGroup(reader: ByteReader): GroupId {
  return checked(() => groupId(reader.ascii(64)));
}

function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof LogError) throw error;
    throw new LogError("malformed-frame", error instanceof Error ? error.message : "a name that is none");
  }
}

function readHex(reader: ByteReader, digits: number, emptyAllowed: boolean): string {
  const text = reader.ascii(digits);
  if (emptyAllowed && text === "") return text;
  if (text.length !== digits || !isHex(text)) throw new LogError("malformed-frame", "an id that is not hex");
  return text;
}

function isHex(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102))) return false;
  }
  return true;
}
