import { assert } from "../base/assert.ts";
import type { LogEnd } from "../base/entry.ts";
import type { BatchHeader } from "./batch.ts";
import { batchBytes } from "./batch.ts";
import type { Place } from "./format.ts";
import { alignUp, batchHeaderBytes, positionOf, segmentHeaderBytes } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import type { Anchor } from "./scanner.ts";

/** Indexes whose records cannot be read, first and last inclusive. */
export interface Damage {
  readonly first: number;
  readonly last: number;
}

/** A piece of a file where damaged records were, and where their copies go. */
export interface Extent {
  readonly segment: number;
  readonly from: number;
  readonly to: number;
  /**
   * Within a batch whose header is good, the index of the last record that belongs here: the records go where they
   * were, byte for byte. Undefined where headers were lost: there a fresh batch is written, padded to fill the extent.
   */
  readonly lastIndex: number | undefined;
  /** It reaches to the end of its segment, which may grow. */
  readonly open: boolean;
}

/** What is known around damaged records: the chain before them and behind them. */
export interface HoleEnds {
  readonly before: LogEnd;
  readonly after: LogEnd;
}

/** Damaged records between two places of the log whose chain is known. */
export interface Hole extends HoleEnds {
  /** In order. */
  readonly extents: readonly Extent[];
  /** The batch that the damage begins in, when its header is good. */
  readonly batch: PlacedBatch | undefined;
}

/** A batch and where it stands. */
export interface PlacedBatch {
  readonly place: Place;
  readonly header: BatchHeader;
}

export function damageOf(hole: Hole): Damage {
  return { first: hole.before.index + 1, last: hole.after.index };
}

/** The extents from a place where a batch header should be up to a place where one is. */
export function framesBetween(files: LogFiles, from: Place, to: Place): Extent[] {
  const extents: Extent[] = [];
  for (let segment = from.segment; segment <= to.segment; segment++) {
    const begin = segment === from.segment ? from.offset : segmentHeaderBytes;
    const size = files.segments.get(segment)?.size ?? files.segmentBytes;
    const end = segment === to.segment ? to.offset : Math.max(size, files.segmentBytes);
    const open = segment !== to.segment;
    if (end > begin) extents.push({ segment, from: begin, to: end, lastIndex: undefined, open });
  }
  return extents;
}

/** A bad record within a batch whose header is good. */
export interface Flaw extends PlacedBatch {
  /** File offset of the bad record. */
  readonly offset: number;
  /** Where the batch's records end: before its last one when the last cut went through it. */
  readonly payloadEnd: number;
  readonly before: LogEnd;
}

/** The hole that a bad record makes, when its batch's other records are lost with it. `anchor` is the first one behind the batch. */
export function holeOfFlaw(files: LogFiles, flaw: Flaw, anchor: Anchor): Hole {
  const { segment } = flaw.place;
  const { header, payloadEnd } = flaw;
  const behind = { segment, offset: flaw.place.offset + batchBytes(header) };
  const lastIndex = Math.min(header.previous.index + header.count, anchor.previous.index);
  const within = { segment, from: flaw.offset, to: payloadEnd, lastIndex, open: false };
  return {
    before: flaw.before,
    after: anchor.previous,
    extents: [within, ...framesBetween(files, behind, anchor.place)],
    batch: { place: flaw.place, header },
  };
}

/** The hole that one bad body makes. */
export function holeOfBody(flaw: Flaw, next: { readonly offset: number; readonly end: LogEnd }): Hole {
  const { segment } = flaw.place;
  const extent = { segment, from: flaw.offset, to: next.offset, lastIndex: next.end.index, open: false };
  const batch = { place: flaw.place, header: flaw.header };
  return { before: flaw.before, after: next.end, extents: [extent], batch };
}

/** Holes of one log, ascending and apart. */
export class Holes {
  private list: Hole[] = [];

  get ranges(): Damage[] {
    return this.list.map(damageOf);
  }

  get all(): readonly Hole[] {
    return this.list;
  }

  /** @returns the hole that an index lies in. */
  at(index: number): Hole | undefined {
    return this.list.find((hole) => hole.before.index < index && index <= hole.after.index);
  }

  /** @returns the first index of the hole that an index lies in; the index itself when it lies in none. */
  frontOf(index: number): number {
    const hole = this.at(index);
    return hole === undefined ? index : hole.before.index + 1;
  }

  /** @returns the hole that begins right behind `end`. */
  behind(end: LogEnd): Hole | undefined {
    return this.list.find((hole) => hole.before.index === end.index);
  }

  /** Adds a hole, in place of those within it, as one with those that it laps over. @returns whether it tells anything new. */
  add(hole: Hole): boolean {
    if (this.list.some((known) => covers(known, hole))) return false;
    let whole = hole;
    const apart: Hole[] = [];
    for (const known of this.list) {
      if (known.after.index <= whole.before.index || whole.after.index <= known.before.index)
        apart.push(known);
      else if (!covers(whole, known)) whole = joined(known, whole);
    }
    this.list = [...apart, whole].sort((a, b) => a.before.index - b.before.index);
    return true;
  }

  remove(hole: Hole): void {
    this.list = this.list.filter((known) => known !== hole);
  }

  /** Part of a hole was mended, or all of it. */
  replace(hole: Hole, left: Hole): void {
    const some = left.after.index > left.before.index ? [left] : [];
    this.list = this.list.flatMap((known) => (known === hole ? some : [known]));
  }

  /**
   * The log was cut before `from`, where it ends now at `place`: what was damaged at or behind that is no more. A hole may reach
   * over it, when what could not be read before could be read for the cut.
   */
  cut(from: number, end: LogEnd, place: Place): void {
    this.list = this.list.flatMap((hole) => {
      if (hole.before.index + 1 >= from) return [];
      return hole.after.index < from ? [hole] : [clippedHole(hole, end, place)];
    });
  }
}

/**
 * Two holes that share records are one: copies that were put in place of the first would else be overwritten by those of the
 * second, which go where the records were before. What a disk gives once and not again makes such holes. Neither covers the
 * other, so the later one does not end within a batch.
 */
function joined(a: Hole, b: Hole): Hole {
  const [early, late] = a.before.index < b.before.index ? [a, b] : [b, a];
  const [head] = early.extents;
  const within = head?.lastIndex === undefined ? [] : [head];
  const fresh: Extent[] = [];
  for (const extent of [...early.extents.slice(within.length), ...late.extents]) {
    const { segment, from, open } = extent;
    // The later one may begin in the batch that the earlier one begins in.
    if (within.some((good) => good.segment === segment && from < good.to)) continue;
    const to = alignUp(extent.to);
    const known = fresh[fresh.length - 1];
    if (known?.segment !== segment) fresh.push({ segment, from, to, lastIndex: undefined, open });
    else fresh[fresh.length - 1] = { ...known, to: Math.max(known.to, to), open: known.open || open };
  }
  return { before: early.before, after: late.after, extents: [...within, ...fresh], batch: early.batch };
}

function clippedHole(hole: Hole, end: LogEnd, place: Place): Hole {
  const cut = positionOf(place.segment, place.offset);
  const left = hole.extents.filter(({ segment, from }) => positionOf(segment, from) < cut);
  const extents = left.map((extent) => {
    const lastIndex = extent.lastIndex && Math.min(extent.lastIndex, end.index);
    if (extent.segment !== place.segment) return { ...extent, lastIndex };
    return { ...extent, lastIndex, to: Math.min(extent.to, place.offset), open: false };
  });
  return { ...hole, after: end, extents };
}

/**
 * Cuts within damage, where nothing can be read: what is left of it goes on being damage up to `end`, which the caller
 * knows. Within a good batch the place follows from the bytes; else the damaged place stays as it is, and the cut goes behind it.
 */
export function cutHole(
  hole: Hole,
  end: LogEnd,
): { readonly left: Hole; readonly place: Place; readonly batch: PlacedBatch | undefined } {
  const { first, last } = endsOf(hole);
  const offset = first.from + end.pos - hole.before.pos;
  if (first.lastIndex !== undefined && offset <= first.to) {
    const extents = [{ ...first, to: offset, lastIndex: end.index }];
    const place = { segment: first.segment, offset };
    return { left: { ...hole, after: end, extents }, place, batch: hole.batch };
  }
  return {
    left: { ...hole, after: end },
    place: { segment: last.segment, offset: last.to },
    batch: undefined,
  };
}

function endsOf({ extents }: Hole): { readonly first: Extent; readonly last: Extent } {
  const first = extents[0];
  const last = extents[extents.length - 1];
  assert(first !== undefined && last !== undefined, "damage has a place");
  return { first, last };
}

/**
 * Whether a hole that a cut went through may have too little room: other records belong there than those that were there,
 * and they may be larger. One batch for all of them has to fit, however they divide.
 */
export function isTight(hole: Hole): boolean {
  const { first, last } = endsOf(hole);
  const bytes = hole.after.pos - hole.before.pos;
  if (last.open || (first === last && first.lastIndex !== undefined && first.to - first.from === bytes))
    return false;
  const room = alignUp(last.to) - alignUp(first.from);
  return first.segment !== last.segment || batchHeaderBytes + bytes > room;
}

/** A hole at the log's end takes the rest of its segment. */
export function withRest(files: LogFiles, hole: Hole): Hole {
  const { last } = endsOf(hole);
  const fresh = last.lastIndex === undefined;
  const from = { segment: last.segment, offset: fresh ? last.from : alignUp(last.to) };
  const rest = framesBetween(files, from, { segment: last.segment + 1, offset: segmentHeaderBytes });
  return { ...hole, extents: [...(fresh ? hole.extents.slice(0, -1) : hole.extents), ...rest] };
}

/**
 * Where the records of a good batch were, others belong: a fresh batch takes their place, and that of the damage behind them.
 * What the good one keeps is cut off at the first extent's front before.
 */
export function freshFrom(hole: Hole, offset: number): Hole {
  const [, next, ...others] = hole.extents;
  const within = endsOf(hole).first;
  const joined = next?.segment === within.segment ? next : undefined;
  const to = joined?.to ?? alignUp(within.to);
  const first = {
    segment: within.segment,
    from: offset,
    to,
    lastIndex: undefined,
    open: joined?.open ?? false,
  };
  const behind = next === undefined || joined !== undefined ? others : [next, ...others];
  return { ...hole, extents: [first, ...behind], batch: undefined };
}

function covers(outer: Hole, inner: Hole): boolean {
  return outer.before.index <= inner.before.index && outer.after.index >= inner.after.index;
}
