import type { Entry, LogEnd } from "../base/entry.ts";
import { emptyLogEnd } from "../base/entry.ts";
import type { Task } from "../base/task.ts";
import type { BatchHeader } from "./batch.ts";
import { batchBytes } from "./batch.ts";
import type { CutPoint } from "./cut.ts";
import { cutWithin } from "./cut.ts";
import type { Flaw, Hole } from "./damage.ts";
import { Holes, framesBetween, holeOfBody, holeOfFlaw } from "./damage.ts";
import type { Place } from "./format.ts";
import { alignUp, batchHeaderBytes, placeOf, positionOf, segmentHeaderBytes } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import type { Cut } from "./meta.ts";
import type { Anchor, Leftovers } from "./scanner.ts";
import { Scanner, continues, follows } from "./scanner.ts";
import { SparseIndex } from "./sparse-index.ts";

/** A run of entries of one term. */
export interface TermRun {
  readonly firstIndex: number;
  readonly term: number;
}

/** What reading the segments from the first to the last byte came to. Nothing was changed. */
export interface Scan {
  readonly end: LogEnd;
  /** Where the next batch goes, once what lies behind it was cut. */
  readonly place: Place;
  /** The cut that is needed before anything may be appended; undefined when only zeros lie behind the end. */
  readonly cut: CutPoint | undefined;
  readonly leftovers: Leftovers;
  readonly terms: TermRun[];
  readonly index: SparseIndex;
  readonly holes: Holes;
  /** The highest position that is proven to be synced. */
  readonly proven: number;
  /** Segments whose header is lost, with the log's end before them. */
  readonly headless: Map<number, LogEnd>;
  readonly tornBytes: number;
}

/** A batch that was not read to its end, and the offset at which it ends now. */
interface Clip {
  readonly place: Place;
  readonly header: BatchHeader;
  readonly offset: number;
}

/**
 * Reads the log from its beginning. Where neither a record nor a batch header continues it, evidence decides: a later
 * header which says that this place was synced makes it damage, which is never cut; without one it is a torn tail.
 * Bytes written before the last cut, at or behind it, count for nothing.
 */
export class LogScan {
  private readonly files: LogFiles;
  private readonly cut: Cut;
  private readonly scanner: Scanner;
  private end: LogEnd = emptyLogEnd;
  private place: Place = { segment: 0, offset: segmentHeaderBytes };
  private clip: Clip | undefined;
  private torn = false;
  private proven: number;
  private readonly leftovers: Leftovers = { dirty: new Map<number, number>(), stale: false };
  private readonly terms: TermRun[] = [];
  private readonly index: SparseIndex;
  private readonly holes = new Holes();
  private readonly headless = new Map<number, LogEnd>();
  /** The next batch is indexed in any case: what lies before it cannot be read through. */
  private behindHole = false;

  constructor(files: LogFiles, cut: Cut, readBytesMax: number, indexIntervalBytes: number) {
    this.files = files;
    this.cut = cut;
    this.proven = cut.position;
    this.index = new SparseIndex(indexIntervalBytes);
    this.scanner = new Scanner(files, cut, readBytesMax, files.lastNumber);
  }

  *run(): Task<Scan> {
    yield* this.enter();
    while (!this.torn) {
      const next = yield* this.scanner.next(this.place, this.end);
      if (next !== undefined) {
        yield* this.moveTo(next.place);
        if (next.header !== undefined) yield* this.takeBatch(next.header);
        continue;
      }
      const here = positionOf(this.place.segment, this.place.offset);
      const anchor = yield* this.search(this.place, here);
      if (anchor === undefined) break;
      this.addHole({
        before: this.end,
        after: anchor.previous,
        extents: framesBetween(this.files, this.place, anchor.place),
      });
      yield* this.resume(anchor);
    }
    return this.result();
  }

  /** The first place behind `from` at which the log goes on, or that proves `here` to have been synced. */
  private search(from: Place, here: number): Task<Anchor | undefined> {
    const { end } = this;
    const accept = (anchor: Anchor): boolean =>
      follows(end, anchor.previous) && (anchor.syncedPosition > here || continues(end, anchor.previous));
    return this.scanner.search(from, accept, this.leftovers);
  }

  private *moveTo(place: Place): Task<void> {
    const entered = place.segment !== this.place.segment;
    this.place = place;
    if (entered) yield* this.enter();
  }

  /** Looks at the header of the segment that begins here. */
  private *enter(): Task<void> {
    const { segment } = this.place;
    const header = yield* this.scanner.segmentHeader(segment);
    if (header === undefined) this.headless.set(segment, this.end);
    else this.prove(header.syncedPosition);
  }

  private prove(position: number): void {
    if (position > this.proven) this.proven = position;
  }

  private addHole(hole: Hole): void {
    if (hole.after.index > hole.before.index) this.holes.add(hole);
  }

  private *resume(anchor: Anchor): Task<void> {
    if (anchor.previous.index > this.end.index) {
      this.noteTerm(anchor.previous.index, anchor.previous.term);
      this.behindHole = true;
    }
    this.end = anchor.previous;
    this.prove(anchor.syncedPosition);
    yield* this.moveTo(anchor.place);
  }

  private noteTerm(index: number, term: number): void {
    if (this.terms[this.terms.length - 1]?.term !== term) this.terms.push({ firstIndex: index, term });
  }

  /** Reads the records of the batch at `place`, and moves behind it or to where the log can be read on. */
  private *takeBatch(header: BatchHeader): Task<void> {
    const { place } = this;
    const { segment, offset } = place;
    if (header.count > 0) {
      this.index.add(header.previous.index + 1, positionOf(segment, offset), this.behindHole);
      this.behindHole = false;
    }
    this.prove(header.syncedPosition);
    const payloadEnd = offset + batchHeaderBytes + header.payloadBytes;
    const stop = this.stopAt(place, header, payloadEnd);
    const resumed = yield* this.takeRecords(header, stop);
    if (resumed || this.torn) return;
    if (stop < payloadEnd) this.clip = { place, header, offset: stop };
    this.place = { segment, offset: stop < payloadEnd ? alignUp(stop) : offset + batchBytes(header) };
  }

  /** Where a batch ends that the last cut may have gone through. */
  private stopAt(place: Place, header: BatchHeader, payloadEnd: number): number {
    const cut = placeOf(this.cut.position);
    const through = cut.segment === place.segment && cut.offset > place.offset && cut.offset < payloadEnd;
    return through && header.generation < this.cut.generation ? cut.offset : payloadEnd;
  }

  /** @returns whether reading went on somewhere else, behind damage. */
  private *takeRecords(header: BatchHeader, stop: number): Task<boolean> {
    const { place } = this;
    const segment = this.files.get(place.segment);
    const take = (entry: Entry): boolean => {
      this.noteTerm(entry.index, entry.term);
      return true;
    };
    let offset = place.offset + batchHeaderBytes;
    for (;;) {
      const walked = yield* this.scanner.walk(segment, offset, stop, this.end, take);
      this.end = walked.end;
      if (walked.flaw === undefined) return false;
      const here = positionOf(place.segment, walked.offset);
      const behind = { segment: place.segment, offset: place.offset + batchBytes(header) };
      const anchor = yield* this.search(behind, here);
      if (anchor === undefined) {
        this.torn = true;
        this.clip = { place, header, offset: walked.offset };
        return false;
      }
      const flaw: Flaw = { place, header, offset: walked.offset, before: walked.end };
      if (walked.flaw !== "body") {
        this.addHole(holeOfFlaw(this.files, flaw, anchor));
        yield* this.resume(anchor);
        return true;
      }
      const next = yield* this.scanner.skipBody(segment, walked.offset, walked.end);
      this.addHole(holeOfBody(flaw, next));
      this.noteTerm(next.end.index, next.end.term);
      this.end = next.end;
      offset = next.offset;
    }
  }

  private result(): Scan {
    const { end, place, leftovers, terms, index, holes, proven, headless } = this;
    const cut = this.cutPoint();
    return {
      end,
      place: cut === undefined ? place : { segment: cut.place.segment, offset: alignUp(cut.place.offset) },
      cut,
      leftovers,
      terms,
      index,
      holes,
      proven,
      headless,
      tornBytes: cut === undefined || leftovers.stale ? 0 : this.bytesBehind(cut),
    };
  }

  private cutPoint(): CutPoint | undefined {
    const { clip, place } = this;
    const dirty = this.leftovers.dirty.get(place.segment) ?? 0;
    if (clip !== undefined && (this.torn || alignUp(clip.offset) === place.offset)) {
      const size = this.files.get(clip.place.segment).size;
      const batchEnd = Math.min(size, clip.place.offset + batchBytes(clip.header));
      return cutWithin(clip, clip.offset, this.end, Math.max(dirty, batchEnd));
    }
    if (this.leftovers.dirty.size === 0) return undefined;
    return { place, batch: undefined, end: this.end, dirtyTo: dirty };
  }

  private bytesBehind(cut: CutPoint): number {
    let bytes = Math.max(0, cut.dirtyTo - cut.place.offset);
    for (const [segment, to] of this.leftovers.dirty) if (segment > cut.place.segment) bytes += to;
    return bytes;
  }
}
