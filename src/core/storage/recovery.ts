import type { Entry, LogEnd } from "../base/entry.ts";
import { emptyLogEnd } from "../base/entry.ts";
import type { Task } from "../base/task.ts";
import { batchBytes } from "./batch.ts";
import type { CutPoint } from "./cut.ts";
import { cutWithin } from "./cut.ts";
import type { Hole, PlacedBatch } from "./damage.ts";
import { Holes } from "./damage.ts";
import type { Place } from "./format.ts";
import { alignUp, positionOf, segmentHeaderBytes } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogVisitor } from "./log-walk.ts";
import { LogWalk } from "./log-walk.ts";
import type { Cut } from "./meta.ts";
import type { Anchor } from "./scanner.ts";
import { SparseIndex } from "./sparse-index.ts";

/** A run of entries of one term. With `termMax` the terms cannot be read: they rise from `term` to at most that. */
export interface TermRun {
  readonly firstIndex: number;
  readonly term: number;
  readonly termMax?: number;
}

/** What reading the segments from the first to the last byte came to. Nothing was changed. */
export interface Scan {
  readonly end: LogEnd;
  /** Where the next batch goes, once what lies behind it was cut. */
  readonly place: Place;
  /** The cut that is needed before anything may be appended; undefined when only zeros lie behind the end. */
  readonly cut: CutPoint | undefined;
  /** Segments with bytes other than zero among what lies behind the end. */
  readonly dirty: ReadonlyMap<number, number>;
  readonly terms: TermRun[];
  readonly index: SparseIndex;
  readonly holes: Holes;
  /** The highest position that is proven to be synced. */
  readonly proven: number;
  /** Segments whose header is lost or was never written, with the log's end before them. */
  readonly headless: ReadonlyMap<number, LogEnd>;
  readonly tornBytes: number;
  /** The last batch whose header lies before the last cut: the cut ended there, or went through it. */
  readonly beforeCut: PlacedBatch | undefined;
  /** In the last segment: behind every byte that may belong to a batch. Where the file ends before, more may have been there. */
  readonly used: number;
}

/** Gathers, on a walk through the whole log, what the store keeps in memory. */
class Gathering implements LogVisitor {
  readonly terms: TermRun[] = [];
  readonly index: SparseIndex;
  readonly holes: Holes = new Holes();
  readonly headless: Map<number, LogEnd> = new Map<number, LogEnd>();
  proven: number;
  beforeCut: PlacedBatch | undefined;
  walk: LogWalk | undefined;
  private readonly cut: number;
  /** The next batch is indexed in any case: nothing before the hole leads to it in one read. */
  private behindHole = false;

  /** @param cut the position of the last cut, before which everything was synced. */
  constructor(cut: number, indexIntervalBytes: number) {
    this.cut = cut;
    this.proven = cut;
    this.index = new SparseIndex(indexIntervalBytes);
  }

  batch(batch: PlacedBatch): void {
    const { place, header } = batch;
    const position = positionOf(place.segment, place.offset);
    this.prove(header.syncedPosition);
    if (position < this.cut) this.beforeCut = batch;
    if (header.count === 0) return;
    this.index.add(header.previous.index + 1, position, this.behindHole);
    this.behindHole = false;
  }

  *segment(number: number, end: LogEnd): Task<void> {
    const header = yield* (this.walk as LogWalk).scanner.segmentHeader(number);
    if (header === undefined) this.headless.set(number, end);
    else this.prove(header.syncedPosition);
  }

  resumed(anchor: Anchor): void {
    this.prove(anchor.syncedPosition);
  }

  entry(entry: Entry): boolean {
    this.noteTerm(entry.index, entry.term);
    return true;
  }

  hole(hole: Hole): boolean {
    this.holes.add(hole);
    const { before, after } = hole;
    // The terms within a hole are not known, only their bounds; the one of its last record is.
    if (after.index > before.index + 1 && after.term > before.term) {
      this.terms.push({ firstIndex: before.index + 1, term: before.term, termMax: after.term });
    }
    this.noteTerm(after.index, after.term);
    this.behindHole = true;
    return true;
  }

  private noteTerm(index: number, term: number): void {
    if (this.terms[this.terms.length - 1]?.term !== term) this.terms.push({ firstIndex: index, term });
  }

  private prove(position: number): void {
    if (position > this.proven) this.proven = position;
  }
}

/** Reads the log from its beginning. Memory stays within a read and what the index keeps. */
export function* scanLog(
  files: LogFiles,
  cut: Cut,
  limits: { readonly readBytesMax: number; readonly indexIntervalBytes: number },
): Task<Scan> {
  const gathering = new Gathering(cut.position, limits.indexIntervalBytes);
  const start = { place: { segment: 0, offset: segmentHeaderBytes }, end: emptyLogEnd };
  const walk = new LogWalk(files, cut, limits.readBytesMax, start, gathering);
  gathering.walk = walk;
  yield* gathering.segment(0, emptyLogEnd);
  yield* walk.run();
  const point = cutPoint(files, walk);
  const { dirty, stale } = walk.leftovers;
  const { terms, index, holes, headless, proven, beforeCut } = gathering;
  return {
    end: walk.end,
    place: point === undefined ? walk.place : behind(point),
    cut: point,
    dirty,
    terms,
    index,
    holes,
    proven,
    headless,
    beforeCut,
    tornBytes: point === undefined || stale ? 0 : bytesBehind(point, dirty),
    used: usedBytes(walk),
  };
}

function behind(point: CutPoint): Place {
  return { segment: point.place.segment, offset: alignUp(point.place.offset) };
}

function cutPoint(files: LogFiles, walk: LogWalk): CutPoint | undefined {
  const { clip, place, end } = walk;
  const dirty = walk.leftovers.dirty.get(place.segment) ?? 0;
  if (clip !== undefined && (clip.torn || alignUp(clip.offset) === place.offset)) {
    const batchEnd = Math.min(
      files.get(clip.place.segment).size,
      clip.place.offset + batchBytes(clip.header),
    );
    return cutWithin(clip, clip.offset, end, Math.max(dirty, batchEnd));
  }
  if (walk.leftovers.dirty.size === 0) return undefined;
  return { place, batch: undefined, end, dirtyTo: dirty };
}

function usedBytes({ place, clip, leftovers }: LogWalk): number {
  const clipped = clip?.place.segment === place.segment ? clip.place.offset + batchBytes(clip.header) : 0;
  return Math.max(place.offset, clipped, alignUp(leftovers.dirty.get(place.segment) ?? 0));
}

function bytesBehind(point: CutPoint, dirty: ReadonlyMap<number, number>): number {
  let bytes = Math.max(0, point.dirtyTo - point.place.offset);
  for (const [segment, to] of dirty) if (segment > point.place.segment) bytes += to;
  return bytes;
}
