import type * as net from "node:net";
import { getU32, putU32 } from "../core/base/bytes.ts";
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
/** A frame that is still coming in has this much memory at least, and at most so many times what is there of it. */
const incomingBytesMin = 4_096;
const growth = 4;
/** How long a connection that ends may stand still, with bytes to send or without an answer, before it is destroyed. */
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
    endSocket(socket, bytes);
  }
}

/** Ends a socket in order; one that goes no further is destroyed. */
export function endSocket(socket: net.Socket, last?: Uint8Array): void {
  if (last === undefined) socket.end();
  else socket.end(last);
  let waiting = socket.writableLength;
  const late = setInterval(() => {
    if (socket.writableLength < waiting) waiting = socket.writableLength;
    else socket.destroy();
  }, endMsMax);
  socket.once("close", () => clearInterval(late));
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

/** What came of some bytes: more may follow, the other end took its leave, or it sends what is no frame. */
export type Parsed = "more" | "left" | "broken";

/** Memory for what is still coming in, shared by the connections of a port. */
export class IncomingBudget {
  private left: number;
  private readonly of: IncomingBudget | undefined;

  /** @param of another one, of which this is a part. */
  constructor(bytes: number, of?: IncomingBudget) {
    this.left = bytes;
    this.of = of;
  }

  get available(): number {
    return this.left;
  }

  /** @returns whether there were as many. */
  take(bytes: number): boolean {
    if (bytes > this.left || this.of?.take(bytes) === false) return false;
    this.left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.left += bytes;
    this.of?.give(bytes);
  }
}

export interface ParserLimits {
  readonly budget: IncomingBudget;
  /** The largest first frame: who has not introduced himself yet gets no more. */
  readonly firstBytesMax: number;
}

/** Takes the bytes of a connection apart. */
export class FrameParser {
  private readonly take: (frame: Uint8Array) => void;
  private readonly budget: IncomingBudget | undefined;
  private bytesMax: number;
  private readonly length = new Uint8Array(lengthBytes);
  private lengthFilled = 0;
  /** The frame that is still coming in: its length, and what is there of it. */
  private frameBytes = 0;
  private frame: Uint8Array | undefined;
  private filled = 0;
  /** How the connection ends; nothing comes behind it. */
  private ending: CloseReason | undefined;

  /** @param take is given each frame; what it throws is nobody's here. */
  constructor(take: (frame: Uint8Array) => void, limits?: ParserLimits) {
    this.take = take;
    this.budget = limits?.budget;
    this.bytesMax = limits?.firstBytesMax ?? frameBytesMax;
  }

  /** Why the connection is over, once it has ended. */
  get reason(): CloseReason {
    return this.ending ?? "reset";
  }

  /** @param chunk belongs to the parser: frames that lie in it as a whole are views into it. */
  push(chunk: Uint8Array): Parsed {
    let at = 0;
    while (at < chunk.length) {
      if (this.ending !== undefined) return "left";
      const next = this.frame === undefined ? this.begin(chunk, at) : this.fill(this.frame, chunk, at);
      if (next < 0) {
        this.ending = "protocol";
        this.release();
        return "broken";
      }
      at = next;
    }
    return this.ending === undefined ? "more" : "left";
  }

  /** Gives up the frame that is still coming in. */
  release(): void {
    if (this.frame !== undefined) this.budget?.give(this.frame.length);
    this.frame = undefined;
  }

  /** @returns where the chunk goes on; -1 when there is no room for more. */
  private fill(incoming: Uint8Array, chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.frameBytes - this.filled);
    const frame = this.withRoom(incoming, this.filled + end - at);
    if (frame === undefined) return -1;
    frame.set(chunk.subarray(at, end), this.filled);
    this.filled += end - at;
    if (this.filled === this.frameBytes) {
      this.release();
      this.give(frame);
    }
    return end;
  }

  /** Memory grows with what is there: a length that is only claimed takes none. */
  private withRoom(frame: Uint8Array, bytes: number): Uint8Array | undefined {
    if (bytes <= frame.length) return frame;
    const larger = Math.min(this.frameBytes, Math.max(incomingBytesMin, growth * bytes));
    if (this.budget?.take(larger - frame.length) === false) return undefined;
    this.frame = new Uint8Array(larger);
    this.frame.set(frame.subarray(0, this.filled));
    return this.frame;
  }

  private begin(chunk: Uint8Array, from: number): number {
    let at = from;
    while (this.lengthFilled < lengthBytes && at < chunk.length)
      this.length[this.lengthFilled++] = chunk[at++] as number;
    if (this.lengthFilled < lengthBytes) return at;
    this.lengthFilled = 0;
    const length = getU32(this.length, 0);
    if (length >= endWord) {
      this.ending = length === endWord ? "closed" : "protocol";
      return at;
    }
    if (length > this.bytesMax) return -1;
    if (length <= chunk.length - at) {
      // A plain Uint8Array: a Buffer's `slice` does not copy.
      this.give(new Uint8Array(chunk.buffer, chunk.byteOffset + at, length));
      return at + length;
    }
    this.frameBytes = length;
    this.frame = nothing;
    this.filled = 0;
    return at;
  }

  private give(frame: Uint8Array): void {
    this.bytesMax = frameBytesMax;
    this.take(frame);
  }
}

const nothing: Uint8Array = new Uint8Array(0);
