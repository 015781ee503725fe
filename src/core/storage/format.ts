import { assert } from "../base/assert.ts";

/** Version of every file of a log's directory; a file of another version is refused by name. */
export const formatVersion = 1;

/**
 * Frames begin at multiples of this, so that a frame's header never crosses a 512-byte sector: after a crash it is
 * there whole or not at all, and a search for headers needs to look at one place in 64 bytes only.
 */
export const frameAlignmentBytes = 64;
export const batchHeaderBytes = 64;
export const segmentHeaderBytes = 4_096;

/** Segments are numbered; a position is segment number * 2^32 + offset in the file, so positions compare as numbers. */
const positionsPerSegment = 0x1_0000_0000;
const segmentNumberMax = 0x1f_ffff;

/** A place in the log's files. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

export function positionOf(segment: number, offset: number): number {
  assert(segment <= segmentNumberMax && offset < positionsPerSegment, "a position fits 53 bits");
  return segment * positionsPerSegment + offset;
}

export function placeOf(position: number): Place {
  return { segment: Math.floor(position / positionsPerSegment), offset: position % positionsPerSegment };
}

export function alignUp(offset: number): number {
  return Math.ceil(offset / frameAlignmentBytes) * frameAlignmentBytes;
}

/** Bytes that a batch of `payloadBytes` record bytes takes on the disk: header, records, padding. */
export function frameBytes(payloadBytes: number): number {
  return batchHeaderBytes + alignUp(payloadBytes);
}
