import { assert } from "../base/assert.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import { decodeEntry, endOf, recordParts } from "../base/entry.ts";
import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import { encodeBatchHeader } from "./batch.ts";
import { clipBatch, cutWithin } from "./cut.ts";
import type { Extent, Hole } from "./damage.ts";
import { freshFrom } from "./damage.ts";
import { alignUp, batchHeaderBytes, positionOf, segmentHeaderBytes } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import type { MetaFile } from "./meta-file.ts";
import { continues } from "./scanner.ts";
import type { Segment } from "./segment.ts";

/** How far copies have come in a hole. What is mended counts once the extent that it lies in is whole. */
export interface Filling {
  /** What is left of the hole; its first extent is the one at work. */
  readonly hole: Hole;
  /** The end of the copies that are in place. */
  readonly end: LogEnd;
  /** File offset of the next one, in the first extent. */
  readonly offset: number;
}

export function beginFilling(hole: Hole): Filling {
  return { hole, end: hole.before, offset: firstOffset(hole.extents[0]) };
}

/** A fresh batch begins with its header, a good one goes on where its records were. */
function firstOffset(extent: Extent | undefined): number {
  if (extent === undefined) return 0;
  return extent.lastIndex === undefined ? extent.from + batchHeaderBytes : extent.from;
}

/** @returns whether the copies are whole and chain from one end into the other. */
export function chainsInto(before: LogEnd, entries: readonly Entry[], after: LogEnd): boolean {
  let end = before;
  for (const entry of entries) {
    const limit = entry.offset + entry.size;
    if (typeof decodeEntry(entry.block, entry.offset, limit, end) === "string") return false;
    end = endOf(entry);
  }
  return continues(end, after);
}

/** A log's files, and where is noted what is written into them: a process that comes after this one writes it again. */
export interface Mended {
  readonly files: LogFiles;
  readonly meta: MetaFile;
}

/**
 * Puts copies that chain in place of a hole's records, from its front on, and syncs. A fresh batch gets its header last,
 * once all that fits has come: a crash half-way leaves damage as before, or less, and no piece takes room for a header of
 * its own, which there might not be.
 * @returns how far the hole is filled; undefined when the copies do not fit into the places that are there.
 */
export function* fillHole(log: Mended, begin: Filling, entries: readonly Entry[]): Task<Filling | undefined> {
  let filling = begin;
  for (let next = 0; ; ) {
    const extent = filling.hole.extents[0];
    if (extent === undefined) return undefined;
    const count = fitting(filling, extent, entries, next);
    const taken = entries.slice(next, next + count);
    next += count;
    const last = taken[count - 1];
    const filled = {
      ...filling,
      end: last === undefined ? filling.end : endOf(last),
      offset: filling.offset + (last === undefined ? 0 : last.pos + last.size - filling.end.pos),
    };
    const whole = next < entries.length || filled.end.index === filling.hole.after.index;
    if (extent.lastIndex !== undefined && differs(filled.offset, extent.to, whole)) {
      filling = yield* clipped(log, filling, extent);
      next -= count;
      continue;
    }
    yield* place(log, filling, filled, { extent, taken, whole });
    filling = shrunk(filled, extent, whole);
    if (next === entries.length) return filling;
  }
}

/** The log was cut within the damage: others belong in a good batch's place than those that were there, or they would go on alike. */
function differs(offset: number, to: number, whole: boolean): boolean {
  return whole ? offset !== to : offset > to;
}

/** A good batch keeps what is good of it; what its other records were is from now on a place whose header is lost. */
function* clipped(log: Mended, { hole }: Filling, extent: Extent): Task<Filling> {
  const { batch } = hole;
  assert(batch !== undefined, "the batch of the damage is known");
  const { files } = log;
  const segment = files.get(extent.segment);
  const point = cutWithin(batch, extent.from, hole.before, extent.to);
  yield* note(log, segment, batch.place.offset, batchHeaderBytes);
  yield* clipBatch(files, segment, point);
  yield* wait<void>((done) => segment.file.sync(done));
  return beginFilling(freshFrom(hole, alignUp(point.place.offset)));
}

/** How many of the entries from `next` on the extent at work takes: exactly those of a good batch, else as many as fit. */
function fitting(filling: Filling, extent: Extent, entries: readonly Entry[], next: number): number {
  let { offset } = filling;
  let count = 0;
  for (let entry = entries[next]; entry !== undefined; entry = entries[next + count]) {
    // A record larger than a segment has a segment of its own, which grows.
    const alone = extent.from === segmentHeaderBytes && offset === firstOffset(extent);
    // Where a log was cut within damage, all that belongs there goes into the last of its segments.
    const grows = extent.open && (alone || filling.hole.extents.length === 1);
    const fits = offset + entry.size <= extent.to || grows;
    if (extent.lastIndex === undefined ? !fits : entry.index > extent.lastIndex) break;
    offset += entry.size;
    count += 1;
  }
  return count;
}

interface Step {
  readonly extent: Extent;
  readonly taken: readonly Entry[];
  /** The extent is done with. */
  readonly whole: boolean;
}

/** Writes and syncs the records of one step, and the header of a fresh batch behind them. */
function* place(log: Mended, from: Filling, to: Filling, step: Step): Task<void> {
  const { extent, taken, whole } = step;
  const { files, meta } = log;
  const segment = files.get(extent.segment);
  const fresh = extent.lastIndex === undefined && whole && to.end.index > from.hole.before.index;
  const header = fresh ? batchHeader(files, extent, to, meta.record.cut.generation) : undefined;
  const parts = recordParts(taken);
  // A segment that grows ends where a frame may begin.
  const end = whole && to.offset > segment.size ? alignUp(to.offset) : to.offset;
  if (end > to.offset) parts.push(new Uint8Array(end - to.offset));
  if (header !== undefined && from.offset === firstOffset(extent)) {
    yield* writeNoted(log, segment, extent.from, [header, ...parts]);
  } else {
    if (parts.length > 0) yield* writeNoted(log, segment, from.offset, parts);
    if (header !== undefined) yield* writeNoted(log, segment, extent.from, [header]);
  }
  segment.size = Math.max(segment.size, end);
}

/**
 * Nothing else tells a process that comes after this one whether the write is durable: it was killed before the sync, or the
 * sync failed, and the kernel still gives what the disk does not hold.
 */
function* writeNoted(
  log: Mended,
  segment: Segment,
  offset: number,
  parts: readonly Uint8Array[],
): Task<void> {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  yield* note(log, segment, offset, bytes);
  yield* wait<void>((done) => segment.file.writeSynced(offset, parts, done));
}

/** What was noted before is durable by now: one write is under way at a time, and after one that failed there is none. */
function* note({ meta }: Mended, { number }: Segment, from: number, bytes: number): Task<void> {
  yield* wait<void>((done) => meta.saveMending({ segment: number, from, to: from + bytes }, done));
}

/** What is left once a step is done. Within a good batch every record counts at once. */
function shrunk(filled: Filling, extent: Extent, whole: boolean): Filling {
  const { hole, end, offset } = filled;
  const others = hole.extents.slice(1);
  if (whole) return beginFilling({ ...hole, before: end, extents: others, batch: undefined });
  if (extent.lastIndex === undefined) return filled;
  return beginFilling({ ...hole, before: end, extents: [{ ...extent, from: offset }, ...others] });
}

/** The header of a fresh batch that fills its extent up to the next frame. */
function batchHeader(files: LogFiles, extent: Extent, filled: Filling, generation: number): Uint8Array {
  const { before } = filled.hole;
  const position = positionOf(extent.segment, extent.from);
  return encodeBatchHeader(
    {
      generation,
      previous: before,
      count: filled.end.index - before.index,
      payloadBytes: filled.end.pos - before.pos,
      paddingBytes: Math.max(extent.to, alignUp(filled.offset)) - filled.offset,
      syncedPosition: position,
    },
    files.seed,
    position,
  );
}
