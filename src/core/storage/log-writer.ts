import { assert } from "../base/assert.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import { endOf, recordParts } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import { isFull } from "../io/disk.ts";
import { encodeBatchHeader } from "./batch.ts";
import type { CutPoint } from "./cut.ts";
import { cutLog, cutWithin, saveCut } from "./cut.ts";
import type { Extent, Hole, Holes } from "./damage.ts";
import { cutHole, damageOf, isTight, withRest } from "./damage.ts";
import type { Place } from "./format.ts";
import { batchHeaderBytes, frameBytes, positionOf, segmentHeaderBytes } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogView } from "./log-reader.ts";
import { locate } from "./log-reader.ts";
import type { Filling } from "./mend.ts";
import { beginFilling, chainsInto, fillHole } from "./mend.ts";
import type { MetaFile } from "./meta-file.ts";
import type { OpenedLog } from "./open-log.ts";
import type { StoreOptions } from "./options.ts";
import { continues } from "./scanner.ts";
import type { Segment } from "./segment.ts";
import type { Spare } from "./spare.ts";
import type { SparseIndex } from "./sparse-index.ts";

/** Copies for a hole. */
export interface Mending {
  readonly entries: readonly Entry[];
  /** The end of the piece that they are, which the caller has seen on a chain of records through the whole hole. */
  readonly upTo: LogEnd | undefined;
  /** The end of the hole that a piece was proven for: a cut that waits makes another one of it. */
  readonly through: LogEnd | undefined;
  /** Other records belong into the hole by now: true at any time from a cut that is asked for on. */
  readonly stale: boolean;
}

/** The one writer of a log's segments: each call is a task, and only one runs at a time. Whatever it returns from is synced. */
export class LogWriter {
  readonly files: LogFiles;
  readonly index: SparseIndex;
  readonly holes: Holes;
  private readonly options: StoreOptions;
  private readonly meta: MetaFile;
  private readonly spare: Spare;
  private readonly found: (hole: Hole) => void;
  /** The end of what is synced. */
  end: LogEnd;
  /** Where the next frame goes. */
  private place: Place;
  private headerWritten: boolean;
  /** Records were synced that no later header proves to be. */
  private unmarked: boolean;
  /** The end of the segment before, for the headers of one that was just begun. */
  private syncedBefore: number;
  /** How far a hole is filled that is mended in pieces. */
  private filling: Filling | undefined;

  constructor(opened: OpenedLog, options: StoreOptions, spare: Spare, found: (hole: Hole) => void) {
    const { scan } = opened;
    this.files = opened.files;
    this.meta = opened.meta;
    this.options = options;
    this.spare = spare;
    this.found = found;
    this.index = scan.index;
    this.holes = scan.holes;
    this.end = scan.end;
    this.place = scan.place;
    this.headerWritten = opened.headerWritten;
    this.syncedBefore = this.endBefore(scan.place.segment);
    this.unmarked = scan.end.index >= 0;
  }

  /** A segment may have been begun by a process that wrote no more: what is before it was synced then, or when the log was opened. */
  private endBefore(segment: number): number {
    const before = this.files.segments.get(segment - 1);
    return before === undefined ? 0 : positionOf(before.number, before.size);
  }

  private get active(): Segment {
    return this.files.get(this.place.segment);
  }

  private get position(): number {
    return positionOf(this.place.segment, this.place.offset);
  }

  /** Bytes of the segment in use that are still free; none while it is being cut away. */
  get room(): number {
    const size = this.files.segments.get(this.place.segment)?.size ?? 0;
    return Math.max(0, size - this.place.offset);
  }

  /** The log as of now, for a reading. */
  view(): LogView {
    return {
      files: this.files,
      index: this.index,
      cut: this.meta.record.cut,
      limit: { place: this.place, previous: this.end, syncedPosition: Number.MAX_SAFE_INTEGER },
      readBytesMax: this.options.readBytesMax,
      damaged: (hole) => {
        if (this.holes.add(hole)) this.found(hole);
      },
    };
  }

  // ---- Append

  /**
   * Writes entries from the front of a list as one batch and syncs.
   * @returns how many went with it; at least one.
   */
  *append(entries: readonly Entry[]): Task<number> {
    const first = entries[0];
    assert(first !== undefined && first.index === this.end.index + 1, "entries are written in order");
    assert(first.pos === this.end.pos, "an entry's pos continues the log");
    yield* this.leaveRest();
    if (!this.fits(first.size)) {
      if (this.mayWait(first.size)) yield* this.mark();
      yield* this.roll();
    }
    const batch = this.nextBatch(entries);
    const last = batch[batch.length - 1];
    assert(last !== undefined, "a batch has an entry");
    const payloadBytes = last.pos + last.size - first.pos;
    const at = this.place;
    yield* this.writeFrame(batch, payloadBytes);
    this.index.add(first.index, positionOf(at.segment, at.offset));
    this.end = endOf(last);
    this.unmarked = true;
    return batch.length;
  }

  /** Whether a batch fits into the segment and leaves room for a mark. A segment's first batch may make it grow. */
  private fits(payloadBytes: number): boolean {
    const { offset } = this.place;
    return offset === segmentHeaderBytes || this.holds(payloadBytes + batchHeaderBytes);
  }

  /** A full disk may keep the next segment waiting for long, and its header with it, which proves what is before. */
  private mayWait(payloadBytes: number): boolean {
    return this.spare.full || segmentHeaderBytes + frameBytes(payloadBytes) > this.options.segmentBytes;
  }

  private nextBatch(entries: readonly Entry[]): readonly Entry[] {
    let count = 0;
    let bytes = 0;
    for (const entry of entries) {
      const larger = bytes + entry.size;
      if (count > 0 && (larger > this.options.batchBytesMax || !this.holds(larger + batchHeaderBytes))) break;
      bytes = larger;
      count += 1;
    }
    return count === entries.length ? entries.slice() : entries.slice(0, count);
  }

  /** Whether a frame fits into the segment. */
  private holds(payloadBytes: number): boolean {
    return this.place.offset + frameBytes(payloadBytes) <= this.active.size;
  }

  /** Goes on in the next segment, which the spare becomes; waits for it if it is not there yet. */
  private *roll(): Task<void> {
    const segment = yield* wait<Segment>((done) => this.spare.take(done));
    assert(segment.number === this.place.segment + 1, "segments follow each other");
    this.files.segments.set(segment.number, segment);
    this.syncedBefore = this.position;
    this.place = { segment: segment.number, offset: segmentHeaderBytes };
    this.headerWritten = false;
    this.spare.keepAheadOf(segmentHeaderBytes, segment.size);
    this.spare.make();
  }

  /** One write and one sync: the segment's header if it has none yet, the batch's header, the records, zeros up to the next place. */
  private *writeFrame(entries: readonly Entry[], payloadBytes: number): Task<void> {
    const { segment: number, offset } = this.place;
    const segment = this.active;
    const generation = this.meta.record.cut.generation;
    const fresh = offset === segmentHeaderBytes && !this.headerWritten;
    const next = offset + frameBytes(payloadBytes);
    // A frame that makes its segment grow brings the room for its mark along, and the header that tells the new length.
    const tailBytes = entries.length > 0 && next + batchHeaderBytes > segment.size ? batchHeaderBytes : 0;
    const grows = next + tailBytes > segment.size;
    if (grows) yield* this.grow(segment, next + tailBytes);
    const syncedPosition = fresh ? this.syncedBefore : this.position;
    const paddingBytes = frameBytes(payloadBytes) - batchHeaderBytes - payloadBytes;
    const header = encodeBatchHeader(
      { generation, previous: this.end, count: entries.length, payloadBytes, paddingBytes, syncedPosition },
      this.files.seed,
      this.position,
    );
    const parts = [header, ...recordParts(entries)];
    if (paddingBytes + tailBytes > 0) parts.push(new Uint8Array(paddingBytes + tailBytes));
    const headed = fresh || grows;
    if (headed) parts.unshift(this.files.header(segment, generation, this.end, syncedPosition));
    yield* wait<void>((done) => segment.file.writeSynced(headed ? 0 : offset, parts, done));
    this.place = { segment: number, offset: next };
    this.spare.keepAheadOf(next, segment.size);
    this.headerWritten = true;
  }

  /**
   * Makes room for a frame that is larger than its segment, durable before a header tells of it; on a full disk it waits, as
   * for the spare.
   */
  private *grow(segment: Segment, size: number): Task<void> {
    for (;;) {
      try {
        yield* this.files.zeroSynced(segment.file, segment.size, size);
        segment.size = size;
        return;
      } catch (error) {
        if (!isFull(error)) throw error;
      }
      yield* wait<void>((done) => this.spare.awaitRoom(done));
    }
  }

  /** Leaves evidence that everything so far is synced: a batch without records. */
  *mark(): Task<void> {
    if (!this.unmarked || !this.headerWritten || !this.holds(0)) return;
    // Behind a hole that may need the rest of its segment a mark would stand in the way; the cut tells where the log ends.
    if (this.restless() !== undefined) return;
    yield* this.writeFrame([], 0);
    this.unmarked = false;
  }

  // ---- Truncate

  /** Cuts the log before `from`. @param before its end there, needed when it cannot be read from the disk. */
  *truncate(from: number, before: LogEnd | undefined): Task<void> {
    if (from > this.end.index) return;
    const point = yield* this.cutPoint(from, before);
    const { segment } = point.place;
    const later = [...this.files.segments.values()].filter((known) => known.number > segment);
    if (later.length > 0) {
      yield* wait<void>((done) => this.spare.whenIdle(done, "given up"));
      const unfit = this.spare.want(segment + 1);
      if (unfit !== undefined) later.push(unfit);
    }
    this.index.cut(positionOf(segment, point.place.offset));
    this.holes.cut(from, point.end, point.place);
    this.place = yield* cutLog(this.files, this.meta, point, later);
    this.headerWritten = true;
    this.end = point.end;
    this.unmarked = point.end.index >= 0;
    this.spare.keepAheadOf(this.place.offset, this.active.size);
    this.spare.release();
    yield* this.forgetMending(0);
  }

  private *cutPoint(from: number, before: LogEnd | undefined): Task<CutPoint> {
    const found = yield* locate(this.view(), from);
    if (found === undefined) return yield* this.cutPointInside(from, before);
    const place = "batch" in found ? found.batch.place : found;
    const segment = this.files.get(place.segment);
    const dirtyTo = place.segment === this.place.segment ? this.place.offset : segment.size;
    // The disk gives what it did not give when it was opened, and that is not what the caller goes on from: dead records.
    if ("batch" in found && before !== undefined && !continues(found.before, before))
      return yield* this.cutPointInside(from, before);
    if ("batch" in found) return cutWithin(found.batch, found.offset, found.before, dirtyTo);
    // Damage begins here: what is left of it goes.
    const hole = this.holes.at(from);
    assert(hole !== undefined, "damage that was met is known");
    // What was met lies in damage that begins before: the disk gave more of it this time.
    if (hole.before.index + 1 !== from) return yield* this.cutPointInside(from, before);
    if (hole.batch === undefined) return { place: found, batch: undefined, end: hole.before, dirtyTo };
    return cutWithin(hole.batch, found.offset, hole.before, dirtyTo);
  }

  private *cutPointInside(from: number, before: LogEnd | undefined): Task<CutPoint> {
    const hole = this.holes.at(from);
    if (hole === undefined || before?.index !== from - 1) {
      throw new LogError("damaged", `the log cannot be cut at ${from}: the record before is damaged`);
    }
    const { left, place, batch } = cutHole(hole, before);
    // A disk may give tomorrow what it did not give today: what is cut here would be back, in front of the cut.
    yield* this.erase(left.extents);
    this.holes.remove(hole);
    this.holes.add(left);
    const segment = this.files.get(place.segment);
    const dirtyTo = place.segment === this.place.segment ? this.place.offset : segment.size;
    return { place, batch, end: before, dirtyTo };
  }

  private *erase(extents: readonly Extent[]): Task<void> {
    for (const { segment, from, to } of extents)
      yield* this.files.zeroSynced(this.files.get(segment).file, from, to);
  }

  /**
   * A log that was cut within damage goes on in the next segment when what belongs into the damage may not fit: the rest of
   * this one is left to it. Of damage at the end of a log nothing but the cut tells where it ends, so that moves along.
   */
  private *leaveRest(): Task<void> {
    if (this.restless() === undefined) return;
    yield* this.roll();
    const hole = this.restless();
    if (hole !== undefined) this.holes.replace(hole, withRest(this.files, hole));
    yield* saveCut(this.meta, this.place, this.end);
  }

  private restless(): Hole | undefined {
    const hole = this.holes.all[this.holes.all.length - 1];
    if (hole === undefined || !continues(hole.after, this.end) || !isTight(hole)) return undefined;
    return continues(this.meta.record.cut.previous, this.end) ? hole : undefined;
  }

  // ---- Mend

  /**
   * Puts a peer's copies in place of the records of a hole that they cover, or of the piece of the first hole that ends with `upTo`.
   * @returns whether they are in place; false when they do not chain into what is around them, or came too late.
   */
  *mend(mending: Mending): Task<boolean> {
    yield* this.leaveRest();
    const begin = mending.stale ? undefined : this.beginMending(mending);
    if (begin === undefined) return false;
    const filled = yield* fillHole({ files: this.files, meta: this.meta }, begin.filling, begin.copies);
    const left = filled?.hole;
    if (left !== undefined && left.before.index === left.after.index) yield* this.forgetMending(1);
    // The hole is one as before for the cut that was asked for meanwhile, which takes away what is in it.
    this.filling = mending.stale ? undefined : filled;
    if (this.filling === undefined) return false;
    this.holes.replace(begin.filling.hole, this.filling.hole);
    return true;
  }

  /** @returns where which copies go; undefined when they do not chain into what is around them, or fill no hole. */
  private beginMending(mending: Mending): { filling: Filling; copies: readonly Entry[] } | undefined {
    const { entries, upTo } = mending;
    if (upTo !== undefined) {
      const filling = this.fillingFor(entries, upTo, mending.through);
      return filling && { filling, copies: entries };
    }
    const first = entries[0]?.index ?? 0;
    for (const hole of this.holes.all) {
      const range = damageOf(hole);
      const copies = entries.slice(range.first - first, range.last + 1 - first);
      if (range.first < first || copies.length !== range.last + 1 - range.first) continue;
      if (!chainsInto(hole.before, copies, hole.after)) return undefined;
      return { filling: beginFilling(hole), copies };
    }
    return undefined;
  }

  /** Where a piece goes: it is the first of the first hole, or the one behind the last piece. */
  private fillingFor(
    entries: readonly Entry[],
    upTo: LogEnd,
    through: LogEnd | undefined,
  ): Filling | undefined {
    const hole = this.holes.all[0];
    if (hole === undefined || upTo.index > hole.after.index) return undefined;
    if (through === undefined || !continues(hole.after, through)) return undefined;
    // A hole that was cut or has grown is another one: it is filled from its front again.
    const filling = this.filling?.hole === hole ? this.filling : beginFilling(hole);
    const from = entries[0]?.index === hole.before.index + 1 ? beginFilling(hole) : filling;
    if (!chainsInto(from.end, entries, upTo)) return undefined;
    return upTo.index === hole.after.index && !continues(upTo, hole.after) ? undefined : from;
  }

  /** Where nothing is damaged any more, but for so many holes that are filled, the next opening need not write anything again. */
  private *forgetMending(filled: number): Task<void> {
    if (this.holes.all.length > filled || this.meta.record.mending === undefined) return;
    yield* wait<void>((done) => this.meta.saveMending(undefined, done));
  }
}
