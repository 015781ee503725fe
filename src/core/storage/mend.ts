import type { Entry, LogEnd } from "../base/entry.ts";
import { decodeEntry, endOf, recordParts } from "../base/entry.ts";
import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import { encodeBatchHeader } from "./batch.ts";
import type { Extent, Hole } from "./damage.ts";
import { batchHeaderBytes, positionOf, segmentHeaderBytes } from "./format.ts";
import type { LogFiles } from "./log-files.ts";
import { continues } from "./scanner.ts";

/** Copies of records and the extent that they go to. */
interface Piece {
  readonly extent: Extent;
  readonly before: LogEnd;
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

/** @returns whether the copies are whole and chain from what precedes the hole into what follows it. */
export function chainsInto(hole: Hole, entries: readonly Entry[]): boolean {
  let end = hole.before;
  for (const entry of entries) {
    const limit = entry.offset + entry.size;
    if (typeof decodeEntry(entry.block, entry.offset, limit, end) === "string") return false;
    end = endOf(entry);
  }
  return continues(end, hole.after);
}

/**
 * Puts copies that chain in place of a hole's records, and syncs. A crash half-way leaves damage as before, or less.
 * @returns false when they do not fit into the places that are there.
 */
export function* fillHole(
  files: LogFiles,
  hole: Hole,
  entries: readonly Entry[],
  generation: number,
): Task<boolean> {
  const pieces = planPieces(hole, entries);
  if (pieces === undefined) return false;
  for (const piece of pieces) {
    const segment = files.get(piece.extent.segment);
    const { from, lastIndex } = piece.extent;
    const parts = recordParts(piece.entries);
    if (lastIndex === undefined) parts.unshift(batchHeader(files, piece, generation));
    yield* wait<void>((done) => segment.file.write(from, parts, done));
    yield* wait<void>((done) => segment.file.sync(done));
    segment.size = Math.max(segment.size, from + piece.bytes);
  }
  return true;
}

/** The header of a fresh batch that fills its extent up to the next frame. */
function batchHeader(files: LogFiles, piece: Piece, generation: number): Uint8Array {
  const { extent, before, entries } = piece;
  const payloadBytes = piece.bytes - batchHeaderBytes;
  const position = positionOf(extent.segment, extent.from);
  const paddingBytes = Math.max(0, extent.to - extent.from - piece.bytes);
  return encodeBatchHeader(
    {
      generation,
      previous: before,
      count: entries.length,
      payloadBytes,
      paddingBytes,
      syncedPosition: position,
    },
    files.seed,
    position,
  );
}

/** Spreads the copies over the extents: exactly within a good batch, else as many as fit. */
function planPieces(hole: Hole, entries: readonly Entry[]): Piece[] | undefined {
  const pieces: Piece[] = [];
  let before = hole.before;
  let next = 0;
  for (const extent of hole.extents) {
    const taken: Entry[] = [];
    let bytes = extent.lastIndex === undefined ? batchHeaderBytes : 0;
    for (let entry = entries[next]; entry !== undefined; entry = entries[next]) {
      if (!takes(extent, entry, bytes, taken.length)) break;
      taken.push(entry);
      bytes += entry.size;
      next += 1;
    }
    if (extent.lastIndex !== undefined && bytes !== extent.to - extent.from) return undefined;
    const last = taken[taken.length - 1];
    if (last === undefined) continue;
    pieces.push({ extent, before, entries: taken, bytes });
    before = endOf(last);
  }
  return next === entries.length ? pieces : undefined;
}

function takes(extent: Extent, entry: Entry, bytes: number, taken: number): boolean {
  if (extent.lastIndex !== undefined) return entry.index <= extent.lastIndex;
  // A record larger than a segment has a segment of its own, which grows.
  const alone = extent.open && taken === 0 && extent.from === segmentHeaderBytes;
  return bytes + entry.size <= extent.to - extent.from || alone;
}
