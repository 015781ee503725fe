import type * as net from "node:net";
import type { CloseReason } from "../core/io/network.ts";
import type { Accept, Entrance } from "./entrance.ts";
import { addressOf } from "./entrance.ts";
import { FrameParser, SocketDuplex } from "./frame-socket.ts";
import { bufferLimits, FrameStream } from "./frame-stream.ts";
import type { Greeting } from "./greeting.ts";
import { encodeAnswer, greetingVersion } from "./greeting.ts";
import type { Turns } from "./turn.ts";

/** A probe of the host's own for a peer or client whose machine is gone without a word. */
const keepAliveMs = 30_000;
/** How long somebody who was turned away may take to hang up. */
const turnedAwayMsMax = 1_000;

export interface FramePortOptions {
  readonly turns: Turns;
  readonly entrance: Entrance;
  readonly accept: Accept;
}

/** The accepting side of connections that carry frames: peers, and clients of this library. */
export class FramePort {
  private readonly options: FramePortOptions;
  private readonly streams = new Set<FrameStream>();

  constructor(options: FramePortOptions) {
    this.options = options;
  }

  /** A connection that greeted; whatever it said behind the greeting is still to be read. */
  greeted(socket: net.Socket, greeting: Greeting): void {
    const { turns, entrance, accept } = this.options;
    const { version, service } = greeting;
    const from = addressOf(socket);
    if (version !== greetingVersion || service === undefined)
      return turnAway(socket, encodeAnswer("not-understood", unknown(version)));
    const why = entrance.refusal(from, service, "read");
    if (why !== undefined) return turnAway(socket, encodeAnswer("refused", why));
    const stream = new FrameStream(turns, bufferLimits[service]);
    this.streams.add(stream);
    socket.setKeepAlive(true, keepAliveMs);
    socket.write(encodeAnswer("welcome"));
    turns.enter();
    stream.attach(new SocketDuplex(socket, true), entrance.admit(from, service, stream, accept));
    stream.start();
    listenTo(socket, stream, (reason) => {
      this.streams.delete(stream);
      stream.finish(reason);
    });
  }

  /** Ends every connection in order. */
  close(): void {
    for (const stream of [...this.streams]) stream.close();
    this.streams.clear();
  }
}

function unknown(version: number): string {
  if (version === greetingVersion) return "this node does not know the service that the greeting names";
  return `the greeting is of version ${version}, and this node speaks ${greetingVersion}`;
}

function turnAway(socket: net.Socket, answer: Uint8Array): void {
  socket.resume();
  socket.end(answer);
  const late = setTimeout(() => socket.destroy(), turnedAwayMsMax);
  socket.once("close", () => clearTimeout(late));
}

/**
 * Gives a stream what comes in on its socket, behind the greeting.
 * @param over is told once why it ended.
 * @returns takes bytes that were read already.
 */
export function listenTo(
  socket: net.Socket,
  stream: FrameStream,
  over: (reason: CloseReason) => void,
): (chunk: Uint8Array) => void {
  const parser = new FrameParser((frame) => stream.receive(frame));
  const take = (chunk: Uint8Array): void => {
    try {
      if (!parser.push(chunk)) over(parser.reason);
    } catch {
      stream.finish("protocol", true);
      over("protocol");
    }
  };
  socket.on("data", take);
  socket.on("end", () => over(parser.reason));
  socket.on("error", () => over(parser.reason));
  socket.on("close", () => over(parser.reason));
  return take;
}
