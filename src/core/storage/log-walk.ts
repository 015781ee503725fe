import type { Entry, LogEnd } from "../base/entry.ts";
import type { Task } from "../base/task.ts";
import type { BatchHeader } from "./batch.ts";
import { batchBytes } from "./batch.ts";
import { endAfterCut, payloadEndOf } from "./cut.ts";
import type { Flaw, Hole, PlacedBatch } from "./damage.ts";
import { framesBetween, holeOfBody, holeOfFlaw } from "./damage.ts";
import type { Place } from "./format.ts";
import { alignUp, batchHeaderBytes, positionOf } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import type { Cut } from "./meta.ts";
import type { Anchor, Leftovers } from "./scanner.ts";
import { continues, follows, Scanner } from "./scanner.ts";

/** Who walks. Each call that returns false ends the walk. */
export interface LogVisitor {
  batch?(batch: PlacedBatch): void;
  /** A segment was entered whose first record follows `end`. */
  segment?(number: number, end: LogEnd): Task<void>;
  /** Reading goes on behind a place that could not be read; something was lost only if `hole` was called before. */
  resumed?(anchor: Anchor): void;
  entry(entry: Entry, offset: number, batch: PlacedBatch): boolean;
  hole(hole: Hole): boolean;
}

/** A batch that was not read to its end, and the offset at which it ends now. */
export interface Clip extends PlacedBatch {
  readonly offset: number;
  /** Its next record is bad and nothing proves that it was ever synced. */
  readonly torn: boolean;
}

/**
 * Reads the log in order. Where neither a record nor a batch header continues it, evidence decides: a later header
 * which says that this place was synced makes it damage, which is never cut; without one it is a torn tail, and the end.
 * Bytes written before the last cut, at or behind it, count for nothing.
 */
export class LogWalk {
  readonly scanner: Scanner;
  /** What the last search that found nothing saw. */
  readonly leftovers: Leftovers = { dirty: new Map<number, number>(), stale: false };
  end: LogEnd;
  /** Where the next frame is looked for. */
  place: Place;
  clip: Clip | undefined;
  private readonly files: LogFiles;
  private readonly cut: Cut;
  private readonly visitor: LogVisitor;
  /** The end of a log that is open: everything before it was synced. */
  private readonly limit: Anchor | undefined;
  private stopped = false;

  constructor(
    files: LogFiles,
    cut: Cut,
    readBytesMax: number,
    start: { readonly place: Place; readonly end: LogEnd },
    visitor: LogVisitor,
    limit?: Anchor,
  ) {
    this.files = files;
    this.cut = cut;
    this.visitor = visitor;
    this.limit = limit;
    this.place = start.place;
    this.end = start.end;
    // Whoever has no limit reads to the end.
    this.scanner = new Scanner(files, cut, readBytesMax, files.lastNumber, limit === undefined);
  }

  *run(): Task<void> {
    while (!this.stopped && !this.atLimit()) {
      const next = yield* this.scanner.next(this.place, this.end);
      if (next !== undefined) {
        yield* this.moveTo(next.place);
        if (next.header !== undefined) yield* this.takeBatch(next.header);
        continue;
      }
      const anchor = yield* this.search(this.place, positionOf(this.place.segment, this.place.offset));
      if (anchor === undefined) return;
      const extents = framesBetween(this.files, this.place, anchor.place);
      this.tellHole({ before: this.end, after: anchor.previous, extents, batch: undefined });
      yield* this.resume(anchor);
    }
  }

  private atLimit(): boolean {
    return this.limit !== undefined && this.end.index >= this.limit.previous.index;
  }

  /** The first place behind `from` at which the log goes on, or that proves `here` to have been synced. */
  private *search(from: Place, here: number): Task<Anchor | undefined> {
    const { end, limit } = this;
    const accept = (anchor: Anchor): boolean =>
      follows(end, anchor.previous) && (anchor.syncedPosition > here || continues(end, anchor.previous));
    this.leftovers.dirty.clear();
    this.leftovers.stale = false;
    const found = yield* this.scanner.search(from, here, accept, this.leftovers);
    return found ?? (limit !== undefined && follows(end, limit.previous) ? limit : undefined);
  }

  private *moveTo(place: Place): Task<void> {
    const entered = place.segment !== this.place.segment;
    this.place = place;
    if (entered && this.visitor.segment !== undefined) yield* this.visitor.segment(place.segment, this.end);
  }

  private tellHole(hole: Hole): void {
    if (hole.after.index > hole.before.index && !this.visitor.hole(hole)) this.stopped = true;
  }

  private *resume(anchor: Anchor): Task<void> {
    this.end = anchor.previous;
    this.visitor.resumed?.(anchor);
    yield* this.moveTo(anchor.place);
  }

  /** Reads the records of the batch at `place`, and moves behind it or to where the log can be read on. */
  private *takeBatch(header: BatchHeader): Task<void> {
    const { place } = this;
    const { segment, offset } = place;
    const batch = { place, header };
    this.visitor.batch?.(batch);
    const stop = endAfterCut(this.cut, batch);
    const clipped = stop < payloadEndOf(batch);
    const resumed = yield* this.takeRecords(batch, stop);
    if (this.stopped) return;
    if (clipped) this.clip = { ...batch, offset: stop, torn: false };
    if (resumed) return;
    this.place = { segment, offset: clipped ? alignUp(stop) : offset + batchBytes(header) };
  }

  /** @returns whether reading went on somewhere else, behind damage. */
  private *takeRecords(batch: PlacedBatch, stop: number): Task<boolean> {
    const { place, header } = batch;
    const segment = this.files.get(place.segment);
    const take = (entry: Entry, offset: number): boolean => {
      if (!this.visitor.entry(entry, offset, batch)) this.stopped = true;
      return !this.stopped;
    };
    let offset = place.offset + batchHeaderBytes;
    for (;;) {
      const walked = yield* this.scanner.walk(segment, offset, stop, this.end, take);
      this.end = walked.end;
      if (walked.flaw === undefined) return false;
      const behind = { segment: place.segment, offset: place.offset + batchBytes(header) };
      const anchor = yield* this.search(behind, positionOf(place.segment, walked.offset));
      if (anchor === undefined) {
        this.stopped = true;
        this.clip = { place, header, offset: walked.offset, torn: true };
        return false;
      }
      const flaw: Flaw = { place, header, offset: walked.offset, payloadEnd: stop, before: walked.end };
      const { next } = walked;
      if (next === undefined) {
        this.tellHole(holeOfFlaw(this.files, flaw, anchor));
        yield* this.resume(anchor);
        return true;
      }
      this.tellHole(holeOfBody(flaw, next));
      if (this.stopped) return false;
      this.end = next.end;
      offset = next.offset;
    }
  }
}
