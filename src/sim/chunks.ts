import type { Contents, Loose } from "./contents.ts";

export const chunkBytes: number = 64 * 1_024;
/** A shorter piece of a chunk is copied out: that is cheaper than a copy of the chunk at its next change. */
const lentBytesMin = 4 * 1_024;
/** Where a longer part of a write begins and ends, the same bytes may begin and end on other disks. */
const seamBytesMin = 4 * 1_024;
const noSeams: number[] = [];
const zeroChunk = new Uint8Array(chunkBytes);

/** Part of a file: its bytes, or a list of pieces that it may share with other disks. */
class Chunk implements Loose {
  private readonly contents: Contents;
  private bytes: Uint8Array | undefined = new Uint8Array(chunkBytes);
  private list = -1;
  /** Somebody has a view of the bytes: they never change again, a change goes into a copy. */
  private lent = false;
  private seams = noSeams;

  constructor(contents: Contents) {
    this.contents = contents;
    contents.touched(this);
  }

  get isLoose(): boolean {
    return this.bytes !== undefined;
  }

  /** The bytes, to be changed. */
  writable(): Uint8Array {
    let { bytes } = this;
    if (bytes === undefined) {
      bytes = new Uint8Array(chunkBytes);
      this.contents.copy(this.list, 0, bytes, 0, chunkBytes);
      this.contents.touched(this);
    } else if (this.lent) bytes = bytes.slice();
    this.bytes = bytes;
    this.lent = false;
    return bytes;
  }

  view(from: number, to: number): Uint8Array {
    const { bytes } = this;
    if (bytes === undefined) {
      const copy = new Uint8Array(to - from);
      this.contents.copy(this.list, from, copy, 0, to - from);
      return copy;
    }
    if (to - from < lentBytesMin) return bytes.slice(from, to);
    this.lent = true;
    return bytes.subarray(from, to);
  }

  copyTo(to: Uint8Array, at: number, from: number, size: number): void {
    if (this.bytes === undefined) this.contents.copy(this.list, from, to, at, size);
    else to.set(this.bytes.subarray(from, from + size), at);
  }

  seam(at: number): void {
    if (this.seams === noSeams) this.seams = [at];
    else if (!this.seams.includes(at)) this.seams.push(at);
  }

  pack(): void {
    if (this.bytes === undefined) return;
    this.list = this.contents.store(this.bytes, this.seams);
    this.bytes = undefined;
    this.lent = false;
    this.seams = noSeams;
  }
}

/** The bytes of one file. Sparse: a chunk that was never written to is all zeros and costs nothing. */
export class Chunks {
  private readonly contents: Contents;
  private readonly chunks: (Chunk | undefined)[] = [];

  constructor(contents: Contents) {
    this.contents = contents;
  }

  has(index: number): boolean {
    return this.chunks[index] !== undefined;
  }

  /** Chunks that are there: not all zeros, or once not. */
  get count(): number {
    let count = 0;
    for (const chunk of this.chunks) if (chunk !== undefined) count += 1;
    return count;
  }

  /** Those whose bytes are not shared with anybody. */
  get looseCount(): number {
    let count = 0;
    for (const chunk of this.chunks) if (chunk?.isLoose === true) count += 1;
    return count;
  }

  /** The bytes of [from, to) as they are now and stay. Nobody may change them. */
  view(from: number, to: number): Uint8Array {
    const first = Math.floor(from / chunkBytes);
    const start = first * chunkBytes;
    if (to <= start + chunkBytes) {
      const chunk = this.chunks[first];
      return chunk === undefined
        ? zeroChunk.subarray(from - start, to - start)
        : chunk.view(from - start, to - start);
    }
    const out = new Uint8Array(to - from);
    for (let at = from; at < to; ) {
      const index = Math.floor(at / chunkBytes);
      const end = Math.min(to, (index + 1) * chunkBytes);
      this.chunks[index]?.copyTo(out, at - from, at % chunkBytes, end - at);
      at = end;
    }
    return out;
  }

  /** The whole chunk, to be changed. */
  writable(index: number): Uint8Array {
    let chunk = this.chunks[index];
    if (chunk === undefined) {
      chunk = new Chunk(this.contents);
      this.chunks[index] = chunk;
    }
    return chunk.writable();
  }

  /** A part of a write stands in [from, to) of a chunk that is there. */
  written(index: number, from: number, to: number): void {
    if (to - from < seamBytesMin) return;
    const chunk = this.chunks[index];
    chunk?.seam(from);
    chunk?.seam(to);
  }

  /** Zeros from `length` on. */
  cut(length: number): void {
    const first = Math.floor(length / chunkBytes);
    for (let n = first; n < this.chunks.length; n++) {
      if (this.has(n)) this.writable(n).fill(0, n === first ? length % chunkBytes : 0);
    }
  }
}
