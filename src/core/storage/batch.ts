import { getU16, getU32, getU64, putU16, putU32, putU64 } from "../base/bytes.ts";
import { crc32c, crcOf, crcUpdateU32 } from "../base/crc32c.ts";
import type { LogEnd } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import { batchHeaderBytes, formatVersion } from "./format.ts";

/**
 * A batch is what one write brought to the disk: this header, the record bytes, padding. The header is the node's own,
 * the record bytes are the same on every node.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 4 | magic |
 * | 4 | 4 | CRC32C of bytes 8-63, seeded with the directory's incarnation and the header's position |
 * | 8 | 2 | format version |
 * | 10 | 2 | flags, 0 |
 * | 12 | 4 | generation: how often the log had been cut when this was written |
 * | 16 | 8 | index of the first record |
 * | 24 | 8 | term of the record before it |
 * | 32 | 8 | pos of the first record |
 * | 40 | 8 | position known to be synced when this was written |
 * | 48 | 4 | chainCrc of the record before |
 * | 52 | 4 | records; 0 for a mark |
 * | 56 | 4 | record bytes |
 * | 60 | 4 | padding bytes |
 *
 * The seed keeps bytes of another directory, another place or a client's body from ever passing for a header.
 */
export interface BatchHeader {
  readonly generation: number;
  /** The log's end before the first record. */
  readonly previous: LogEnd;
  readonly count: number;
  readonly payloadBytes: number;
  readonly paddingBytes: number;
  /** Everything before this position was synced when the header was written: a bad record there is damage, not a torn tail. */
  readonly syncedPosition: number;
}

/** "qlb1". */
export const batchMagic = 0x716c6231;

/** The part of a checksum's seed that is the directory's own. */
export function directorySeed(incarnation: string): number {
  return crc32c(new TextEncoder().encode(incarnation));
}

/** @returns the seed of a header's checksum at `position` of the directory: the checksum of both. */
export function placeSeed(directory: number, position: number): number {
  const upper = crcUpdateU32(~directory, Math.floor(position / 0x1_0000_0000));
  return crcOf(crcUpdateU32(upper, position >>> 0));
}

export function encodeBatchHeader(header: BatchHeader, directory: number, position: number): Uint8Array {
  const bytes = new Uint8Array(batchHeaderBytes);
  putU32(bytes, 0, batchMagic);
  putU16(bytes, 8, formatVersion);
  putU32(bytes, 12, header.generation);
  putU64(bytes, 16, header.previous.index + 1);
  putU64(bytes, 24, header.previous.term);
  putU64(bytes, 32, header.previous.pos);
  putU64(bytes, 40, header.syncedPosition);
  putU32(bytes, 48, header.previous.chainCrc);
  putU32(bytes, 52, header.count);
  putU32(bytes, 56, header.payloadBytes);
  putU32(bytes, 60, header.paddingBytes);
  putU32(bytes, 4, crc32c(bytes, 8, batchHeaderBytes, placeSeed(directory, position)));
  return bytes;
}

/**
 * @returns undefined when the bytes at `at` are not a header that this directory wrote at this position.
 * @throws LogError wrong-version when they are one of a later format.
 */
export function decodeBatchHeader(
  bytes: Uint8Array,
  at: number,
  directory: number,
  position: number,
): BatchHeader | undefined {
  if (bytes.length - at < batchHeaderBytes || getU32(bytes, at) !== batchMagic) return undefined;
  const crc = crc32c(bytes, at + 8, at + batchHeaderBytes, placeSeed(directory, position));
  if (crc !== getU32(bytes, at + 4)) return undefined;
  const version = getU16(bytes, at + 8);
  if (version !== formatVersion) {
    throw new LogError(
      "wrong-version",
      `a batch of format version ${version}, where ${formatVersion} is read`,
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
    count: getU32(bytes, at + 52),
    payloadBytes: getU32(bytes, at + 56),
    paddingBytes: getU32(bytes, at + 60),
  };
}

/** Bytes from the header to the next frame. */
export function batchBytes(header: BatchHeader): number {
  return batchHeaderBytes + header.payloadBytes + header.paddingBytes;
}
