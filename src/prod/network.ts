import type * as net from "node:net";
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
import { splitAddress } from "./address.ts";
import type { BufferLimits, Duplex } from "./frame-stream.ts";
import { FrameStream } from "./frame-stream.ts";
import type { Gatekeeper, Presented } from "./gatekeeper.ts";
import { actionOfMethod, gatedClient, gatedPeer } from "./gatekeeper.ts";
import { clientOptions, serverOptions, windowBytes } from "./grpc-options.ts";
import type { GuardRefusal } from "./port-guard.ts";
import { PortGuard } from "./port-guard.ts";
import type { Frames, FramesMethod } from "./proto.ts";
import { bulkMethod, controlMethod, loadLogService, peerService, sessionMethod } from "./proto.ts";
import type { TlsDial } from "./tls-dial.ts";
import { dialCredentials, RefusableConnection, serverName, whyRefused } from "./tls-dial.ts";
import { TlsDoor } from "./tls-door.ts";
import type { TlsMaterial } from "./tls-files.ts";
import type { Action } from "./tls-identity.ts";
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

/** TLS on the side that listens. */
export interface TlsListen {
  readonly material: TlsMaterial;
  readonly gatekeeper: Gatekeeper;
}

export interface NetworkOptions {
  /** Without them everything is plain text. */
  readonly dial?: TlsDial | undefined;
  readonly listen?: TlsListen | undefined;
  readonly turns: Turns;
  /** The plain methods of the service `Log`; without them they answer `UNIMPLEMENTED`. */
  readonly logHandlers?: Handlers;
  /** A connection was turned away before gRPC saw it; `why` says more where more is known. */
  readonly refused?: (reason: GuardRefusal, from: string, why?: string) => void;
  /** Whoever opened a stream may not: what it showed is not enough. */
  readonly denied?: (service: Service, from: string, why: string) => void;
  /** A node that was dialled and this one do not believe each other. */
  readonly distrusted?: (address: Address, service: Service, why: string) => void;
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
    const { turns, logHandlers = {} } = this.options;
    const entrance = new Entrance(this.options, (socket) => injector.injectConnection(socket));
    const answer = (service: Service) => (call: AnyCall) =>
      serve(call, service, { turns, streams, accept, entrance });
    server.addService(peerService, { Control: answer("peer-control"), Bulk: answer("peer-bulk") });
    server.addService(loadLogService(), { ...guarded(logHandlers, entrance), Session: answer("client") });
    // Encryption ends at the entrance: gRPC is given what comes out of it.
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    raiseServerWindow(server, this.options.warn);
    const guard = new PortGuard(entrance);
    guard.listen(splitAddress(address), (error) => {
      turns.enter();
      done(error === undefined ? undefined : listenError(address, error));
    });
    return {
      close: () => {
        entrance.close();
        shutdown({ server, injector, guard, streams });
      },
    };
  }

  connect(address: Address, service: Service, events: ConnectionEvents): Connection {
    const { turns, dial, distrusted } = this.options;
    const stream = new FrameStream(turns, limits[service]);
    const shown = service === "client" ? new RefusableConnection(events) : undefined;
    shown?.attach(stream);
    const client =
      dial === undefined
        ? new Client(address, ChannelCredentials.createInsecure(), clientOptions)
        : new Client(address, dialCredentials(dial, address), {
            ...clientOptions,
            "grpc.ssl_target_name_override": serverName(dial, address),
          });
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
      const why = opened ? undefined : whyRefused(ended, address);
      if (why !== undefined && !stream.isEnded) distrusted?.(address, service, why);
      if (why === undefined) stream.finish(reasonOf(ended, opened));
      else if (shown === undefined) stream.finish("protocol");
      else if (!stream.isEnded) {
        turns.enter();
        shown.refuse(why);
      }
    });
    return shown ?? stream;
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

/** Who comes in: handshakes, and what each connection showed. */
class Entrance {
  readonly handshake: ((socket: net.Socket) => void) | undefined;
  private readonly options: NetworkOptions;
  private readonly door: TlsDoor | undefined;
  private readonly inject: (socket: net.Socket) => void;

  constructor(options: NetworkOptions, inject: (socket: net.Socket) => void) {
    this.options = options;
    this.inject = inject;
    const { listen } = options;
    if (listen === undefined) return;
    const door = new TlsDoor(listen.material, {
      secured: inject,
      failed: (why, from) => this.refused("tls", from, why),
    });
    this.door = door;
    this.handshake = (socket) => door.accept(socket);
  }

  accepted(socket: net.Socket): void {
    // Told by name at its first call, as everybody who is refused.
    const fault = "this node speaks TLS, and this connection is plain text: give tlsCa (--tls-ca)";
    this.door?.remember(socket, { fault });
    this.inject(socket);
  }

  close(): void {
    this.door?.close();
  }

  refused(reason: GuardRefusal, from: string, why?: string): void {
    this.options.refused?.(reason, from, why);
  }

  /** What is refused, and why; undefined lets it in. */
  refusal(
    call: AnyCall,
    service: Service,
    wanted: Action,
    presented = this.shownBy(call),
  ): string | undefined {
    const gatekeeper = this.options.listen?.gatekeeper;
    if (gatekeeper === undefined || presented === undefined) return undefined;
    const why =
      service === "client" ? gatekeeper.refusal(presented, wanted) : gatekeeper.peerRefusal(presented);
    if (why !== undefined) this.denied(call, service, why);
    return why;
  }

  /** @returns undefined where nobody shows anything. */
  shownBy(call: AnyCall): Presented | undefined {
    return this.door?.of(call.getPeer());
  }

  denied(call: AnyCall, service: Service, why: string): void {
    this.options.denied?.(service, call.getPeer(), why);
  }
}

interface Serving {
  readonly turns: Turns;
  readonly streams: Set<FrameStream>;
  readonly accept: Accept;
  readonly entrance: Entrance;
}

function serve(call: AnyCall, service: Service, serving: Serving): void {
  const why = serving.entrance.refusal(call, service, "read");
  if (why !== undefined) {
    call.emit("error", denial(why));
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
  stream.attach(duplex, gated(call, service, stream, serving));
  stream.start();
  call.on("data", (frames: Frames) => stream.receive(frames));
  call.on("end", () => {
    over("closed");
    call.end();
  });
  call.on("cancelled", () => over("reset"));
  call.on("error", () => over("protocol"));
}

/** What the node hears of a connection: only what the other end may say. */
function gated(call: AnyCall, service: Service, stream: FrameStream, serving: Serving): ConnectionEvents {
  const { accept, entrance } = serving;
  const events = accept(stream, service);
  const presented = entrance.shownBy(call);
  if (presented === undefined) return events;
  if (service === "client")
    return gatedClient(events, stream, (action) => entrance.refusal(call, service, action, presented));
  return gatedPeer(events, presented.identity?.name ?? "", (why) => {
    entrance.denied(call, service, why);
    stream.finish("protocol", true);
  });
}

function denial(why: string): { code: status; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set("quorumlog-code", "not-authorised");
  metadata.set("quorumlog-retry", "never");
  return { code: status.PERMISSION_DENIED, details: why, metadata };
}

type Handlers = { readonly [method: string]: (...call: never[]) => void };
type AnyCall = ServerDuplexStream<Frames, Frames>;

/** The plain methods, behind the same gate as the streams. */
function guarded(handlers: Handlers, entrance: Entrance): Handlers {
  const entries = Object.entries(handlers).map(([name, handler]) => {
    const call = (request: AnyCall, callback?: (error: ReturnType<typeof denial>) => void): void => {
      const why = entrance.refusal(request, "client", actionOfMethod[name] ?? "admin");
      if (why === undefined) handler(...([request, callback] as never[]));
      else if (callback === undefined) request.emit("error", denial(why));
      else callback(denial(why));
    };
    return [name, call] as const;
  });
  return Object.fromEntries(entries) as Handlers;
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

function listenError(address: Address, error: NodeJS.ErrnoException): LogError {
  const why: { readonly [code: string]: string } = {
    EADDRINUSE: "another process listens there",
    EADDRNOTAVAIL: "this machine has no such address",
    EACCES: "this user may not listen there",
  };
  const reason = why[error.code ?? ""] ?? error.message;
  return new LogError("unavailable", `cannot listen on ${address}: ${reason}`, { cause: error });
}
