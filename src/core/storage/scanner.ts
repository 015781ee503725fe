import { getU32, getU64, viewOf } from "../base/bytes.ts";
import type { Entry, LogEnd, RecordFlaw } from "../base/entry.ts";
import { decodeEntry, endOf, recordBytesMax, recordHeaderBytes } from "../base/entry.ts";
import type { Task } from "../base/task.ts";
import type { BatchHeader } from "./batch.ts";
import { batchMagic, decodeBatchHeader } from "./batch.ts";
import type { Place } from "./format.ts";
import {
  alignUp,
  batchHeaderBytes,
  frameAlignmentBytes,
  placeOf,
  positionOf,
  segmentHeaderBytes,
} from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import type { Cut } from "./meta.ts";
import type { Segment, SegmentStart } from "./segment.ts";
import { decodeSegmentHeader } from "./segment.ts";
import { Window } from "./window.ts";

/** A place from which the log can be read on: a batch header, or the first place of a segment with a header. */
export interface Anchor {
  readonly place: Place;
  readonly previous: LogEnd;
  readonly syncedPosition: number;
}

/** What a walk through a batch's records came to. */
export interface Walked {
  /** File offset behind the last good record. */
  readonly offset: number;
  readonly end: LogEnd;
  /** Why the next record is none; undefined at the end of the walk. */
  readonly flaw: RecordFlaw | undefined;
  /** Where the record behind a bad body begins, and what it chains from: the header before the body is good. */
  readonly next: { readonly offset: number; readonly end: LogEnd } | undefined;
}

/** What lies behind the log's end, found by a search to the end of the files. */
export interface Leftovers {
  /** For each segment with bytes other than zero in what was searched: the offset behind the last one. */
  readonly dirty: Map<number, number>;
  /** A header of before the last cut was among them: the cut had not been finished. */
  stale: boolean;
}

/** Whether `next` begins exactly at `end`. */
export function continues(end: LogEnd, next: LogEnd): boolean {
  return (
    next.index === end.index &&
    next.chainCrc === end.chainCrc &&
    next.pos === end.pos &&
    next.term === end.term
  );
}

/** Whether a log that ended at `end` could go on, possibly much later, at `next`. */
export function follows(end: LogEnd, next: LogEnd): boolean {
  if (next.index === end.index) return continues(end, next);
  const least = (next.index - end.index) * recordHeaderBytes;
  return next.index > end.index && next.term >= end.term && next.pos - end.pos >= least;
}

/** @returns the offset behind the last byte of [from, to) that is not zero; `from` when all of them are. */
export function endOfData(bytes: Uint8Array, from: number, to: number): number {
  // What is preallocated is all zeros, and much of it: four bytes at a time, where they are aligned.
  const shift = (4 - (bytes.byteOffset % 4)) % 4;
  const count = Math.floor((bytes.length - shift) / 4);
  const words = count > 0 ? new Int32Array(bytes.buffer, bytes.byteOffset + shift, count) : noWords;
  const first = Math.ceil(Math.max(0, from - shift) / 4);
  let at = to;
  while (at > from && bytes[at - 1] === 0) {
    at -= 1;
    let word = (at - shift) / 4;
    if (!Number.isInteger(word)) continue;
    while (word > first && words[word - 1] === 0) word -= 1;
    at = Math.max(from, Math.min(at, word * 4 + shift));
  }
  return at;
}
const noWords = new Int32Array(0);

/** The place behind the record at `at`, whose header is good. */
function behindBody(
  bytes: Uint8Array,
  at: number,
  { offset, end }: { readonly offset: number; readonly end: LogEnd },
): { readonly offset: number; readonly end: LogEnd } {
  const size = getU32(bytes, at + 4);
  const term = getU64(bytes, at + 16);
  const chainCrc = getU32(bytes, at + 36);
  return { offset: offset + size, end: { index: end.index + 1, term, chainCrc, pos: end.pos + size } };
}

/** Reads headers and records from the segments in order. Only one call is under way at a time. */
export class Scanner {
  private readonly files: LogFiles;
  private readonly window: Window;
  private readonly cut: Cut;
  /** Segments up to this number are looked at. */
  private readonly lastNumber: number;

  constructor(files: LogFiles, cut: Cut, readBytesMax: number, lastNumber: number, readsAhead = false) {
    this.files = files;
    this.cut = cut;
    this.window = new Window(readBytesMax, readsAhead);
    this.lastNumber = lastNumber;
  }

  /** Bytes of before the last cut, behind it, never count. */
  private stale(position: number, generation: number): boolean {
    return position >= this.cut.position && generation < this.cut.generation;
  }

  /** @returns the batch header at a place, unless there is none or it is stale. */
  *batchAt(place: Place): Task<BatchHeader | undefined> {
    const segment = this.files.segments.get(place.segment);
    if (segment === undefined) return undefined;
    const available = yield* this.window.cover(segment, place.offset, batchHeaderBytes);
    if (available < batchHeaderBytes) return undefined;
    const position = positionOf(place.segment, place.offset);
    const at = place.offset - this.window.start;
    const header = decodeBatchHeader(this.window.bytes, at, this.files.seed, position);
    return header === undefined || this.stale(position, header.generation) ? undefined : header;
  }

  *segmentHeader(number: number): Task<SegmentStart | undefined> {
    const segment = this.files.segments.get(number);
    if (segment === undefined) return undefined;
    const available = yield* this.window.cover(segment, 0, segmentHeaderBytes);
    if (available < segmentHeaderBytes) return undefined;
    const header = decodeSegmentHeader(this.window.bytes, -this.window.start, this.files.seed, number);
    return header === undefined || this.stale(positionOf(number, 0), header.generation) ? undefined : header;
  }

  /**
   * Where a log that ended in `segment` goes on in the next one; undefined when the next segment does not begin there.
   * The segment header may be rotted as long as the first batch is not.
   */
  *nextSegment(segment: number, end: LogEnd): Task<Place | undefined> {
    const number = segment + 1;
    if (number > this.lastNumber) return undefined;
    const place = { segment: number, offset: segmentHeaderBytes };
    const header = yield* this.segmentHeader(number);
    if (header !== undefined && continues(end, header.previous)) return place;
    const batch = yield* this.batchAt(place);
    return batch !== undefined && continues(end, batch.previous) ? place : undefined;
  }

  /** The place where the log goes on behind a frame or a skipped mark; undefined when nothing continues `end` directly. */
  *next(place: Place, end: LogEnd): Task<{ place: Place; header: BatchHeader | undefined } | undefined> {
    const here = yield* this.batchAt(place);
    if (here !== undefined && continues(end, here.previous)) return { place, header: here };
    const rolled = yield* this.nextSegment(place.segment, end);
    if (rolled === undefined) return undefined;
    const first = yield* this.batchAt(rolled);
    return {
      place: rolled,
      header: first !== undefined && continues(end, first.previous) ? first : undefined,
    };
  }

  /**
   * Reads the records in [offset, stop) of a segment, each checked against the one before.
   * @param take is told each record and its file offset; false ends the walk behind it.
   */
  *walk(
    segment: Segment,
    from: number,
    stop: number,
    end: LogEnd,
    take: (entry: Entry, offset: number) => boolean,
  ): Task<Walked> {
    let offset = from;
    let need = recordHeaderBytes;
    while (offset < stop) {
      const fileEnded = (yield* this.window.cover(segment, offset, need)) < need;
      const { bytes, start } = this.window;
      const view = viewOf(bytes);
      const limit = Math.min(start + bytes.length, stop) - start;
      let flaw: RecordFlaw | undefined;
      while (offset < stop) {
        const entry = decodeEntry(bytes, offset - start, limit, end, view);
        if (typeof entry === "string") {
          flaw = entry;
          break;
        }
        offset += entry.size;
        end = endOf(entry);
        need = recordHeaderBytes;
        if (!take(entry, offset - entry.size)) return { offset, end, flaw: undefined, next: undefined };
      }
      if (flaw === undefined) break;
      // A record that crosses the window's end is read again from its beginning; only then is "short" a flaw.
      const left = limit - (offset - start);
      const size = left >= recordHeaderBytes ? getU32(bytes, offset - start + 4) : recordHeaderBytes;
      const fits = size <= stop - offset && size <= recordBytesMax;
      // From the very bytes that were looked at: the disk may give others the next time.
      const next = flaw === "body" ? behindBody(bytes, offset - start, { offset, end }) : undefined;
      if (flaw !== "short" || !fits || fileEnded) return { offset, end, flaw, next };
      need = size;
    }
    return { offset, end, flaw: undefined, next: undefined };
  }

  /**
   * Looks for the first header at or behind a place that `accept` takes, in this and later segments.
   * @param here the position that could not be read, which is looked for behind.
   * @param leftovers is told what else lies there; complete when nothing was found.
   */
  *search(
    from: Place,
    here: number,
    accept: (anchor: Anchor) => boolean,
    leftovers: Leftovers,
  ): Task<Anchor | undefined> {
    for (let number = from.segment; number <= this.lastNumber; number++) {
      const segment = this.files.segments.get(number);
      if (segment === undefined) continue;
      let offset = from.offset;
      if (number > from.segment) {
        offset = segmentHeaderBytes;
        const header = yield* this.segmentHeader(number);
        if (header !== undefined) {
          const anchor = { ...header, place: { segment: number, offset: segmentHeaderBytes } };
          if (accept(anchor)) return anchor;
        }
        this.noteDirty(number, 0, segmentHeaderBytes, leftovers);
      }
      offset = alignUp(offset);
      while (offset < segment.size) {
        const available = yield* this.window.cover(segment, offset, frameAlignmentBytes);
        const found = this.searchWindow(number, offset, accept, leftovers);
        if (found !== undefined) return found;
        if (available <= 0) break;
        // Blocks are never split between two windows.
        const whole = available - (available % frameAlignmentBytes);
        offset += whole > 0 ? whole : available;
      }
    }
    return this.cutAnchor(here, accept);
  }

  /** The last cut is an anchor too: what stood before it was synced when it was made. */
  private cutAnchor(here: number, accept: (anchor: Anchor) => boolean): Anchor | undefined {
    const { position, previous } = this.cut;
    if (position <= here) return undefined;
    const { segment, offset } = placeOf(position);
    const anchor = { place: { segment, offset: alignUp(offset) }, previous, syncedPosition: position };
    return accept(anchor) ? anchor : undefined;
  }

  private searchWindow(
    number: number,
    offset: number,
    accept: (anchor: Anchor) => boolean,
    leftovers: Leftovers,
  ): Anchor | undefined {
    const { bytes, start } = this.window;
    for (let at = offset - start; at < bytes.length; at += frameAlignmentBytes) {
      if (bytes.length - at >= batchHeaderBytes && getU32(bytes, at) === batchMagic) {
        const position = positionOf(number, start + at);
        const header = decodeBatchHeader(bytes, at, this.files.seed, position);
        if (header !== undefined) {
          const place = { segment: number, offset: start + at };
          const anchor = { place, previous: header.previous, syncedPosition: header.syncedPosition };
          if (this.stale(position, header.generation)) leftovers.stale = true;
          else if (accept(anchor)) return anchor;
        }
      }
    }
    this.noteDirty(number, offset, start + bytes.length, leftovers);
    return undefined;
  }

  /** Remembers the last byte other than zero among those of [from, to) that are in memory. */
  private noteDirty(number: number, from: number, to: number, leftovers: Leftovers): void {
    const { bytes, start } = this.window;
    const end = endOfData(bytes, from - start, Math.min(to - start, bytes.length));
    if (end > from - start) leftovers.dirty.set(number, start + end);
  }
}
