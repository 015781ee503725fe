import { assert } from "./assert.ts";
import { BlockSpace, getU32, getU64, setU64 } from "./bytes.ts";
import { crcOf, crcStart, crcUpdate, crcUpdateU32 } from "./crc32c.ts";

/**
 * An entry of the log and its record: DLedger's 48-byte header (big-endian), the body, and for entries of a session a
 * trailer of 16 bytes (session id, sequence). A record is encoded once, at the leader; the same bytes go to every disk
 * and every follower.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 4 | magic: 1 data, 2 no-op, 3 configuration, 4 session |
 * | 4 | 4 | size: header, body and trailer |
 * | 8 | 8 | index, from 0 |
 * | 16 | 8 | term |
 * | 24 | 8 | pos: bytes of all records before this one, equal on every node |
 * | 32 | 4 | channel, 0 |
 * | 36 | 4 | chainCrc: CRC32C of the previous record's chainCrc, header bytes 0-35 and 40-47 |
 * | 40 | 4 | bodyCrc: CRC32C of body and trailer |
 * | 44 | 4 | body length |
 * | 48 | n | body, then the trailer |
 *
 * The body of a data entry is the client's, a no-op has none, and that of a session entry is the leader's limit of sessions,
 * 4 bytes (`commitlog/session-entry.ts`).
 *
 * Source: DLedger's entry layout; the CRC fields, always 0 there, are filled here.
 */
export type EntryKind = "data" | "no-op" | "configuration" | "session";

export const recordHeaderBytes = 48;
export const sessionTrailerBytes = 16;
/** What the record of a client's entry takes beside its body. */
export const recordOverheadBytes: number = recordHeaderBytes + sessionTrailerBytes;
/** The largest body of one entry. An entry of exactly this size passes every path. */
export const entryBodyBytesMax: number = 4 * 1_024 * 1_024;
/** The largest record. */
export const recordBytesMax: number = recordOverheadBytes + entryBodyBytesMax;

const kinds: readonly (EntryKind | undefined)[] = [undefined, "data", "no-op", "configuration", "session"];
const magics: { readonly [kind in EntryKind]: number } = {
  data: 1,
  "no-op": 2,
  configuration: 3,
  session: 4,
};

/** A record within a block of bytes that it may share with its neighbours. Read the body through `bodyOf`. */
export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  /** Bytes of all records before this one. */
  readonly pos: number;
  /** Bytes of the record. */
  readonly size: number;
  readonly chainCrc: number;
  readonly block: Uint8Array;
  readonly offset: number;
}

/** What the next record chains from: the end of a log, or a place within it. */
export interface LogEnd {
  readonly index: number;
  readonly term: number;
  readonly chainCrc: number;
  /** Where the next record begins: pos + size of the last one. */
  readonly pos: number;
}

/** The end of an empty log. */
export const emptyLogEnd: LogEnd = { index: -1, term: 0, chainCrc: 0, pos: 0 };

/** What a proposer gives; index, term, pos and checksums come from its place in the log. */
export interface EntryContent {
  readonly kind: EntryKind;
  readonly body: Uint8Array;
  /** 0 for an entry outside any session. */
  readonly session: number;
  readonly sequence: number;
}

export function endOf(entry: Entry): LogEnd {
  return { index: entry.index, term: entry.term, chainCrc: entry.chainCrc, pos: entry.pos + entry.size };
}

/** A view of the body; copy it before keeping it, for it pins its whole block. */
export function bodyOf(entry: Entry): Uint8Array {
  const start = entry.offset + recordHeaderBytes;
  return entry.block.subarray(start, start + getU32(entry.block, entry.offset + 44));
}

/** The session an entry was appended through; 0 for none. */
export function sessionOf(entry: Entry): number {
  return hasTrailer(entry) ? getU64(entry.block, entry.offset + entry.size - sessionTrailerBytes) : 0;
}

/** The entry's sequence within its session; 0 outside one. Sequences start at 1. */
export function sequenceOf(entry: Entry): number {
  return hasTrailer(entry) ? getU64(entry.block, entry.offset + entry.size - 8) : 0;
}

function hasTrailer(entry: Entry): boolean {
  return entry.size === recordHeaderBytes + getU32(entry.block, entry.offset + 44) + sessionTrailerBytes;
}

export function recordBytes(content: EntryContent): number {
  return recordHeaderBytes + content.body.length + (content.session === 0 ? 0 : sessionTrailerBytes);
}

/**
 * Encodes contents behind `end`, as the leader does: all into one block of `space`, behind what was encoded there before,
 * so that records which are appended one by one travel as one piece.
 */
export function encodeEntries(
  end: LogEnd,
  term: number,
  contents: readonly EntryContent[],
  space: BlockSpace = new BlockSpace(0),
): Entry[] {
  let total = 0;
  for (const content of contents) total += recordBytes(content);
  let at = space.take(total);
  const { block, view } = space;
  const entries: Entry[] = [];
  let { index, pos, chainCrc } = end;
  for (const content of contents) {
    const size = recordBytes(content);
    assert(content.body.length <= entryBodyBytesMax, "an entry is within its limit before it is encoded");
    index += 1;
    view.setUint32(at, magics[content.kind]);
    view.setUint32(at + 4, size);
    setU64(view, at + 8, index);
    setU64(view, at + 16, term);
    setU64(view, at + 24, pos);
    block.set(content.body, at + recordHeaderBytes);
    if (content.session !== 0) {
      setU64(view, at + size - 16, content.session);
      setU64(view, at + size - 8, content.sequence);
    }
    view.setUint32(at + 40, bodyCrcOf(block, view, at, size));
    view.setUint32(at + 44, content.body.length);
    chainCrc = chainCrcOf(block, view, at, chainCrc);
    view.setUint32(at + 36, chainCrc);
    entries.push({ index, term, kind: content.kind, pos, size, chainCrc, block, offset: at });
    at += size;
    pos += size;
  }
  return entries;
}

/** The records' bytes as views into their blocks: neighbours of one block are one part, and nothing is copied. */
export function recordParts(entries: readonly Entry[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let block: Uint8Array | undefined;
  let from = 0;
  let to = 0;
  for (const entry of entries) {
    if (entry.block !== block || entry.offset !== to) {
      if (block !== undefined) parts.push(block.subarray(from, to));
      block = entry.block;
      from = entry.offset;
    }
    to = entry.offset + entry.size;
  }
  if (block !== undefined) parts.push(block.subarray(from, to));
  return parts;
}

function bodyCrcOf(block: Uint8Array, view: DataView | undefined, at: number, size: number): number {
  return crcOf(crcUpdate(crcStart, block, at + recordHeaderBytes, at + size, view));
}

function chainCrcOf(block: Uint8Array, view: DataView | undefined, at: number, previous: number): number {
  // The previous chainCrc counts through its four bytes, so a zero before an empty log counts too.
  const fields = crcUpdate(crcUpdateU32(crcStart, previous), block, at, at + 36, view);
  return crcOf(crcUpdate(fields, block, at + 40, at + 48, view));
}

/** Why bytes are not the next record. `short` also stands for a size that passes the end of what is there. */
export type RecordFlaw = "short" | "magic" | "size" | "order" | "chain" | "body";

/**
 * Decodes the record at `at` as the one behind `end`, checking every field and both checksums.
 * @param view of `block`: worth making where more than one of its records are decoded.
 * @returns the entry, a view into `block`, or why it is none.
 */
export function decodeEntry(
  block: Uint8Array,
  at: number,
  limit: number,
  end: LogEnd,
  view?: DataView,
): Entry | RecordFlaw {
  if (limit - at < recordHeaderBytes) return "short";
  const kind = kinds[getU32(block, at)];
  if (kind === undefined) return "magic";
  const size = getU32(block, at + 4);
  const bodyLength = getU32(block, at + 44);
  const trailer = size - recordHeaderBytes - bodyLength;
  if (bodyLength > entryBodyBytesMax || (trailer !== 0 && trailer !== sessionTrailerBytes)) return "size";
  if (size > limit - at) return "short";
  const index = getU64(block, at + 8);
  const term = getU64(block, at + 16);
  const pos = getU64(block, at + 24);
  if (index !== end.index + 1 || !(term >= end.term) || pos !== end.pos || getU32(block, at + 32) !== 0)
    return "order";
  const chainCrc = getU32(block, at + 36);
  if (chainCrcOf(block, view, at, end.chainCrc) !== chainCrc) return "chain";
  if (bodyCrcOf(block, view, at, size) !== getU32(block, at + 40)) return "body";
  return { index, term, kind, pos, size, chainCrc, block, offset: at };
}
