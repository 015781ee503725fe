import * as http2 from "node:http2";
import type * as net from "node:net";
import type { Server, ServerInterceptor } from "@grpc/grpc-js";
import { ServerInterceptingCall, status } from "@grpc/grpc-js";
import { assert } from "../core/base/assert.ts";
import type { Entrance } from "./entrance.ts";
import { endSocket } from "./frame-socket.ts";
import { actionOfMethod } from "./gatekeeper.ts";
import { sessionSettings } from "./grpc-options.ts";
import type { IncomingCall, IncomingCalls } from "./incoming-calls.ts";
import type { LogConnection } from "./log-connection.ts";
import { addressOf } from "./tls-door.ts";

/** Somebody who may nothing is heard once, and no longer than this. */
const strangerMsMax = 5_000;
/** How long a connection that is told to go may take. */
const leaveMsMax = 1_000;

/** Whoever keeps account of the connections that carry calls. */
export interface GrpcClients {
  /**
   * A connection came.
   * @param from the other end, as calls name it.
   * @returns undefined when it is one too many.
   */
  connected(from: string, unsentBytes: () => number): LogConnection | undefined;
}

export interface GrpcDoorOptions {
  readonly entrance: Entrance;
  readonly incoming: IncomingCalls;
  readonly clients: GrpcClients | undefined;
  /** A connection was one too many. */
  tooMany(from: string): void;
}

type Stream = http2.ServerHttp2Stream;
type Headers = http2.IncomingHttpHeaders;
type StreamListener = (stream: Stream, headers: Headers, flags: number) => void;

/** A connection, and the calls that are open on it. */
class Guest {
  readonly streams = new Set<Stream>();
  readonly from: string;
  /** It may nothing. */
  readonly stranger: boolean;
  served: LogConnection | undefined;

  constructor(from: string, stranger: boolean) {
    this.from = from;
    this.stranger = stranger;
  }

  unsentBytes(): number {
    let bytes = 0;
    for (const { writableLength } of this.streams) bytes += writableLength;
    return bytes;
  }
}

/**
 * What stands before grpc-js, which takes any connection, lets anybody fill a message before a handler hears of it, and
 * has no bound over all calls: connections are counted, calls are refused at their headers, and what they send is
 * counted from the first byte on until somebody takes it.
 */
export class GrpcDoor {
  private readonly options: GrpcDoorOptions;
  private readonly guests = new WeakMap<http2.Http2Session, Guest>();
  private arriving: Guest | undefined;
  /** What is known of the call that grpc-js makes at this moment. */
  private made: IncomingCall | undefined;

  constructor(options: GrpcDoorOptions) {
    this.options = options;
  }

  /** Tells what becomes of the messages that wait within grpc-js. With it nobody is served whose call is over. */
  get interceptor(): ServerInterceptor {
    return ({ requestStream }, call) => {
      const { made } = this;
      return new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveHalfClose: (pass) => {
              if (!requestStream) made?.takenAll();
              pass();
            },
            onCancel: () => made?.end(),
          }),
      });
    };
  }

  /** The call that a handler of many messages is given; asked when the handler begins. */
  get incoming(): IncomingCall | undefined {
    return this.made;
  }

  /** Stands before a server that has been given all its services and its injector. */
  attach(server: Server): void {
    for (const host of hostsOf(server)) {
      const behind = host.listeners("stream") as StreamListener[];
      host.removeAllListeners("stream");
      host.on("stream", (stream: Stream, headers: Headers, flags: number) =>
        this.meet(stream, headers, () => {
          for (const listener of behind) listener.call(host, stream, headers, flags);
        }),
      );
      host.updateSettings(sessionSettings);
      host.on("session", (session) => this.welcome(session));
    }
  }

  /** @param inject gives grpc-js the connection, at once. */
  enter(socket: net.Socket, inject: (socket: net.Socket) => void): void {
    const { entrance, clients, tooMany } = this.options;
    const guest = new Guest(addressOf(socket), entrance.isStranger(addressOf(socket)));
    if (!guest.stranger && clients !== undefined) {
      guest.served = clients.connected(guest.from, () => guest.unsentBytes());
      if (guest.served === undefined) {
        tooMany(socket.remoteAddress ?? "");
        socket.resume();
        return endSocket(socket, tooManyBytes);
      }
      socket.once("close", () => guest.served?.close());
      if (socket.destroyed) guest.served.close();
    }
    this.arriving = guest;
    inject(socket);
    this.arriving = undefined;
  }

  private welcome(session: http2.ServerHttp2Session): void {
    const { arriving } = this;
    if (arriving === undefined) return session.destroy();
    this.guests.set(session, arriving);
    session.setLocalWindowSize(sessionSettings.initialWindowSize ?? 0);
    if (arriving.stranger) leave(session, strangerMsMax);
  }

  /** @param pass lets grpc-js make the call, at once. */
  private meet(stream: Stream, headers: Headers, pass: () => void): void {
    const guest = stream.session && this.guests.get(stream.session);
    if (stream.destroyed || guest === undefined) return void stream.destroy();
    const why = this.refusal(guest, headers);
    if (why !== undefined) return refuse(stream, why, guest.stranger);
    const call = this.options.incoming.begin(() => stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM));
    guest.streams.add(stream);
    stream.on("drain", () => guest.served?.drained());
    stream.once("close", () => {
      call.end();
      guest.streams.delete(stream);
      guest.served?.drained();
    });
    count(stream, call);
    this.made = call;
    pass();
    this.made = undefined;
  }

  private refusal({ from, stranger }: Guest, headers: Headers): Refusal | undefined {
    const method = String(headers[":path"]).split("/").at(-1) ?? "";
    const action = actionOfMethod[method];
    // What nobody knows is for grpc-js to refuse.
    if (stranger || action !== undefined) {
      const why = this.options.entrance.refusal(from, "client", action ?? "read");
      if (why !== undefined) return { ...notAuthorised, text: why };
    }
    const encoding = headers["grpc-encoding"] ?? "identity";
    return encoding === "identity" ? undefined : compressed;
  }
}

interface Refusal {
  readonly code: status;
  readonly text: string;
  readonly trailers: { readonly [name: string]: string };
}

const notAuthorised: Omit<Refusal, "text"> = {
  code: status.PERMISSION_DENIED,
  trailers: { "quorumlog-code": "not-authorised", "quorumlog-retry": "never" },
};

/** A few bytes could become a whole message in memory each. */
const compressed: Refusal = {
  code: status.UNIMPLEMENTED,
  text: "this node takes no compressed messages",
  trailers: { "grpc-accept-encoding": "identity" },
};

/** Answers a call before anything of it is read; what it sends is thrown away. */
function refuse(stream: Stream, { code, text, trailers }: Refusal, stranger: boolean): void {
  const { session } = stream;
  stream.on("error", () => undefined);
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc+proto",
      "grpc-status": code,
      "grpc-message": encodeURI(text),
      ...trailers,
    },
    { endStream: true },
  );
  stream.close(http2.constants.NGHTTP2_NO_ERROR);
  if (stranger && session !== undefined) leave(session, leaveMsMax, true);
}

/** A connection ends once its calls are, or when its time is over. */
function leave(session: http2.Http2Session, milliseconds: number, now = false): void {
  if (now) session.close();
  const late = setTimeout(() => session.destroy(), milliseconds);
  late.unref();
  session.once("close", () => clearTimeout(late));
}

/** Counts what comes in on a stream before anybody reads it: flow control holds back only what is not there yet. */
function count(stream: Stream, call: IncomingCall): void {
  const push = stream.push.bind(stream);
  stream.push = (chunk: Buffer | null): boolean => {
    if (chunk === null) return push(null);
    if (!call.take(chunk)) return true;
    // A copy: a single byte would keep the whole buffer in memory that came off the socket with it.
    const copy = Buffer.allocUnsafeSlow(chunk.length);
    copy.set(chunk);
    return push(copy);
  };
}

interface HostEvents {
  on(event: "session", listener: (session: http2.ServerHttp2Session) => void): void;
  on(event: "stream", listener: StreamListener): void;
}
type Host = HostEvents & Pick<http2.Http2Server, "listeners" | "removeAllListeners" | "updateSettings">;

/** The HTTP/2 servers behind grpc-js: their field is private, and its version is pinned. */
function hostsOf(server: Server): readonly Host[] {
  const { http2Servers } = server as unknown as { http2Servers?: ReadonlyMap<Host, unknown> };
  assert(http2Servers instanceof Map && http2Servers.size > 0, "grpc-js 1.14.7 keeps its servers in a map");
  return [...(http2Servers.keys() as Iterable<Host>)];
}

/** An empty SETTINGS and a GOAWAY of the code ENHANCE_YOUR_CALM that says why. */
const tooManyBytes: Uint8Array = goAway("this node has as many clients as it may have");

function goAway(text: string): Uint8Array {
  const why = Buffer.from(text, "latin1");
  const settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
  const header = [0, 0, 8 + why.length, 7, 0, 0, 0, 0, 0];
  const calm = [0, 0, 0, 0, 0, 0, 0, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM];
  return Buffer.concat([Buffer.from([...settings, ...header, ...calm]), why]);
}
