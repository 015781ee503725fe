import * as fs from "node:fs";
import * as net from "node:net";
import type { Greeting } from "./greeting.ts";
import { decodeGreeting, greetingBytes, greetingMagic } from "./greeting.ts";

/** What every HTTP/2 client says first. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const http1 = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) /;
/** The first byte of a TLS handshake. */
const handshakeByte = 0x16;
/** The alert `protocol_version`, which a TLS client understands where nobody speaks TLS. */
const noTls = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46]);
const http1Answer =
  "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n" +
  "This port speaks gRPC and frames. Health and metrics are on the node's HTTP port.\n";

/** A connection that does not say the preface within this long is dropped. */
const prefaceMsMax = 10_000;
/** File descriptors kept for the log, peers and the rest of the process. */
const descriptorsReserved = 512;
const connectionsMaxDefault = 16_384;

/** Why a connection was turned away before it was anybody's. */
export type GuardRefusal = "http1" | "garbage" | "silent" | "too-many" | "tls";

export interface GuardEvents {
  /** It opened with a greeting; `secured` when it came out of TLS. */
  greeted(socket: net.Socket, greeting: Greeting, secured: boolean): void;
  /** It opened with the HTTP/2 preface. */
  http2(socket: net.Socket, secured: boolean): void;
  /** It opened with a TLS handshake. Without this one, nobody here speaks TLS. */
  readonly handshake: ((socket: net.Socket) => void) | undefined;
  refused(reason: GuardRefusal, from: string): void;
}

/**
 * The listening socket, which looks at the first bytes of a connection. Only a greeting and the HTTP/2 preface get
 * through, so random bytes, half a frame, HTTP/1 and thousands of idle connections cost a socket each and no more.
 */
export class PortGuard {
  private readonly events: GuardEvents;
  private readonly server: net.Server;
  private readonly waiting = new Set<net.Socket>();

  constructor(events: GuardEvents) {
    this.events = events;
    this.server = net.createServer({ noDelay: true }, (socket) => this.meet(socket, false));
    this.server.maxConnections = connectionsMax();
    this.server.on("drop", (from) => events.refused("too-many", from?.remoteAddress ?? ""));
  }

  listen(
    at: { readonly host: string; readonly port: number },
    done: (error: Error | undefined) => void,
  ): void {
    const failed = (error: Error): void => done(error);
    this.server.once("error", failed);
    this.server.listen({ host: at.host, port: at.port, backlog: 1_024 }, () => {
      this.server.removeListener("error", failed);
      // Running out of descriptors fails an accept, not the listener.
      this.server.on("error", () => undefined);
      done(undefined);
    });
  }

  /** The port in use, when port 0 asked for any. */
  get port(): number {
    const address = this.server.address();
    return address !== null && typeof address === "object" ? address.port : 0;
  }

  close(): void {
    this.server.close();
    for (const socket of this.waiting) socket.destroy();
  }

  /** @param secured it comes out of TLS: nobody shakes hands twice. */
  meet(socket: net.Socket, secured: boolean): void {
    this.waiting.add(socket);
    const from = socket.remoteAddress ?? "";
    const leave = (): void => {
      clearTimeout(timer);
      this.waiting.delete(socket);
      socket.removeAllListeners("readable");
    };
    const refuse = (reason: GuardRefusal, answer: string | Uint8Array = ""): void => {
      leave();
      this.events.refused(reason, from);
      if (answer.length === 0) return void socket.destroy();
      socket.resume();
      socket.end(answer, () => socket.destroy());
    };
    /** Hands the socket on, with what was read of it. */
    const pass = (seen: Buffer, to: (socket: net.Socket) => void): void => {
      leave();
      socket.removeListener("close", leave);
      // Not before: bytes that go back make the socket readable again.
      if (seen.length > 0) socket.unshift(seen);
      to(socket);
    };
    const timer = setTimeout(() => refuse("silent"), prefaceMsMax);
    timer.unref();
    socket.on("error", () => socket.destroy());
    socket.once("close", leave);
    let seen: Buffer = Buffer.alloc(0);
    socket.on("readable", () => {
      const more = socket.read() as Buffer | null;
      if (more === null) return;
      seen = seen.length === 0 ? more : Buffer.concat([seen, more]);
      const { handshake } = this.events;
      if (seen[0] === handshakeByte && !secured)
        return handshake === undefined ? refuse("tls", noTls) : pass(seen, handshake);
      if (begins(seen, greetingMagic)) {
        if (seen.length < greetingBytes) return;
        const greeting = decodeGreeting(seen);
        return pass(seen.subarray(greetingBytes), (whole) => this.events.greeted(whole, greeting, secured));
      }
      const length = Math.min(seen.length, preface.length);
      if (preface.compare(seen, 0, length, 0, length) !== 0) {
        if (http1.test(seen.toString("latin1", 0, 8))) refuse("http1", http1Answer);
        else refuse("garbage");
      } else if (length === preface.length) pass(seen, (whole) => this.events.http2(whole, secured));
    });
  }
}

/** Whether the bytes, as far as they are there, are the beginning. */
function begins(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return beginning.every((byte, at) => at >= bytes.length || bytes[at] === byte);
}

/** As many connections as the process has descriptors for, less what the log needs. */
function connectionsMax(): number {
  try {
    const limits = fs.readFileSync("/proc/self/limits", "latin1");
    const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
    if (soft > 0) return Math.max(64, Math.min(connectionsMaxDefault, soft - descriptorsReserved));
  } catch {
    // No /proc: the default stands.
  }
  return connectionsMaxDefault;
}
