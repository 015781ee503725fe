import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import type { Segment } from "./segment.ts";

/** A read that was begun before anybody asked for its bytes. */
interface Ahead {
  readonly segment: Segment;
  readonly start: number;
  readonly length: number;
  bytes: Uint8Array | undefined;
  failed: boolean;
  /** Told when it ends. */
  waiting: (() => void) | undefined;
}

/** A piece read ahead begins before the end of the one in use by this part of it: a record that crosses the end is in both. */
const overlapPart = 16;

/**
 * A piece of a segment in memory, moved along as a reader goes: reading never needs more than this, the piece behind it when
 * that is read ahead, and one record.
 */
export class Window {
  private readonly readBytesMax: number;
  /** For who reads on to the end: the disk reads the next piece while this one is being checked. */
  private readonly readsAhead: boolean;
  private ahead: Ahead | undefined;
  private segment: Segment | undefined;
  /** What is in memory, from file offset `start`. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;

  constructor(readBytesMax: number, readsAhead = false) {
    this.readBytesMax = readBytesMax;
    this.readsAhead = readsAhead;
  }

  /**
   * Brings `length` bytes from `offset` into memory, or as many as the file has.
   * @returns how many bytes from `offset` on are in memory; at least `length`, unless the file ends before.
   */
  *cover(segment: Segment, offset: number, length: number): Task<number> {
    const wanted = Math.min(length, Math.max(0, segment.size - offset));
    const end = this.start + this.bytes.length;
    if (this.segment !== segment || offset < this.start || offset + wanted > end) {
      this.segment = segment;
      if (!(yield* this.takeAhead(segment, offset, wanted))) {
        const bytes = Math.min(segment.size - offset, Math.max(this.readBytesMax, wanted));
        this.start = offset;
        this.bytes =
          bytes > 0
            ? yield* wait<Uint8Array>((done) => segment.file.read(offset, bytes, done))
            : new Uint8Array(0);
      }
      if (this.readsAhead) this.readAhead(segment);
    }
    return Math.max(0, this.start + this.bytes.length - offset);
  }

  /** @returns whether what was read ahead is what is wanted. One that failed is read again, to fail where it is waited for. */
  private *takeAhead(segment: Segment, offset: number, wanted: number): Task<boolean> {
    const { ahead } = this;
    if (ahead === undefined || ahead.segment !== segment) return false;
    if (offset < ahead.start || offset + Math.max(1, wanted) > ahead.start + ahead.length) return false;
    if (ahead.bytes === undefined && !ahead.failed) {
      yield* wait<void>((done) => {
        ahead.waiting = () => done(undefined, undefined);
      });
    }
    if (ahead.bytes === undefined || offset + wanted > ahead.start + ahead.bytes.length) return false;
    this.start = ahead.start;
    this.bytes = ahead.bytes;
    return true;
  }

  private readAhead(segment: Segment): void {
    const end = this.start + this.bytes.length;
    const start = Math.max(this.start, end - Math.floor(this.readBytesMax / overlapPart));
    const length = Math.min(segment.size - start, this.readBytesMax);
    this.ahead = undefined;
    if (end >= segment.size || start + length <= end) return;
    const ahead: Ahead = { segment, start, length, bytes: undefined, failed: false, waiting: undefined };
    this.ahead = ahead;
    segment.file.read(start, length, (error, bytes) => {
      ahead.failed = error !== undefined;
      if (error === undefined) ahead.bytes = bytes;
      ahead.waiting?.();
    });
  }
}
