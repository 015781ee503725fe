import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import { ByteWriter, getU16, getU32, getU64, putU32 } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import type { LogEnd } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { DiskFile } from "../io/disk.ts";
import { placeSeed } from "./batch.ts";
import { formatVersion, positionOf, segmentHeaderBytes } from "./format.ts";

/** What opens a segment: whose it is, and the log's end before its first record. Written with the first batch. */
export interface SegmentHeader {
  readonly number: number;
  readonly generation: number;
  readonly previous: LogEnd;
  readonly syncedPosition: number;
  /** Length of the file, durable before this is written. */
  readonly fileBytes: number;
  readonly cluster: string;
  readonly group: GroupId;
  readonly node: NodeId;
  readonly incarnation: string;
  readonly voters: readonly NodeId[];
}

/** The part of a segment header that recovery needs; the names are for people and tools. */
export interface SegmentStart {
  readonly generation: number;
  readonly previous: LogEnd;
  readonly syncedPosition: number;
  /** The file was at least this long once; 0 where that is not told. */
  readonly fileBytes: number;
}

/** An open segment file. */
export interface Segment {
  readonly number: number;
  readonly file: DiskFile;
  /** Length of the file; it grows only for a frame larger than a segment. */
  size: number;
}

/** "qls1". */
const magic = 0x716c7331;
const namePattern = /^segment-(\d{10})$/;
const unfinishedPattern = /^segment-(\d{10})\.new$/;
/** Where a page tells how long its file is: at its end, where the first headers had zeros. */
const fileBytesOffset = segmentHeaderBytes - 4;

export function segmentName(number: number): string {
  return `segment-${String(number).padStart(10, "0")}`;
}

/** The name of a segment that is being made: it gets its own once its length is durable, so no shorter file ever bears that. */
export function unfinishedName(number: number): string {
  return `${segmentName(number)}.new`;
}

/** @returns undefined when the name is no unfinished segment's. */
export function unfinishedNumber(name: string): number | undefined {
  return numberIn(unfinishedPattern, name);
}

/** @returns undefined when the name is no segment's. */
export function segmentNumber(name: string): number | undefined {
  return numberIn(namePattern, name);
}

function numberIn(pattern: RegExp, name: string): number | undefined {
  const match = pattern.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/** One page: magic, CRC32C of the rest, version, the fields, zeros, and the file's length. */
export function encodeSegmentHeader(header: SegmentHeader, directory: number): Uint8Array {
  const w = new ByteWriter(segmentHeaderBytes);
  w.u32(magic).u32(0).u16(formatVersion).u16(0);
  w.u32(header.generation).index(header.previous.index).u64(header.previous.term).u64(header.previous.pos);
  w.u64(header.syncedPosition).u32(header.previous.chainCrc).u32(header.number);
  w.ascii(header.cluster).ascii(header.group).ascii(header.node).ascii(header.incarnation);
  w.u16(header.voters.length);
  for (const voter of header.voters) w.ascii(voter);
  assert(w.position <= fileBytesOffset, "a segment header fits its page");
  const bytes = new Uint8Array(segmentHeaderBytes);
  bytes.set(w.finish());
  putU32(bytes, fileBytesOffset, header.fileBytes);
  const seed = placeSeed(directory, positionOf(header.number, 0));
  putU32(bytes, 4, crc32c(bytes, 8, segmentHeaderBytes, seed));
  return bytes;
}

/**
 * @returns undefined when the page is not the header that this directory wrote for this segment.
 * @throws LogError wrong-version when it is one of a later format.
 */
export function decodeSegmentHeader(
  bytes: Uint8Array,
  at: number,
  directory: number,
  number: number,
): SegmentStart | undefined {
  if (bytes.length - at < segmentHeaderBytes || getU32(bytes, at) !== magic) return undefined;
  const seed = placeSeed(directory, positionOf(number, 0));
  if (crc32c(bytes, at + 8, at + segmentHeaderBytes, seed) !== getU32(bytes, at + 4)) return undefined;
  const version = getU16(bytes, at + 8);
  if (version !== formatVersion) {
    throw new LogError(
      "wrong-version",
      `${segmentName(number)} has format version ${version}, where ${formatVersion} is read`,
    );
  }
  return {
    generation: getU32(bytes, at + 12),
    previous: {
      index: getU64(bytes, at + 16) - 1,
      term: getU64(bytes, at + 24),
      pos: getU64(bytes, at + 32),
      chainCrc: getU32(bytes, at + 48),
    },
    syncedPosition: getU64(bytes, at + 40),
    fileBytes: getU32(bytes, at + fileBytesOffset),
  };
}
