import type * as net from "node:net";
import type { CloseReason, Service } from "../core/io/network.ts";
import type { Accept, Entrance } from "./entrance.ts";
import type { IncomingBudget, ParserLimits } from "./frame-socket.ts";
import { endSocket, FrameParser, SocketDuplex } from "./frame-socket.ts";
import { bufferLimits, FrameStream } from "./frame-stream.ts";
import type { Greeting } from "./greeting.ts";
import { encodeAnswer, greetingVersion } from "./greeting.ts";
import { addressOf } from "./tls-door.ts";
import type { Turns } from "./turn.ts";

/** A probe of the host's own for a peer or client whose machine is gone without a word. */
const keepAliveMs = 30_000;
/** Until somebody has introduced himself he sends no frame that is larger. */
const firstBytesMax = 64 * 1_024;
export interface FramePortOptions {
  readonly turns: Turns;
  readonly entrance: Entrance;
  readonly accept: Accept;
  /** For frames that are still coming in, of all connections together. */
  readonly incoming: IncomingBudget;
  /** What a client is told whose connection the node closes at once. */
  readonly full: string | undefined;
}

/** The accepting side of connections that carry frames: peers, and clients of this library. */
export class FramePort {
  private readonly options: FramePortOptions;
  private readonly streams = new Set<FrameStream>();
  private readonly limits: ParserLimits;

  constructor(options: FramePortOptions) {
    this.options = options;
    this.limits = { budget: options.incoming, firstBytesMax };
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
    turns.enter();
    const events = entrance.admit(from, service, stream, accept);
    // The node may have closed it at once, for it has too many.
    if (stream.isEnded) return turnAway(socket, encodeAnswer("full", this.tooMany(from, service)));
    this.streams.add(stream);
    socket.setKeepAlive(true, keepAliveMs);
    socket.write(encodeAnswer("welcome"));
    stream.attach(new SocketDuplex(socket, true), events);
    stream.start();
    const over = (reason: CloseReason): void => {
      this.streams.delete(stream);
      stream.finish(reason);
    };
    listenTo(socket, stream, over, this.limits);
  }

  private tooMany(from: string, service: Service): string {
    const { full = "this node has as many clients as it takes", entrance } = this.options;
    const why = service === "client" ? full : "this node has as many connections of peers as it takes";
    entrance.turnedAway(from, why);
    return why;
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
  endSocket(socket, answer);
}

/**
 * Gives a stream what comes in on its socket, behind the greeting.
 * @param over is told why it ended, at least once.
 * @returns takes bytes that were read already.
 */
export function listenTo(
  socket: net.Socket,
  stream: FrameStream,
  over: (reason: CloseReason) => void,
  limits?: ParserLimits,
): (chunk: Uint8Array) => void {
  const parser = new FrameParser((frame) => stream.receive(frame), limits);
  const take = (chunk: Uint8Array): void => {
    const parsed = parser.push(chunk);
    if (parsed === "more") return;
    socket.off("data", take).resume();
    // What the other end sends is no frame: it is told so, if it still listens.
    if (parsed === "broken") stream.finish("protocol", true);
    over(parser.reason);
    if (!socket.writableEnded) endSocket(socket);
  };
  socket.on("data", take);
  socket.on("end", () => over(parser.reason));
  socket.on("error", (error: NodeJS.ErrnoException) =>
    over(error.code === "ETIMEDOUT" ? "timeout" : parser.reason),
  );
  socket.on("close", () => {
    parser.release();
    over(parser.reason);
  });
  return take;
}
