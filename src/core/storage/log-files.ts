import { assert } from "../base/assert.ts";
import type { LogEnd } from "../base/entry.ts";
import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import type { Disk, DiskFile } from "../io/disk.ts";
import { directorySeed } from "./batch.ts";
import type { Identity } from "./identity.ts";
import type { Segment } from "./segment.ts";
import { encodeSegmentHeader, segmentName, unfinishedName, unfinishedNumber } from "./segment.ts";

/** Zeros are written in pieces of this size. */
const zeroPieceBytes = 1_024 * 1_024;
const zeroBlockBytes = 65_536;

/** The segment files of one log. */
export class LogFiles {
  readonly disk: Disk;
  readonly directory: string;
  readonly segmentBytes: number;
  private readonly aheadBytes: number;
  /** Seed of every checksum in the directory. */
  readonly seed: number;
  identity: Identity;
  /** Segments that hold the log, by number, without the spare. */
  readonly segments: Map<number, Segment> = new Map<number, Segment>();
  private readonly zeros = new Uint8Array(zeroBlockBytes);

  constructor(
    disk: Disk,
    directory: string,
    sizes: { readonly segmentBytes: number; readonly aheadBytes: number },
    identity: Identity,
  ) {
    this.disk = disk;
    this.directory = directory;
    this.segmentBytes = sizes.segmentBytes;
    this.aheadBytes = sizes.aheadBytes;
    this.identity = identity;
    this.seed = directorySeed(identity.incarnation);
  }

  path(number: number): string {
    return `${this.directory}/${segmentName(number)}`;
  }

  unfinishedPath(number: number): string {
    return `${this.directory}/${unfinishedName(number)}`;
  }

  get(number: number): Segment {
    const segment = this.segments.get(number);
    assert(segment !== undefined, "a segment in use is open");
    return segment;
  }

  get lastNumber(): number {
    let last = -1;
    for (const number of this.segments.keys()) if (number > last) last = number;
    return last;
  }

  *open(number: number): Task<Segment> {
    const file = yield* wait<DiskFile>((done) => this.disk.open(this.path(number), "existing", done));
    const size = yield* wait<number>((done) => file.size(done));
    return { number, file, size };
  }

  /**
   * Makes a segment of zeros, durable with its name. On an error the file may be there in part, under its other name.
   * @param pace waits until the zeros from this offset on may be written, or ends the making by what it throws.
   */
  *create(number: number, pace: (offset: number) => Task<void>): Task<Segment> {
    const unfinished = this.unfinishedPath(number);
    const file = yield* wait<DiskFile>((done) => this.disk.open(unfinished, "new", done));
    try {
      // From here on it tells that the segment before it was there, also when that is lost with a power failure.
      yield* this.syncDirectory();
      for (let at = 0; at < this.segmentBytes; at += this.aheadBytes) {
        yield* pace(at);
        yield* this.zeroSynced(file, at, Math.min(this.segmentBytes, at + this.aheadBytes));
      }
      yield* wait<void>((done) => this.disk.rename(unfinished, this.path(number), done));
      yield* this.syncDirectory();
    } catch (error) {
      // Nobody waits for the closing: until a failure is told, the node goes on acknowledging.
      file.close(() => undefined);
      throw error;
    }
    return { number, file, size: this.segmentBytes };
  }

  *zeroSynced(file: DiskFile, from: number, to: number): Task<void> {
    for (const { at, parts } of this.zeroPieces(from, to))
      yield* wait<void>((done) => file.writeSynced(at, parts, done));
  }

  /** The caller syncs. */
  *zero(file: DiskFile, from: number, to: number): Task<void> {
    for (const { at, parts } of this.zeroPieces(from, to))
      yield* wait<void>((done) => file.write(at, parts, done));
  }

  private *zeroPieces(from: number, to: number): Generator<{ at: number; parts: Uint8Array[] }> {
    for (let at = from; at < to; at += zeroPieceBytes) {
      const end = Math.min(to, at + zeroPieceBytes);
      const parts: Uint8Array[] = [];
      for (let n = at; n < end; n += zeroBlockBytes) {
        parts.push(this.zeros.subarray(0, Math.min(zeroBlockBytes, end - n)));
      }
      yield { at, parts };
    }
  }

  /** Closes and removes segments, the newest first and each durably before the next: no crash leaves a gap, so a gap is a loss. */
  *remove(segments: readonly Segment[]): Task<void> {
    for (const segment of [...segments].sort((a, b) => b.number - a.number)) {
      this.segments.delete(segment.number);
      yield* wait<void>((done) => segment.file.close(done));
      yield* wait<void>((done) => this.disk.remove(this.path(segment.number), done));
      yield* this.syncDirectory();
    }
  }

  /**
   * Removes segments that nobody makes any more: each proves that there was one before it, so they go before that. Durable, with
   * all that a killed process made and removed.
   */
  *removeUnfinished(): Task<void> {
    const names = yield* wait<readonly string[]>((done) => this.disk.list(this.directory, done));
    for (const name of names.filter((one) => unfinishedNumber(one) !== undefined))
      yield* wait<void>((done) => this.disk.remove(`${this.directory}/${name}`, done));
    yield* this.syncDirectory();
  }

  syncDirectory(): Task<void> {
    return wait<void>((done) => this.disk.syncDirectory(this.directory, done));
  }

  /** The page that opens a segment. The length that it tells is durable. */
  header(segment: Segment, generation: number, previous: LogEnd, syncedPosition: number): Uint8Array {
    const { cluster, group, node, incarnation, voters } = this.identity;
    const { number, size: fileBytes } = segment;
    const who = { cluster, group, node, incarnation, voters };
    return encodeSegmentHeader(
      { number, generation, previous, syncedPosition, fileBytes, ...who },
      this.seed,
    );
  }

  *close(): Task<void> {
    for (const segment of this.segments.values()) yield* wait<void>((done) => segment.file.close(done));
    this.segments.clear();
  }
}
