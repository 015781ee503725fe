import type * as net from "node:net";
import type { ConnectionInjector, ServerDuplexStream } from "@grpc/grpc-js";
import { Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { joined } from "../core/base/bytes.ts";
import type { CloseReason } from "../core/io/network.ts";
import type { Accept, Entrance } from "./entrance.ts";
import type { Duplex } from "./frame-stream.ts";
import { bufferLimits, FrameStream } from "./frame-stream.ts";
import { actionOfMethod } from "./gatekeeper.ts";
import { serverOptions, windowBytes } from "./grpc-options.ts";
import type { Frames } from "./proto.ts";
import { loadLogService } from "./proto.ts";
import type { Turns } from "./turn.ts";

/** How long calls and connections may take to end when the port closes. */
const shutdownMsMax = 300;

export type Handlers = { readonly [method: string]: (...call: never[]) => void };
type AnyCall = ServerDuplexStream<Frames, Frames>;

export interface GrpcPortOptions {
  readonly turns: Turns;
  /** The plain methods of the service `Log`; without them they answer `UNIMPLEMENTED`. */
  readonly handlers: Handlers;
  readonly entrance: Entrance;
  readonly accept: Accept;
  /** Something of the host is not as expected; calls work, perhaps slower. */
  readonly warn: ((message: string) => void) | undefined;
}

/** The service `Log` for people and other languages: plain methods, and `Session`, which carries a client's frames. */
export class GrpcPort {
  private readonly options: GrpcPortOptions;
  private readonly server = new Server(serverOptions);
  private readonly injector: ConnectionInjector;
  private readonly streams = new Set<FrameStream>();

  constructor(options: GrpcPortOptions) {
    this.options = options;
    this.server.addService(loadLogService(), {
      ...this.guarded(options.handlers),
      Session: (call: AnyCall) => this.serve(call),
    });
    // Encryption ends at the entrance: gRPC is given what comes out of it.
    this.injector = this.server.createConnectionInjector(ServerCredentials.createInsecure());
    raiseServerWindow(this.server, options.warn);
  }

  /** A connection that opens with the HTTP/2 preface. */
  inject(socket: net.Socket): void {
    this.injector.injectConnection(socket);
  }

  /** Ends every stream in order, then whatever is left by force: gRPC alone would wait for open streams for ever. */
  close(): void {
    for (const stream of [...this.streams]) stream.close();
    this.injector.drain(shutdownMsMax);
    const force = setTimeout(() => this.server.forceShutdown(), shutdownMsMax);
    this.server.tryShutdown(() => clearTimeout(force));
  }

  private serve(call: AnyCall): void {
    const { turns, entrance, accept } = this.options;
    const from = call.getPeer();
    const why = entrance.refusal(from, "client", "read");
    if (why !== undefined) return void call.emit("error", denial(why));
    const stream = new FrameStream(turns, bufferLimits.client);
    const over = (reason: CloseReason): void => {
      this.streams.delete(stream);
      stream.finish(reason);
    };
    this.streams.add(stream);
    call.sendMetadata(new Metadata());
    turns.enter();
    const duplex = callDuplex(call, () => this.streams.delete(stream));
    const events = entrance.admit(from, "client", stream, accept);
    // The node may have closed it at once, for it has too many.
    if (stream.isEnded) return duplex.end();
    stream.attach(duplex, events);
    stream.start();
    call.on("data", (frames: Frames) => {
      for (const frame of frames) stream.receive(frame);
    });
    call.on("end", () => {
      over("closed");
      call.end();
    });
    call.on("cancelled", () => over("reset"));
    call.on("error", () => over("protocol"));
  }

  /** The plain methods, behind the same gate as the streams. */
  private guarded(handlers: Handlers): Handlers {
    const { entrance } = this.options;
    const entries = Object.entries(handlers).map(([name, handler]) => {
      const call = (request: AnyCall, callback?: (error: ReturnType<typeof denial>) => void): void => {
        const why = entrance.refusal(request.getPeer(), "client", actionOfMethod[name] ?? "admin");
        if (why === undefined) handler(...([request, callback] as never[]));
        else if (callback === undefined) request.emit("error", denial(why));
        else callback(denial(why));
      };
      return [name, call] as const;
    });
    return Object.fromEntries(entries) as Handlers;
  }
}

function callDuplex(call: AnyCall, over: () => void): Duplex {
  return {
    write: (frames, done) =>
      call.write(
        frames.map(({ first, rest }) => (rest.length === 0 ? first : joined([first, ...rest]))),
        done,
      ),
    end: () => {
      over();
      call.end();
    },
    cancel: () => {
      over();
      call.emit("error", { code: status.INVALID_ARGUMENT, details: "the frames are not what was agreed" });
    },
  };
}

function denial(why: string): { code: status; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  metadata.set("quorumlog-code", "not-authorised");
  metadata.set("quorumlog-retry", "never");
  return { code: status.PERMISSION_DENIED, details: why, metadata };
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
