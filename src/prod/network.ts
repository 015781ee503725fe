import type { ClientDuplexStream, ConnectionInjector, ServerDuplexStream, StatusObject } from "@grpc/grpc-js";
import { ChannelCredentials, Client, Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { LogError } from "../core/base/errors.ts";
import type {
  Address,
  CloseReason,
  Connection,
  ConnectionEvents,
  Listener,
  Network,
  Service,
} from "../core/io/network.ts";
import type { BufferLimits, Duplex } from "./frame-stream.ts";
import { FrameStream } from "./frame-stream.ts";
import { clientOptions, serverOptions, windowBytes } from "./grpc-options.ts";
import type { GuardRefusal } from "./port-guard.ts";
import { PortGuard } from "./port-guard.ts";
import type { Frames, FramesMethod } from "./proto.ts";
import { bulkMethod, controlMethod, loadLogService, peerService, sessionMethod } from "./proto.ts";
import type { Turns } from "./turn.ts";

/** A connection that is not up by then ends with `timeout`. */
const connectMsMax = 3_000;
/** How long the other side may take to answer the end of a stream before it is broken. */
const endMsMax = 1_000;
/** How long streams and connections may take to end when a listener closes. */
const shutdownMsMax = 300;

const limits: { readonly [service in Service]: BufferLimits } = {
  "peer-control": { bufferBytesMax: 1 << 20, bufferFramesMax: 4_096 },
  "peer-bulk": { bufferBytesMax: 16 << 20, bufferFramesMax: 16_384 },
  client: { bufferBytesMax: 4 << 20, bufferFramesMax: 4_096 },
};

const methods: { readonly [service in Service]: FramesMethod } = {
  "peer-control": controlMethod,
  "peer-bulk": bulkMethod,
  client: sessionMethod,
};

type Accept = (connection: Connection, service: Service) => ConnectionEvents;

/** Encryption, and whose certificates are believed. */
export interface NetworkCredentials {
  readonly server: ServerCredentials;
  readonly client: ChannelCredentials;
}

/** Who asks to open a connection, as far as the network knows. */
export interface Caller {
  readonly service: Service;
  /** Address and port that the connection comes from. */
  readonly from: string;
  /** What the caller's certificate says; undefined without one. */
  readonly identity: string | undefined;
}

export interface NetworkOptions {
  /** Without them everything is plain text. */
  readonly credentials?: NetworkCredentials;
  /** Asked once for each accepted connection; false refuses it. Everybody is let in without it. */
  readonly authorise?: (caller: Caller) => boolean;
  readonly turns: Turns;
  /** The plain methods of the service `Log`; without them they answer `UNIMPLEMENTED`. */
  readonly logHandlers?: { readonly [method: string]: (...call: never[]) => void };
  /** A connection was turned away before gRPC saw it. */
  readonly refused?: (reason: GuardRefusal, from: string) => void;
  /** Something of the host is not as expected; the network works, perhaps slower. */
  readonly warn?: (message: string) => void;
}

/** The network port over gRPC: a connection is a bidirectional stream on a TCP connection of its own. */
export class GrpcNetwork implements Network {
  private readonly options: NetworkOptions;

  constructor(options: NetworkOptions) {
    this.options = options;
  }

  listen(address: Address, accept: Accept, done: (error: Error | undefined) => void): Listener {
    const server = new Server(serverOptions);
    const streams = new Set<FrameStream>();
    const { turns, authorise, credentials } = this.options;
    const answer = (service: Service) => (call: ServerDuplexStream<Frames, Frames>) =>
      serve(call, service, { turns, streams, accept, authorise });
    server.addService(peerService, { Control: answer("peer-control"), Bulk: answer("peer-bulk") });
    server.addService(loadLogService(), {
      ...guarded(this.options.logHandlers ?? {}, authorise),
      Session: answer("client"),
    });
    const injector = server.createConnectionInjector(
      credentials?.server ?? ServerCredentials.createInsecure(),
    );
    raiseServerWindow(server, this.options.warn);
    const guard = new PortGuard(
      {
        accepted: (socket) => injector.injectConnection(socket),
        refused: (reason, from) => this.options.refused?.(reason, from),
      },
      credentials !== undefined,
    );
    guard.listen(splitAddress(address), (error) => {
      turns.enter();
      done(error === undefined ? undefined : listenError(address, error));
    });
    return { close: () => shutdown({ server, injector, guard, streams }) };
  }

  connect(address: Address, service: Service, events: ConnectionEvents): Connection {
    const { turns } = this.options;
    const stream = new FrameStream(turns, limits[service]);
    const client = new Client(
      address,
      this.options.credentials?.client ?? ChannelCredentials.createInsecure(),
      clientOptions,
    );
    const { path, requestSerialize, responseDeserialize } = methods[service];
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
    let opened = false;
    let late: NodeJS.Timeout | undefined = setTimeout(() => {
      stream.finish("timeout", true);
    }, connectMsMax);
    const over = (): void => {
      clearTimeout(late);
      client.close();
    };
    stream.attach(
      clientDuplex(call, () => {
        clearTimeout(late);
        late = setTimeout(() => call.cancel(), endMsMax);
      }),
      events,
    );
    call.on("metadata", () => {
      if (!stream.isEnded) clearTimeout(late);
      opened = true;
      stream.opened();
    });
    call.on("data", (frames: Frames) => stream.receive(frames));
    // Every error is told by the status too, which says more.
    call.on("error", () => undefined);
    call.on("status", (ended: StatusObject) => {
      over();
      stream.finish(reasonOf(ended, opened));
    });
    return stream;
  }
}

function clientDuplex(call: ClientDuplexStream<Frames, Frames>, ending: () => void): Duplex {
  return {
    write: (frames, done) => call.write(frames, done),
    end: () => {
      ending();
      call.end();
    },
    cancel: () => call.cancel(),
  };
}

interface Serving {
  readonly turns: Turns;
  readonly streams: Set<FrameStream>;
  readonly accept: Accept;
  readonly authorise: NetworkOptions["authorise"];
}

function serve(call: ServerDuplexStream<Frames, Frames>, service: Service, serving: Serving): void {
  if (serving.authorise?.(callerOf(call, service)) === false) {
    call.emit("error", {
      code: status.PERMISSION_DENIED,
      details: `the service ${service} is not open to this caller`,
    });
    return;
  }
  const stream = new FrameStream(serving.turns, limits[service]);
  const duplex: Duplex = {
    write: (frames, done) => call.write(frames, done),
    end: () => {
      serving.streams.delete(stream);
      call.end();
    },
    cancel: () => {
      serving.streams.delete(stream);
      call.emit("error", { code: status.INVALID_ARGUMENT, details: "the frames are not what was agreed" });
    },
  };
  const over = (reason: CloseReason): void => {
    serving.streams.delete(stream);
    stream.finish(reason);
  };
  serving.streams.add(stream);
  call.sendMetadata(new Metadata());
  serving.turns.enter();
  stream.attach(duplex, serving.accept(stream, service));
  stream.start();
  call.on("data", (frames: Frames) => stream.receive(frames));
  call.on("end", () => {
    over("closed");
    call.end();
  });
  call.on("cancelled", () => over("reset"));
  call.on("error", () => over("protocol"));
}

type Handlers = NonNullable<NetworkOptions["logHandlers"]>;
type AnyCall = ServerDuplexStream<Frames, Frames>;

/** The plain methods, behind the same hook as the streams. */
function guarded(handlers: Handlers, authorise: NetworkOptions["authorise"]): Handlers {
  if (authorise === undefined) return handlers;
  const denied = { code: status.PERMISSION_DENIED, details: "the service is not open to this caller" };
  const entries = Object.entries(handlers).map(([name, handler]) => {
    const call = (request: AnyCall, callback?: (error: typeof denied) => void): void => {
      if (authorise(callerOf(request, "client"))) handler(...([request, callback] as never[]));
      else if (callback === undefined) request.emit("error", denied);
      else callback(denied);
    };
    return [name, call] as const;
  });
  return Object.fromEntries(entries) as Handlers;
}

function callerOf(call: AnyCall, service: Service): Caller {
  const { sslPeerCertificate } = call.getAuthContext();
  const name = sslPeerCertificate?.subject?.CN;
  return { service, from: call.getPeer(), identity: Array.isArray(name) ? name[0] : name };
}

/** Why a dialled stream ended. `refused` and `reset` tell of a process that is gone. */
function reasonOf(ended: StatusObject, opened: boolean): CloseReason {
  if (ended.code === status.OK || ended.code === status.CANCELLED) return "closed";
  if (ended.code === status.UNAVAILABLE) {
    if (opened) return "reset";
    return /ECONNREFUSED|ENOENT|EHOSTUNREACH|ENETUNREACH/.test(ended.details) ? "refused" : "reset";
  }
  return ended.code === status.DEADLINE_EXCEEDED ? "timeout" : "protocol";
}

interface Serve {
  readonly server: Server;
  readonly injector: ConnectionInjector;
  readonly guard: PortGuard;
  readonly streams: Set<FrameStream>;
}

/** Ends every stream in order, then whatever is left by force: gRPC alone would wait for open streams for ever. */
function shutdown({ server, injector, guard, streams }: Serve): void {
  guard.close();
  for (const stream of [...streams]) stream.close();
  injector.drain(shutdownMsMax);
  const force = setTimeout(() => server.forceShutdown(), shutdownMsMax);
  server.tryShutdown(() => clearTimeout(force));
}

interface HostServer {
  on(event: "session", listener: (session: { setLocalWindowSize(bytes: number): void }) => void): void;
}

/**
 * The server of grpc-js 1.14.7 has no option for its window: the HTTP/2 servers behind it have. Their fields are
 * private, so each is looked at before use, and the stock window stands where one is missing.
 */
function raiseServerWindow(server: Server, warn: ((message: string) => void) | undefined): void {
  const inner = server as unknown as { http2Servers?: ReadonlyMap<HostServer, unknown> };
  const { http2Servers } = inner;
  if (!(http2Servers instanceof Map) || http2Servers.size === 0) {
    warn?.("the gRPC server's flow-control window could not be raised: bulk transfer is slow on long links");
    return;
  }
  for (const host of http2Servers.keys() as Iterable<
    HostServer & { updateSettings?: (settings: object) => void }
  >) {
    host.updateSettings?.({ initialWindowSize: windowBytes });
    host.on("session", (session) => session.setLocalWindowSize(windowBytes));
  }
}

/** @throws LogError bad-configuration unless the address is `host:port`. */
export function splitAddress(address: Address): { readonly host: string; readonly port: number } {
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(address);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || !(port <= 65_535))
    throw new LogError("bad-configuration", `not an address: ${address} (allowed: host:port)`);
  return { host: match[1], port };
}

function listenError(address: Address, error: NodeJS.ErrnoException): LogError {
  const why: { readonly [code: string]: string } = {
    EADDRINUSE: "another process listens there",
    EADDRNOTAVAIL: "this machine has no such address",
    EACCES: "this user may not listen there",
  };
  const reason = why[error.code ?? ""] ?? error.message;
  return new LogError("unavailable", `cannot listen on ${address}: ${reason}`, { cause: error });
}
