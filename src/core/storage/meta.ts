import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import { nodeId } from "../base/brand.ts";
import { ByteReader, ByteWriter, getU16, getU32, putU32 } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import type { LogEnd } from "../base/entry.ts";
import { emptyLogEnd } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import { placeSeed } from "./batch.ts";
import type { Place } from "./format.ts";
import { formatVersion, placeOf, positionOf } from "./format.ts";
import { wholeOr } from "./whole.ts";

/** What must survive a crash besides the log's records. */
export interface Meta {
  readonly term: number;
  readonly votedFor: NodeId | "";
  /** Directory incarnations of the peers, remembered at first contact. At most `peersMax`. */
  readonly peers: readonly { readonly node: NodeId; readonly incarnation: string }[];
  /** The log was seen to differ from a leader's at this index, where it must not: one of the two holds what was never written. */
  readonly divergedAt?: number;
}

/** The last cut of the log: at or behind `position`, only batches of `generation` or later count. */
export interface Cut {
  readonly position: number;
  readonly generation: number;
  /** The log's end at the cut; everything before it was synced when the cut was made. */
  readonly previous: LogEnd;
}

export const noCut: Cut = { position: 0, generation: 0, previous: emptyLogEnd };

/** The bytes of a segment file that a mending writes: it may be shorter than `to` still. */
export interface Mending {
  readonly segment: number;
  readonly from: number;
  readonly to: number;
}

/** One slot's record. */
export interface MetaRecord {
  /** The newest of two valid slots has the higher one. */
  readonly sequence: number;
  readonly meta: Meta;
  readonly cut: Cut;
  /** What was written last in place of damaged records, noted before: it may stand in the page cache only. */
  readonly mending?: Mending;
}

export const peersMax = 16;
export const slotBytes = 4_096;
export const emptyMeta: Meta = { term: 0, votedFor: "", peers: [] };
/** "qlm1". */
const magic = 0x716c6d31;
const textBytesMax = 64;

/** A slot: magic, CRC32C of the rest, version, the record. Written whole, in one write. */
export function encodeSlot(record: MetaRecord, directory: number, slot: number): Uint8Array {
  const { meta, cut, mending } = record;
  assert(meta.peers.length <= peersMax, "peers fit their slot");
  const w = new ByteWriter(slotBytes);
  w.u32(magic).u32(0).u16(formatVersion);
  w.u64(record.sequence).u64(meta.term).ascii(meta.votedFor).u64(cut.position).u32(cut.generation);
  w.index(cut.previous.index).u64(cut.previous.term).u32(cut.previous.chainCrc).u64(cut.previous.pos);
  w.u16(meta.peers.length);
  for (const peer of meta.peers) w.ascii(peer.node).ascii(peer.incarnation);
  // The first records of version 1 had zeros here: no index.
  w.index(meta.divergedAt ?? -1);
  // Zeros where nothing is being mended: no segment's records begin at its first byte.
  if (mending !== undefined) {
    w.u64(positionOf(mending.segment, mending.from)).u64(mending.to - mending.from);
  }
  assert(w.position <= slotBytes, "a slot holds its record");
  const bytes = new Uint8Array(slotBytes);
  bytes.set(w.finish());
  putU32(bytes, 4, crc32c(bytes, 8, slotBytes, placeSeed(directory, slot)));
  return bytes;
}

/**
 * @returns undefined when the slot is torn or rotted.
 * @throws LogError wrong-version when it is of a later format; damaged when its checksum is right and its fields are not.
 */
export function decodeSlot(bytes: Uint8Array, directory: number, slot: number): MetaRecord | undefined {
  if (bytes.length !== slotBytes || getU32(bytes, 0) !== magic) return undefined;
  if (crc32c(bytes, 8, slotBytes, placeSeed(directory, slot)) !== getU32(bytes, 4)) return undefined;
  const version = getU16(bytes, 8);
  if (version !== formatVersion) {
    throw new LogError(
      "wrong-version",
      `a meta file of format version ${version}, where ${formatVersion} is read`,
    );
  }
  // What a checksum vouches for and is no record was not written by this program: the other slot may hold an older vote.
  return wholeOr("the meta file", () => readSlot(new ByteReader(bytes, 10)));
}

function readSlot(r: ByteReader): MetaRecord {
  const sequence = r.u64();
  const term = r.u64();
  const votedFor = r.ascii(textBytesMax);
  const position = r.u64();
  const generation = r.u32();
  const previous = { index: r.index(), term: r.u64(), chainCrc: r.u32(), pos: r.u64() };
  const peers: { node: NodeId; incarnation: string }[] = [];
  for (let left = r.u16(); left > 0; left--) {
    peers.push({ node: nodeId(r.ascii(textBytesMax)), incarnation: r.ascii(textBytesMax) });
  }
  const divergedAt = r.index();
  const mending = { ...placeOf(r.u64()), bytes: r.u64() };
  const meta: Meta = { term, votedFor: votedFor === "" ? "" : nodeId(votedFor), peers };
  return {
    sequence,
    meta: divergedAt < 0 ? meta : { ...meta, divergedAt },
    cut: { position, generation, previous },
    ...(mending.bytes === 0 ? {} : { mending: rangeOf(mending) }),
  };
}

function rangeOf({ segment, offset, bytes }: Place & { readonly bytes: number }): Mending {
  return { segment, from: offset, to: offset + bytes };
}
