import type { Entry, LogEnd } from "../base/entry.ts";
import { emptyLogEnd, endOf } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { Task } from "../base/task.ts";
import type { Hole, PlacedBatch } from "./damage.ts";
import { damageOf } from "./damage.ts";
import type { Place } from "./format.ts";
import { segmentHeaderBytes } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import { LogWalk } from "./log-walk.ts";
import type { Cut } from "./meta.ts";
import type { Anchor } from "./scanner.ts";
import { Scanner } from "./scanner.ts";
import type { SparseIndex } from "./sparse-index.ts";

/** The log as of now, for one reading. */
export interface LogView {
  readonly files: LogFiles;
  readonly index: SparseIndex;
  readonly cut: Cut;
  /** The end of what is synced. */
  readonly limit: Anchor;
  readonly readBytesMax: number;
  /** Damage was met. */
  readonly damaged: (hole: Hole) => void;
}

export interface ReadResult {
  readonly before: LogEnd;
  readonly entries: readonly Entry[];
}

/** How far a reading goes; it gives one entry at least, if there is one. */
export interface ReadLimit {
  /** No entry behind this index. */
  readonly last: number;
  readonly bytesMax: number;
}

/** A record's place: where it begins, in which batch, and what it chains from. */
export interface Located {
  readonly batch: PlacedBatch;
  readonly offset: number;
  readonly before: LogEnd;
}

/** The batch to begin at for an index, with the log's end before it. A remembered one may have rotted: then an earlier one. */
function* startFor(view: LogView, index: number): Task<{ place: Place; end: LogEnd }> {
  const scanner = new Scanner(view.files, view.cut, segmentHeaderBytes, view.files.lastNumber);
  for (let back = 0; ; back++) {
    const place = view.index.find(index, back);
    if (place === undefined) return { place: { segment: 0, offset: segmentHeaderBytes }, end: emptyLogEnd };
    const header = yield* scanner.batchAt(place);
    if (header !== undefined && header.previous.index < index) return { place, end: header.previous };
  }
}

/**
 * Reads entries from `first` on, verified, up to the limit.
 * @throws LogError damaged when the record at `first` cannot be read.
 */
export function* readEntries(view: LogView, first: number, limit: ReadLimit): Task<ReadResult> {
  const last = Math.min(limit.last, view.limit.previous.index);
  const entries: Entry[] = [];
  let before: LogEnd | undefined;
  let bytes = 0;
  let damage: Hole | undefined;
  const start = yield* startFor(view, first);
  let end = start.end;
  const walk = new LogWalk(
    view.files,
    view.cut,
    view.readBytesMax,
    start,
    {
      resumed: (anchor) => {
        end = anchor.previous;
      },
      entry: (entry) => {
        if (entry.index >= first) {
          if (entries.length > 0 && bytes + entry.size > limit.bytesMax) return false;
          before ??= end;
          entries.push(entry);
          bytes += entry.size;
        }
        end = endOf(entry);
        return bytes < limit.bytesMax && entry.index < last;
      },
      hole: (hole) => {
        view.damaged(hole);
        end = hole.after;
        if (hole.after.index < first) return true;
        if (entries.length === 0) damage = hole;
        return false;
      },
    },
    view.limit,
  );
  yield* walk.run();
  if (damage !== undefined) {
    const range = damageOf(damage);
    throw new LogError("damaged", `records ${range.first} to ${range.last} cannot be read`);
  }
  return { before: before ?? end, entries };
}

/**
 * Finds the record at `index`, which is in the log, or the place where the damage that begins with it begins.
 * @returns undefined when the record lies within damage that begins before it.
 */
export function* locate(view: LogView, index: number): Task<Located | Place | undefined> {
  let located: Located | undefined;
  let damage: Hole | undefined;
  const start = yield* startFor(view, index);
  let end = start.end;
  const walk = new LogWalk(
    view.files,
    view.cut,
    view.readBytesMax,
    start,
    {
      resumed: (anchor) => {
        end = anchor.previous;
      },
      entry: (entry, offset, batch) => {
        if (entry.index === index) located = { batch, offset, before: end };
        end = endOf(entry);
        return located === undefined;
      },
      hole: (hole) => {
        view.damaged(hole);
        end = hole.after;
        if (hole.after.index < index) return true;
        damage = hole;
        return false;
      },
    },
    view.limit,
  );
  yield* walk.run();
  if (located !== undefined) return located;
  const extent = damage?.extents[0];
  if (damage === undefined || damage.before.index + 1 !== index || extent === undefined) return undefined;
  return { segment: extent.segment, offset: extent.from };
}
