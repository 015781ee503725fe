import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import { kibibyte, mebibyte } from "../base/units.ts";
import { segmentHeaderBytes } from "./format.ts";

export interface StoreOptions {
  /** Relative to the node's root, e.g. "g0". */
  readonly directory: string;
  /** 32 hex digits; checked against the directory's when both are known. */
  readonly cluster?: string;
  readonly group: GroupId;
  readonly node: NodeId;
  /** Sorted; checked against those that the directory's group was made with. */
  readonly voters?: readonly NodeId[];
  /** A multiple of 4 KiB, at least 8 KiB. A larger frame gets a segment of its own. */
  readonly segmentBytes: number;
  /** The last preallocated bytes, kept for what must still be written on a full disk. */
  readonly reserveBytes: number;
  /** Zeros of the next segment are written and synced so many at a time, between appends: the disk is never held up for longer. */
  readonly aheadBytes: number;
  /** Record bytes of one write; a larger entry is written alone. */
  readonly batchBytesMax: number;
  /** Bytes of one read, unless a record is larger. */
  readonly readBytesMax: number;
  /** Distance of the places that the in-memory index remembers. */
  readonly indexIntervalBytes: number;
}

export const defaultStoreLimits: Omit<StoreOptions, "directory" | "cluster" | "group" | "node" | "voters"> = {
  segmentBytes: 64 * mebibyte,
  reserveBytes: 16 * mebibyte,
  aheadBytes: 256 * kibibyte,
  batchBytesMax: mebibyte,
  readBytesMax: mebibyte,
  indexIntervalBytes: 64 * kibibyte,
};

export function checkStoreOptions(options: StoreOptions): void {
  const { segmentBytes, reserveBytes, aheadBytes, batchBytesMax, readBytesMax, indexIntervalBytes } = options;
  assert(
    segmentBytes % segmentHeaderBytes === 0 &&
      segmentBytes >= 2 * segmentHeaderBytes &&
      segmentBytes <= 2 ** 31,
    "segmentBytes is a multiple of 4096 from 8192 to 2^31",
  );
  assert(reserveBytes >= 0 && reserveBytes < 2 * segmentBytes, "the reserve fits into two segments");
  assert(aheadBytes >= segmentHeaderBytes, "a whole page at least is written ahead at a time");
  assert(batchBytesMax >= 1 && readBytesMax >= 512 && indexIntervalBytes >= 1, "store limits are positive");
}
