import { LogError } from "./errors.ts";

/**
 * Fixed-layout binary encoding, big-endian (network order, as DLedger's records).
 * Offsets past 2^53 - 1 are refused at both ends: indexes, terms and positions are numbers.
 */

export function putU16(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 8;
  to[at + 1] = value;
}

export function putU32(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 24;
  to[at + 1] = value >>> 16;
  to[at + 2] = value >>> 8;
  to[at + 3] = value;
}

/** Writes a number in [0, 2^53) as eight bytes. */
export function putU64(to: Uint8Array, at: number, value: number): void {
  putU32(to, at, Math.floor(value / 0x1_0000_0000));
  putU32(to, at + 4, value >>> 0);
}

export function getU16(from: Uint8Array, at: number): number {
  return ((from[at] as number) << 8) | (from[at + 1] as number);
}

export function getU32(from: Uint8Array, at: number): number {
  return (
    (((from[at] as number) << 24) |
      ((from[at + 1] as number) << 16) |
      ((from[at + 2] as number) << 8) |
      (from[at + 3] as number)) >>>
    0
  );
}

/** @returns NaN when the eight bytes hold more than 2^53 - 1, which no comparison lets pass. */
export function getU64(from: Uint8Array, at: number): number {
  const high = getU32(from, at);
  return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + getU32(from, at + 4);
}

/** For many fields of the same bytes: it reads and writes four at a time, but costs as much as some forty single bytes to make. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** As `putU64`. */
export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}

/** Pieces behind each other, in a buffer of their own. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Room that is handed out piece by piece, in blocks that several pieces share: a buffer of its own for every small piece
 * costs more than filling it. A piece that is kept pins its block.
 */
export class BlockSpace {
  /** Where the latest piece stands. */
  block: Uint8Array = new Uint8Array(0);
  /** Of `block`. */
  view: DataView = viewOf(this.block);
  private used = 0;
  private readonly blockBytes: number;

  /** @param blockBytes of a block; a piece that is larger gets one of its own size. */
  constructor(blockBytes: number) {
    this.blockBytes = blockBytes;
  }

  /** @returns where in `block` there are `bytes` bytes, all zero, that nobody else uses. */
  take(bytes: number): number {
    if (this.used + bytes > this.block.length) {
      this.block = new Uint8Array(Math.max(bytes, this.blockBytes));
      this.view = viewOf(this.block);
      this.used = 0;
    }
    const at = this.used;
    this.used += bytes;
    return at;
  }
}

/**
 * Messages are put field by field into blocks that several of them share. One writer is reused for many messages;
 * `finish` hands out the bytes of one, which nobody writes to any more.
 */
export class ByteWriter {
  private buffer: Uint8Array = new Uint8Array(0);
  /** Where the message begins. */
  private start = 0;
  private end = 0;
  private readonly blockBytes: number;

  constructor(blockBytes = 8_192) {
    this.blockBytes = blockBytes;
  }

  get position(): number {
    return this.end - this.start;
  }

  private grow(more: number): number {
    if (this.end + more > this.buffer.length) this.renew(more);
    const at = this.end;
    this.end = at + more;
    return at;
  }

  /** Goes on in a new block, which begins with what there is of the message. */
  private renew(more: number): void {
    const begun = this.buffer.subarray(this.start, this.end);
    this.buffer = new Uint8Array(Math.max(this.blockBytes, 2 * begun.length + more));
    this.buffer.set(begun);
    this.start = 0;
    this.end = begun.length;
  }

  u8(value: number): this {
    const at = this.grow(1);
    this.buffer[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.grow(2);
    putU16(this.buffer, at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.grow(4);
    putU32(this.buffer, at, value);
    return this;
  }

  /** A number in [0, 2^53). */
  u64(value: number): this {
    const at = this.grow(8);
    putU64(this.buffer, at, value);
    return this;
  }

  /** A number in [-1, 2^53 - 1): indexes start at 0, so "before the first" is -1. */
  index(value: number): this {
    return this.u64(value + 1);
  }

  raw(bytes: Uint8Array, start = 0, end: number = bytes.length): this {
    const at = this.grow(end - start);
    if (end - start < 64) for (let i = start; i < end; i++) this.buffer[at + i - start] = bytes[i] as number;
    else this.buffer.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at);
    return this;
  }

  /** Bytes behind a 32-bit length. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** ASCII text behind a 16-bit length: ids and codes. */
  ascii(text: string): this {
    this.u16(text.length);
    const at = this.grow(text.length);
    for (let i = 0; i < text.length; i++) this.buffer[at + i] = text.charCodeAt(i) & 127;
    return this;
  }

  /** UTF-8 text behind a 32-bit length. */
  text(text: string): this {
    return this.bytes(new TextEncoder().encode(text));
  }

  /** @returns what was put, a view into its block, and starts over. */
  finish(): Uint8Array {
    // A twentieth more messages a second than with `subarray`, which looks for a class to make first.
    const out = new Uint8Array(this.buffer.buffer, this.start, this.position);
    this.start = this.end;
    return out;
  }
}

/** Reads what `ByteWriter` put. Every read past the end is a typed `malformed-frame`, never a silent undefined. */
export class ByteReader {
  readonly buffer: Uint8Array;
  private at: number;
  private readonly end: number;

  constructor(buffer: Uint8Array, start = 0, end: number = buffer.length) {
    this.buffer = buffer;
    this.at = start;
    this.end = end;
  }

  get position(): number {
    return this.at;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  private take(bytes: number): number {
    const at = this.at;
    if (bytes > this.end - at) {
      throw new LogError(
        "malformed-frame",
        `a field of ${bytes} bytes at ${at} passes the end at ${this.end}`,
      );
    }
    this.at = at + bytes;
    return at;
  }

  u8(): number {
    return this.buffer[this.take(1)] as number;
  }

  u16(): number {
    return getU16(this.buffer, this.take(2));
  }

  u32(): number {
    return getU32(this.buffer, this.take(4));
  }

  u64(): number {
    const value = getU64(this.buffer, this.take(8));
    if (Number.isNaN(value)) throw new LogError("malformed-frame", "a number above 2^53 - 1");
    return value;
  }

  index(): number {
    return this.u64() - 1;
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw new LogError("malformed-frame", `a flag is 0 or 1, not ${value}`);
    return value === 1;
  }

  /** Moves past `length` bytes. @returns the offset at which they begin in `buffer`. */
  skip(length: number): number {
    return this.take(length);
  }

  /** A copy, so that a small value never pins the frame that it came in. */
  raw(length: number): Uint8Array {
    const at = this.take(length);
    return this.buffer.slice(at, at + length);
  }

  bytes(lengthMax: number): Uint8Array {
    return this.raw(this.bounded(this.u32(), lengthMax));
  }

  ascii(lengthMax: number): string {
    const length = this.bounded(this.u16(), lengthMax);
    const at = this.take(length);
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode((this.buffer[at + i] as number) & 127);
    return text;
  }

  text(lengthMax: number): string {
    return new TextDecoder().decode(this.bytes(lengthMax));
  }

  private bounded(length: number, lengthMax: number): number {
    if (length > lengthMax) {
      throw new LogError(
        "malformed-frame",
        `a field of ${length} bytes, where at most ${lengthMax} are allowed`,
      );
    }
    return length;
  }

  /** @throws LogError malformed-frame when bytes are left over: a frame is read whole or refused. */
  done(): void {
    if (this.at !== this.end)
      throw new LogError("malformed-frame", `${this.end - this.at} bytes after the end`);
  }
}
