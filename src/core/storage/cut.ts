import type { LogEnd } from "../base/entry.ts";
import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import type { BatchHeader } from "./batch.ts";
import { encodeBatchHeader } from "./batch.ts";
import type { PlacedBatch } from "./damage.ts";
import type { Place } from "./format.ts";
import { alignUp, batchHeaderBytes, placeOf, positionOf } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import type { Cut } from "./meta.ts";
import type { MetaFile } from "./meta-file.ts";
import type { Segment } from "./segment.ts";

/** Where a log is to end. */
export interface CutPoint {
  /** Behind the last byte that stays. */
  readonly place: Place;
  /** The batch that the cut goes through; undefined when it goes between two. */
  readonly batch: PlacedBatch | undefined;
  readonly end: LogEnd;
  /** Bytes of the segment up to here may be other than zero. */
  readonly dirtyTo: number;
}

/**
 * Cuts the log so that what is cut never comes back:
 * 1. the cut is made durable in the meta file; from here on a crash leaves the cut log, whatever else is done by then;
 * 2. segments behind it go, each durably before the one in front of it, and before them one that was being made;
 * 3. the batch that the cut goes through gets a header that counts what stays, and all bytes behind become zeros.
 *
 * Everything before the cut must be durable already.
 * @returns where the next batch goes.
 */
export function* cutLog(
  files: LogFiles,
  meta: MetaFile,
  point: CutPoint,
  later: readonly Segment[],
): Task<Place> {
  const { segment: number, offset } = point.place;
  yield* saveCut(meta, point.place, point.end);
  // A log that is being closed leaves its next segment half made.
  if (later.length > 0) yield* files.removeUnfinished();
  yield* files.remove(later);
  const segment = files.get(number);
  yield* clipBatch(files, segment, point);
  yield* files.zero(segment.file, offset, Math.min(point.dirtyTo, segment.size));
  yield* wait<void>((done) => segment.file.sync(done));
  return { segment: number, offset: alignUp(offset) };
}

/** From here on only batches of a new generation count at or behind a place, where the log ends. */
export function* saveCut(meta: MetaFile, place: Place, end: LogEnd): Task<void> {
  const cut: Cut = {
    position: positionOf(place.segment, place.offset),
    generation: meta.record.cut.generation + 1,
    previous: end,
  };
  yield* wait<void>((done) => meta.saveCut(cut, done));
}

/** Writes the header that a cut batch keeps; the caller syncs. */
export function* clipBatch(files: LogFiles, segment: Segment, point: CutPoint): Task<void> {
  if (point.batch === undefined) return;
  const clipped = clippedHeader(point.batch, point.place.offset, point.end);
  yield* writeHeader(files, segment, point.batch.place, clipped);
}

function clippedHeader({ place, header }: PlacedBatch, offset: number, end: LogEnd): BatchHeader {
  const payloadBytes = offset - place.offset - batchHeaderBytes;
  const paddingBytes = alignUp(payloadBytes) - payloadBytes;
  return { ...header, count: end.index - header.previous.index, payloadBytes, paddingBytes };
}

/** A header lies within one sector, so a crash leaves the old one, which the durable cut clips, or the new one. */
function* writeHeader(files: LogFiles, segment: Segment, place: Place, header: BatchHeader): Task<void> {
  const bytes = encodeBatchHeader(header, files.seed, positionOf(place.segment, place.offset));
  yield* wait<void>((done) => segment.file.write(place.offset, [bytes], done));
}

/**
 * Writes the header again that the last cut gave the batch in front of it; the caller syncs. The cut's own sync may have
 * failed: then the disk would give back the header of before, which counts records that were cut. Only the last cut tells
 * that they were; the next one would not. Written from what was read: a second reading may give something else.
 */
export function* clipBatchAgain(files: LogFiles, segment: Segment, cut: Cut, batch: PlacedBatch): Task<void> {
  const offset = endAfterCut(cut, batch);
  const whole = offset === payloadEndOf(batch);
  const header = whole ? batch.header : clippedHeader(batch, offset, cut.previous);
  yield* writeHeader(files, segment, batch.place, header);
}

/** File offset at which a batch's records end, which the last cut may have gone through. */
export function endAfterCut(cut: Cut, batch: PlacedBatch): number {
  const { segment, offset } = placeOf(cut.position);
  const { place, header } = batch;
  const payloadEnd = payloadEndOf(batch);
  const through = segment === place.segment && offset > place.offset && offset < payloadEnd;
  return through && header.generation < cut.generation ? offset : payloadEnd;
}

export function payloadEndOf({ place, header }: PlacedBatch): number {
  return place.offset + batchHeaderBytes + header.payloadBytes;
}

/** The cut point behind the last good record of a batch: between two batches when none of its records stays. */
export function cutWithin(batch: PlacedBatch, offset: number, end: LogEnd, dirtyTo: number): CutPoint {
  if (end.index === batch.header.previous.index)
    return { place: batch.place, batch: undefined, end, dirtyTo };
  return { place: { segment: batch.place.segment, offset }, batch, end, dirtyTo };
}
