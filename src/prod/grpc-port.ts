import type * as net from "node:net";
import type { ConnectionInjector, ServerDuplexStream } from "@grpc/grpc-js";
import { Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { joined } from "../core/base/bytes.ts";
import type { CloseReason } from "../core/io/network.ts";
import type { Accept, Entrance } from "./entrance.ts";
import type { IncomingBudget } from "./frame-socket.ts";
import type { Duplex } from "./frame-stream.ts";
import { bufferLimits, FrameStream } from "./frame-stream.ts";
import type { GrpcClients } from "./grpc-door.ts";
import { GrpcDoor } from "./grpc-door.ts";
import { serverOptions } from "./grpc-options.ts";
import { IncomingCalls } from "./incoming-calls.ts";
import type { Frames } from "./proto.ts";
import { loadLogService } from "./proto.ts";
import type { Turns } from "./turn.ts";

/** How long calls and connections may take to end when the port closes. */
const shutdownMsMax = 300;
/** A call that holds memory of the node, and of which it could take nothing for so long, is ended. */
const standstillMsMax = 60_000;
const sweepEveryMs = 5_000;

export type Handlers = { readonly [method: string]: (...call: never[]) => void };
type AnyCall = ServerDuplexStream<Frames, Frames>;

/** The plain methods of the service `Log`, and who calls them. */
export interface GrpcService extends GrpcClients {
  readonly handlers: Handlers;
}

export interface GrpcPortOptions {
  readonly turns: Turns;
  /** Without it the plain methods answer `UNIMPLEMENTED`, and nobody counts connections. */
  readonly service: GrpcService | undefined;
  readonly entrance: Entrance;
  readonly accept: Accept;
  /** For what calls have sent and nobody has taken. */
  readonly incoming: IncomingBudget;
  /** A connection was one too many. */
  tooMany(from: string): void;
}

/** The service `Log` for people and other languages: plain methods, and `Session`, which carries a client's frames. */
export class GrpcPort {
  private readonly options: GrpcPortOptions;
  private readonly server: Server;
  private readonly injector: ConnectionInjector;
  private readonly door: GrpcDoor;
  private readonly sweeps: NodeJS.Timeout;
  private readonly streams = new Set<FrameStream>();

  constructor(options: GrpcPortOptions) {
    this.options = options;
    const { entrance, service, tooMany } = options;
    const incoming = new IncomingCalls(options.incoming, () => performance.now());
    this.sweeps = setInterval(() => incoming.sweep(standstillMsMax), sweepEveryMs).unref();
    this.door = new GrpcDoor({ entrance, incoming, clients: service, tooMany });
    this.server = new Server({ ...serverOptions, interceptors: [this.door.interceptor] });
    this.server.addService(loadLogService(), {
      ...this.counted(service?.handlers ?? {}),
      Session: (call: AnyCall) => this.serve(call),
    });
    // Encryption ends at the entrance: gRPC is given what comes out of it.
    this.injector = this.server.createConnectionInjector(ServerCredentials.createInsecure());
    this.door.attach(this.server);
  }

  /** A connection that opens with the HTTP/2 preface. */
  inject(socket: net.Socket): void {
    this.door.enter(socket, (entered) => this.injector.injectConnection(entered));
  }

  /** Ends every stream in order, then whatever is left by force: gRPC alone would wait for open streams for ever. */
  close(): void {
    clearInterval(this.sweeps);
    for (const stream of [...this.streams]) stream.close();
    this.injector.drain(shutdownMsMax);
    const force = setTimeout(() => this.server.forceShutdown(), shutdownMsMax);
    this.server.tryShutdown(() => clearTimeout(force));
  }

  private serve(call: AnyCall): void {
    const { turns, entrance, accept } = this.options;
    const from = call.getPeer();
    const { incoming } = this.door;
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
      incoming?.taken();
      for (const frame of frames) stream.receive(frame);
    });
    call.on("end", () => {
      over("closed");
      call.end();
    });
    call.on("cancelled", () => over("reset"));
    call.on("error", () => over("protocol"));
  }

  /** The plain methods; of those that are sent many messages each is counted until its handler has it. */
  private counted(handlers: Handlers): Handlers {
    const service = loadLogService();
    const entries = Object.entries(handlers).map(([name, handler]) => {
      if (service[name]?.requestStream !== true) return [name, handler] as const;
      const call = (request: AnyCall): void => {
        const { incoming } = this.door;
        request.on("data", () => incoming?.taken());
        handler(request as never);
      };
      return [name, call] as const;
    });
    return Object.fromEntries(entries);
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
