import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import type { ByteReader } from "../base/bytes.ts";
import { ByteWriter, viewOf } from "../base/bytes.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import { decodeEntry, endOf } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { HoleEnds, LogStore } from "../storage/log-store.ts";
import { continues } from "../storage/scanner.ts";
import { beginFrame, encodeFetch, putLogEnd, readLogEnd } from "./peer-frame.ts";

/** Indexes whose records cannot be read. */
export interface DamagedRange {
  readonly first: number;
  readonly last: number;
}

/** Told whether copies were taken. */
type Placed = (error: Error | undefined, placed: boolean) => void;

export interface RepairOptions {
  readonly group: GroupId;
  /** The other voters, sorted. */
  readonly others: readonly NodeId[];
  /** Copies of more bytes are not held at a time: a larger hole is mended in pieces of this size. */
  readonly bytesMax: number;
  send(to: NodeId, frame: Uint8Array): void;
  /** The ends of the log around the first damaged range. */
  hole(): HoleEnds | undefined;
  /** Copies of the whole hole, or of the piece of it that ends with `upTo`. */
  mend(entries: readonly Entry[], upTo: LogEnd | undefined, done: Placed): void;
}

export interface RepairEvents {
  /** Copies are in place, and are the records that were there. Those of a piece can be read once their whole place is filled. */
  placed(copies: readonly Entry[]): void;
  /** Records were mended: those of a whole hole, or of a large one those from its first to where it is mended by now. */
  mended(range: DamagedRange): void;
  failed(error: Error): void;
}

/** Ends of pieces that are remembered: 256 GiB of them. What lies behind is a hole of its own when these are mended. */
const piecesMax = 65_536;

/** One hole at work. */
interface Work {
  readonly hole: HoleEnds;
  /** Where the piece at work begins. */
  from: LogEnd;
  /** Copies have come up to here, each chaining from the one before. */
  end: LogEnd;
  /** Those of the piece at work. */
  copies: Entry[];
  /** Where pieces end, in order; those in place have left. None in a hole that is not larger than one. */
  readonly pieces: LogEnd[];
  /** Copies have chained through the whole hole: they are the records that were there, and pieces are put in place. */
  proven: boolean;
  /** Told as mended, up to this index. */
  told: number;
}

/**
 * Mends damaged records with peers' copies. Any peer may answer: a copy is accepted only if it chains from the record
 * before the damage into the one behind it, so it can only be the very record that was there. A piece of a hole chains from
 * its front whoever's log it is of; therefore of a large one the whole chain is seen first, and of it the ends of its pieces
 * are kept, between which any peer's copies fit only if they are the same.
 */
export class Repair {
  private readonly options: RepairOptions;
  private readonly events: RepairEvents;
  private work: Work | undefined;
  private asked = 0;
  private mending = false;

  constructor(options: RepairOptions, events: RepairEvents) {
    this.options = options;
    this.events = events;
  }

  /** Record bytes that are held. */
  get heldBytes(): number {
    return this.work?.copies.reduce((bytes, entry) => bytes + entry.size, 0) ?? 0;
  }

  /** Asks the next peer for what is missing of the first damaged range. Called by a timer while there is damage. */
  ask(): void {
    const work = this.current();
    if (work === undefined || this.mending || this.options.others.length === 0) return;
    const peer = this.options.others[this.asked % this.options.others.length];
    assert(peer !== undefined, "a peer to ask");
    this.asked += 1;
    this.options.send(peer, encodeFetch(this.options.group, work.end.index + 1, wanted(work).index));
  }

  /** The work on the first hole; on one that was cut or has grown it is begun anew. */
  private current(): Work | undefined {
    const hole = this.options.hole();
    if (hole === undefined) this.work = undefined;
    else if (this.work === undefined || !isSame(this.work, hole)) this.begin(hole);
    return this.work;
  }

  private begin(hole: HoleEnds): void {
    const { before } = hole;
    this.work = {
      hole,
      from: before,
      end: before,
      copies: [],
      pieces: [],
      proven: false,
      told: before.index,
    };
  }

  /** A peer's copies. Those that do not fit what is asked for are dropped: late, doubled, or of another log. */
  received(before: LogEnd, entries: readonly Entry[]): void {
    const work = this.current();
    if (work === undefined || this.mending || entries[0]?.index !== work.end.index + 1) return;
    const { index } = wanted(work);
    const copies = entries.filter((entry) => entry.index <= index);
    const last = copies[copies.length - 1];
    if (last === undefined) return;
    if (before.chainCrc !== work.end.chainCrc) return this.startAgain(work);
    work.end = endOf(last);
    if (work.pieces.length === 0 || work.proven) for (const copy of copies) work.copies.push(copy);
    if (work.end.index === index) this.complete(work);
    else {
      if (!work.proven && work.end.pos - work.from.pos >= this.options.bytesMax / 2) endPiece(work);
      this.ask();
    }
  }

  /** Copies of two logs do not fit together: the next peer is asked again, for what is neither proven nor in place. */
  private startAgain(work: Work): void {
    if (!work.proven) return this.begin(work.hole);
    work.end = work.from;
    work.copies = [];
  }

  /** All that was asked for is there: the whole hole, or one piece of it. */
  private complete(work: Work): void {
    const end = wanted(work);
    // The log itself looks whether copies of a whole hole chain into what is around it.
    if (work.pieces.length === 0) return this.place(work, undefined);
    if (!continues(work.end, end)) return this.startAgain(work);
    if (work.proven) {
      work.pieces.shift();
      return this.place(work, end);
    }
    endPiece(work);
    work.proven = true;
    work.from = work.hole.before;
    work.end = work.from;
    this.ask();
  }

  private place(work: Work, upTo: LogEnd | undefined): void {
    const { copies } = work;
    work.copies = [];
    work.from = work.end;
    this.mending = true;
    this.options.mend(copies, upTo, (error, placed) => {
      this.mending = false;
      if (error !== undefined) return this.events.failed(error);
      if (!placed || work.pieces.length === 0) this.work = undefined;
      if (placed) this.placed(work, copies);
    });
  }

  /** Tells what can be read again. A piece that does not end with its place in the files is told with a later one. */
  private placed(work: Work, copies: readonly Entry[]): void {
    const { hole, told } = work;
    this.events.placed(copies);
    const left = this.options.hole();
    const same = left !== undefined && continues(left.after, hole.after);
    const last = same ? left.before.index : hole.after.index;
    if (last === told) return this.ask();
    work.told = last;
    this.events.mended({ first: hole.before.index + 1, last });
  }
}

/** What copies are gathered up to. */
function wanted(work: Work): LogEnd {
  return (work.proven ? work.pieces[0] : undefined) ?? work.hole.after;
}

/** Whether a hole is the one at work: its front may have been mended by this very work. */
function isSame({ hole, from, proven }: Work, found: HoleEnds): boolean {
  if (!continues(hole.after, found.after)) return false;
  if (!proven) return continues(hole.before, found.before);
  return found.before.index >= hole.before.index && found.before.index <= from.index;
}

/** The copies at hand have been looked at; of a large hole none is kept before the last one was. */
function endPiece(work: Work): void {
  if (work.pieces.length < piecesMax) work.pieces.push(work.end);
  work.from = work.end;
  work.copies = [];
}

/** What a node needs to help a peer with copies of its records. */
export interface RecordSource {
  readonly group: GroupId;
  readonly store: Pick<LogStore, "read">;
  readonly bytesMax: number;
}

/** A peer's records are damaged: any node that can read its own copies may help. */
export function answerFetch(
  source: RecordSource,
  range: DamagedRange,
  send: (frame: Uint8Array) => void,
): void {
  source.store.read(range.first, { last: range.last, bytesMax: source.bytesMax }, (error, value) => {
    if (error !== undefined || value.entries.length === 0) return;
    send(encodeRecords(new ByteWriter(), source.group, value.before, value.entries));
  });
}

/** Encodes records for a peer that lost them: the log's end before them, then the records. */
export function encodeRecords(
  writer: ByteWriter,
  group: GroupId,
  before: LogEnd,
  entries: readonly Entry[],
): Uint8Array {
  putLogEnd(beginFrame(writer, "records", group), before);
  for (const entry of entries) writer.raw(entry.block, entry.offset, entry.offset + entry.size);
  return writer.finish();
}

/** @throws LogError malformed-frame unless every record chains from the one before. */
export function decodeRecords(reader: ByteReader): { before: LogEnd; entries: Entry[] } {
  const before = readLogEnd(reader);
  const entries: Entry[] = [];
  const view = viewOf(reader.buffer);
  let end = before;
  while (reader.remaining > 0) {
    const limit = reader.position + reader.remaining;
    const entry = decodeEntry(reader.buffer, reader.position, limit, end, view);
    if (typeof entry === "string")
      throw new LogError("malformed-frame", `a record that does not follow: ${entry}`);
    reader.skip(entry.size);
    entries.push(entry);
    end = endOf(entry);
  }
  return { before, entries };
}
