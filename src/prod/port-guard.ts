import * as fs from "node:fs";
import * as net from "node:net";

/** What every HTTP/2 client says first. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const http1 = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) /;
const http1Answer =
  "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n" +
  "This port speaks gRPC. Health and metrics are on the node's HTTP port.\n";

/** A connection that does not say the preface within this long is dropped. */
const prefaceMsMax = 10_000;
/** File descriptors kept for the log, peers and the rest of the process. */
const descriptorsReserved = 512;
const connectionsMaxDefault = 16_384;

/** Why a connection was turned away before gRPC saw it. */
export type GuardRefusal = "http1" | "garbage" | "silent" | "too-many";

export interface GuardEvents {
  accepted(socket: net.Socket): void;
  refused(reason: GuardRefusal, from: string): void;
}

/**
 * The listening socket in front of gRPC. Only what opens with the HTTP/2 preface gets through, so random bytes,
 * half a frame, HTTP/1 and thousands of idle connections cost a socket each and never an HTTP/2 session.
 */
export class PortGuard {
  private readonly events: GuardEvents;
  private readonly encrypted: boolean;
  private readonly server: net.Server;
  private readonly waiting = new Set<net.Socket>();

  /** @param encrypted what comes first is a TLS handshake, which looks at its bytes itself. */
  constructor(events: GuardEvents, encrypted = false) {
    this.events = events;
    this.encrypted = encrypted;
    this.server = net.createServer({ noDelay: true }, (socket) => this.meet(socket));
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

  private meet(socket: net.Socket): void {
    if (this.encrypted) {
      socket.on("error", () => socket.destroy());
      this.events.accepted(socket);
      return;
    }
    this.waiting.add(socket);
    const from = socket.remoteAddress ?? "";
    const leave = (): void => {
      clearTimeout(timer);
      this.waiting.delete(socket);
      socket.removeAllListeners("readable");
    };
    const refuse = (reason: GuardRefusal, answer = ""): void => {
      leave();
      this.events.refused(reason, from);
      if (answer === "") return void socket.destroy();
      socket.resume();
      socket.end(answer, "latin1", () => socket.destroy());
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
      const length = Math.min(seen.length, preface.length);
      if (preface.compare(seen, 0, length, 0, length) !== 0) {
        if (http1.test(seen.toString("latin1", 0, 8))) refuse("http1", http1Answer);
        else refuse("garbage");
      } else if (length === preface.length) {
        leave();
        socket.removeListener("close", leave);
        // Not before: bytes that go back make the socket readable again.
        socket.unshift(seen);
        this.events.accepted(socket);
      }
    });
  }
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
