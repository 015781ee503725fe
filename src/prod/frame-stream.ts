import type { CloseReason, Connection, ConnectionEvents, Service } from "../core/io/network.ts";
import { frameBytesMax } from "../core/io/network.ts";
import type { Turns } from "./turn.ts";

/** A frame on its way out, in pieces that stand behind each other. */
export interface OutgoingFrame {
  readonly first: Uint8Array;
  readonly rest: readonly Uint8Array[];
  /** Of all pieces. */
  readonly bytes: number;
}

export function outgoing(first: Uint8Array, rest: readonly Uint8Array[] = []): OutgoingFrame {
  let bytes = first.length;
  for (const piece of rest) bytes += piece.length;
  return { first, rest, bytes };
}

/** The writing side of what carries frames: a socket, or a stream of gRPC. */
export interface Duplex {
  /** @returns false when the stream wants no more before `drain`; `done` once the bytes went to the host. */
  write(frames: readonly OutgoingFrame[], done: () => void): boolean;
  /** Ends this side in order. */
  end(): void;
  /** Breaks the stream. */
  cancel(): void;
}

/** What a connection may hold that the network has not taken. */
export interface BufferLimits {
  readonly bufferBytesMax: number;
  readonly bufferFramesMax: number;
}

export const bufferLimits: { readonly [service in Service]: BufferLimits } = {
  "peer-control": { bufferBytesMax: 1 << 20, bufferFramesMax: 4_096 },
  "peer-bulk": { bufferBytesMax: 16 << 20, bufferFramesMax: 16_384 },
  client: { bufferBytesMax: 4 << 20, bufferFramesMax: 4_096 },
};

/** Frame bytes in one write; a larger frame travels alone. */
const writeBytesMax = 256 * 1_024;

/**
 * A connection over a socket or a stream of gRPC. Frames queued in one turn leave in one write; while it is under way
 * the next ones gather, so load makes writes larger instead of more.
 */
export class FrameStream implements Connection {
  private readonly limits: BufferLimits;
  private readonly turns: Turns;
  private duplex: Duplex | undefined;
  private events: ConnectionEvents | undefined;
  private queue: OutgoingFrame[] = [];
  private queued = 0;
  private writing = false;
  private refused = false;
  private ready = false;
  private scheduled = false;
  private ended = false;

  constructor(turns: Turns, limits: BufferLimits) {
    this.turns = turns;
    this.limits = limits;
  }

  attach(duplex: Duplex, events: ConnectionEvents): void {
    this.duplex = duplex;
    this.events = events;
  }

  /** The other side is there; what was queued meanwhile leaves. */
  start(): void {
    this.ready = true;
    this.schedule();
  }

  send(first: Uint8Array, rest: readonly Uint8Array[] = []): boolean {
    // What is sent on a connection that has ended is lost, as on one that ends a moment later.
    if (this.ended) return true;
    const frame = outgoing(first, rest);
    if (frame.bytes > frameBytesMax) {
      process.nextTick(() => this.finish("protocol", true));
      return true;
    }
    const { bufferBytesMax, bufferFramesMax } = this.limits;
    const full = this.queued + frame.bytes > bufferBytesMax || this.queue.length >= bufferFramesMax;
    // A frame larger than the whole buffer passes when it is alone, or it never would.
    if (full && this.queue.length > 0) {
      this.refused = true;
      return false;
    }
    this.queue.push(frame);
    this.queued += frame.bytes;
    this.schedule();
    return true;
  }

  queuedBytes(): number {
    return this.queued;
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    if (!this.ready) {
      this.duplex?.cancel();
      return;
    }
    // What was sent before leaves before the end.
    while (this.queue.length > 0) this.writeBatch(() => undefined);
    this.duplex?.end();
  }

  get isEnded(): boolean {
    return this.ended;
  }

  opened(): void {
    if (this.ended) return;
    this.start();
    this.turns.enter();
    this.events?.opened();
  }

  receive(frame: Uint8Array): void {
    if (this.ended) return;
    this.turns.enter();
    this.events?.frame(frame);
  }

  /** The last event, once. */
  finish(reason: CloseReason, cancel = false): void {
    if (this.ended) return;
    this.ended = true;
    this.queue = [];
    this.queued = 0;
    if (cancel) this.duplex?.cancel();
    this.turns.enter();
    this.events?.closed(reason);
  }

  private schedule(): void {
    if (this.scheduled || this.writing || !this.ready || this.queue.length === 0) return;
    this.scheduled = true;
    process.nextTick(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    if (this.writing || this.ended || this.queue.length === 0) return;
    this.writing = true;
    this.writeBatch(() => {
      this.writing = false;
      if (this.ended) return;
      this.flush();
      if (!this.refused) return;
      this.refused = false;
      this.turns.enter();
      this.events?.drained();
    });
  }

  /** One write at a time is under way: its callback comes when the bytes left, which is stricter than what `write()` answers. */
  private writeBatch(done: () => void): void {
    let count = 0;
    let bytes = 0;
    while (count < this.queue.length) {
      const frame = this.queue[count] as OutgoingFrame;
      if (count > 0 && bytes + frame.bytes > writeBytesMax) break;
      bytes += frame.bytes;
      count += 1;
    }
    const batch = count === this.queue.length ? this.queue : this.queue.slice(0, count);
    this.queue = count === this.queue.length ? [] : this.queue.slice(count);
    this.queued -= bytes;
    this.duplex?.write(batch, done);
  }
}
