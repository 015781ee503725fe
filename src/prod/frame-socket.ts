import type * as net from "node:net";
import { getU32, putU32 } from "../core/base/bytes.ts";
import { LogError } from "../core/base/errors.ts";
import type { CloseReason } from "../core/io/network.ts";
import { frameBytesMax } from "../core/io/network.ts";
import type { Duplex, OutgoingFrame } from "./frame-stream.ts";

/**
 * Frames on a socket, behind the greeting: each is its length in 32 bits (big-endian) and its bytes. Lengths that no
 * frame has are words: the connection ends here in order, or it is broken because of what the other end sent. One
 * that ends without a word has lost its process.
 */
const lengthBytes = 4;
const endWord = 0xffff_fffe;
const brokenWord = 0xffff_ffff;

/** Frames up to here are copied behind each other: one buffer for the host costs less than many small ones. */
const copiedBytesMax = 4_096;
/** Memory for a frame that is still coming in: as much at once, then as much again as is there. A length alone takes none. */
const incomingBytesFirst = 128 * 1_024;
/** How long the other side may take to answer the end of a connection before it is destroyed. */
const endMsMax = 1_000;

/** The writing side of a socket. */
export class SocketDuplex implements Duplex {
  private readonly socket: net.Socket;
  /** Whether the other end is told when this one breaks the connection. */
  private readonly tells: boolean;

  constructor(socket: net.Socket, tells: boolean) {
    this.socket = socket;
    this.tells = tells;
  }

  write(frames: readonly OutgoingFrame[], done: () => void): boolean {
    const { socket } = this;
    const parts = partsOf(frames);
    const last = parts.pop();
    if (last === undefined) return true;
    socket.cork();
    for (const part of parts) socket.write(part);
    const room = socket.write(last, () => done());
    socket.uncork();
    return room;
  }

  end(): void {
    this.leave(endWord);
  }

  cancel(): void {
    if (this.tells) this.leave(brokenWord);
    else this.socket.destroy();
  }

  private leave(word: number): void {
    const { socket } = this;
    const bytes = new Uint8Array(lengthBytes);
    putU32(bytes, 0, word);
    socket.end(bytes);
    const late = setTimeout(() => socket.destroy(), endMsMax);
    socket.once("close", () => clearTimeout(late));
  }
}

/** What goes to the host: small pieces copied behind each other, large ones as they are. */
function partsOf(frames: readonly OutgoingFrame[]): Uint8Array[] {
  let copied = 0;
  for (const { first, rest } of frames) {
    copied += lengthBytes + copiedOf(first);
    for (const piece of rest) copied += copiedOf(piece);
  }
  const small = Buffer.allocUnsafe(copied);
  const parts: Uint8Array[] = [];
  let from = 0;
  let at = 0;
  const put = (piece: Uint8Array): void => {
    if (copiedOf(piece) > 0) small.set(piece, at);
    else if (piece.length > 0) {
      parts.push(small.subarray(from, at), piece);
      from = at;
    }
    at += copiedOf(piece);
  };
  for (const { first, rest, bytes } of frames) {
    putU32(small, at, bytes);
    at += lengthBytes;
    put(first);
    for (const piece of rest) put(piece);
  }
  if (at > from) parts.push(small.subarray(from, at));
  return parts.filter((part) => part.length > 0);
}

function copiedOf({ length }: Uint8Array): number {
  return length <= copiedBytesMax ? length : 0;
}

/** Takes the bytes of a connection apart. */
export class FrameParser {
  private readonly take: (frame: Uint8Array) => void;
  private readonly length = new Uint8Array(lengthBytes);
  private lengthFilled = 0;
  /** The frame that is still coming in: its length, and what is there of it. */
  private frameBytes = 0;
  private frame: Uint8Array | undefined;
  private filled = 0;
  /** How the other end took its leave; nothing comes behind it. */
  private left: CloseReason | undefined;

  constructor(take: (frame: Uint8Array) => void) {
    this.take = take;
  }

  /** Why the connection is over, once it has ended. */
  get reason(): CloseReason {
    return this.left ?? "reset";
  }

  /**
   * @param chunk belongs to the parser: frames that lie in it as a whole are views into it.
   * @returns whether more may follow.
   * @throws LogError frame-too-large, before anything is allocated.
   */
  push(chunk: Uint8Array): boolean {
    let at = 0;
    while (this.left === undefined && at < chunk.length) {
      if (this.frame !== undefined) at = this.fill(this.frame, chunk, at);
      else at = this.begin(chunk, at);
    }
    return this.left === undefined;
  }

  private fill(incoming: Uint8Array, chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.frameBytes - this.filled);
    let frame = incoming;
    if (this.filled + end - at > frame.length) {
      frame = new Uint8Array(Math.min(this.frameBytes, 2 * Math.max(frame.length, this.filled + end - at)));
      frame.set(incoming.subarray(0, this.filled));
      this.frame = frame;
    }
    frame.set(chunk.subarray(at, end), this.filled);
    this.filled += end - at;
    if (this.filled === this.frameBytes) {
      this.frame = undefined;
      this.take(frame);
    }
    return end;
  }

  private begin(chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.lengthFilled < lengthBytes && at < chunk.length)
      this.length[this.lengthFilled++] = chunk[at++] as number;
    if (this.lengthFilled < lengthBytes) return at;
    this.lengthFilled = 0;
    const length = getU32(this.length, 0);
    if (length >= endWord) {
      this.left = length === endWord ? "closed" : "protocol";
      return at;
    }
    if (length > frameBytesMax)
      throw new LogError("frame-too-large", `a frame of ${length} bytes, at most ${frameBytesMax}`);
    if (length <= chunk.length - at) {
      // A plain Uint8Array: a Buffer's `slice` does not copy.
      this.take(new Uint8Array(chunk.buffer, chunk.byteOffset + at, length));
      return at + length;
    }
    this.frameBytes = length;
    this.frame = new Uint8Array(Math.min(length, incomingBytesFirst));
    this.filled = 0;
    return at;
  }
}
