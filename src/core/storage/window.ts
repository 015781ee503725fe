import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import type { Segment } from "./segment.ts";

/** A piece of a segment in memory, moved along as a reader goes: reading never needs more than this and one record. */
export class Window {
  private readonly readBytesMax: number;
  private segment: Segment | undefined;
  /** What is in memory, from file offset `start`. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;

  constructor(readBytesMax: number) {
    this.readBytesMax = readBytesMax;
  }

  /**
   * Brings `length` bytes from `offset` into memory, or as many as the file has.
   * @returns how many bytes from `offset` on are in memory; at least `length`, unless the file ends before.
   */
  *cover(segment: Segment, offset: number, length: number): Task<number> {
    const wanted = Math.min(length, Math.max(0, segment.size - offset));
    const end = this.start + this.bytes.length;
    if (this.segment !== segment || offset < this.start || offset + wanted > end) {
      const bytes = Math.min(segment.size - offset, Math.max(this.readBytesMax, wanted));
      this.segment = segment;
      this.start = offset;
      this.bytes =
        bytes > 0
          ? yield* wait<Uint8Array>((done) => segment.file.read(offset, bytes, done))
          : new Uint8Array(0);
    }
    return Math.max(0, this.start + this.bytes.length - offset);
  }
}
