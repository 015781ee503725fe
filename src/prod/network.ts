import type * as net from "node:net";
import { LogError } from "../core/base/errors.ts";
import type {
  Address,
  Connection,
  ConnectionEvents,
  Listener,
  Network,
  Service,
} from "../core/io/network.ts";
import { splitAddress } from "./address.ts";
import { dial } from "./dialled.ts";
import type { Accept, EntranceEvents, TlsListen } from "./entrance.ts";
import { Entrance } from "./entrance.ts";
import { FramePort } from "./frame-port.ts";
import { IncomingBudget } from "./frame-socket.ts";
import { bufferLimits, FrameStream } from "./frame-stream.ts";
import type { Refused } from "./greeting.ts";
import type { GrpcService } from "./grpc-port.ts";
import { GrpcPort } from "./grpc-port.ts";
import { PortGuard } from "./port-guard.ts";
import type { TlsDial } from "./tls-dial.ts";
import { RefusableConnection } from "./tls-dial.ts";
import type { Turns } from "./turn.ts";

/** For what is still coming in, of all connections together: frames, and calls of gRPC, which never leave frames without. */
const incomingBytesMax = 128 * 1_024 * 1_024;
const callBytesMax = 48 * 1_024 * 1_024;

export interface NetworkOptions extends EntranceEvents {
  /** Without them everything is plain text. */
  readonly dial?: TlsDial | undefined;
  readonly listen?: TlsListen | undefined;
  readonly turns: Turns;
  /** The plain methods of the service `Log`; without it they answer `UNIMPLEMENTED`. */
  readonly logService?: GrpcService;
  /** A node that was dialled does not let this one in, is not believed by it, or neither understands the other. */
  readonly distrusted?: (address: Address, service: Service, why: string) => void;
  /** What a client is told whose connection the node closes at once. */
  readonly full?: string | undefined;
}

/**
 * The network port over TCP. Peers and clients exchange frames, each connection behind a greeting; the same port serves
 * gRPC for people and other languages. The first bytes tell which of them somebody speaks.
 */
export class TcpNetwork implements Network {
  private readonly options: NetworkOptions;

  constructor(options: NetworkOptions) {
    this.options = options;
  }

  listen(address: Address, accept: Accept, done: (error: Error | undefined) => void): Listener {
    const { turns, listen, logService: service, refused, full } = this.options;
    const entrance = new Entrance(listen, this.options, (socket) => guard.meet(socket, true));
    const incoming = new IncomingBudget(incomingBytesMax);
    const frames = new FramePort({ turns, entrance, accept, incoming, full });
    const grpc = new GrpcPort({
      turns,
      entrance,
      accept,
      service,
      incoming: new IncomingBudget(callBytesMax, incoming),
      tooMany: (from) => refused?.("too-many", from, full),
    });
    const plainly = (socket: net.Socket, secured: boolean): void => {
      if (!secured) entrance.plain(socket);
    };
    const guard = new PortGuard({
      handshake: entrance.handshake,
      greeted: (socket, greeting, secured) => {
        plainly(socket, secured);
        frames.greeted(socket, greeting);
      },
      http2: (socket, secured) => {
        plainly(socket, secured);
        grpc.inject(socket);
      },
      refused: (reason, from) => refused?.(reason, from),
    });
    guard.listen(splitAddress(address), (error) => {
      turns.enter();
      done(error === undefined ? undefined : listenError(address, error));
    });
    return {
      close: () => {
        entrance.close();
        guard.close();
        frames.close();
        grpc.close();
      },
    };
  }

  connect(address: Address, service: Service, events: ConnectionEvents): Connection {
    const { turns, dial: secured, distrusted } = this.options;
    const stream = new FrameStream(turns, bufferLimits[service]);
    const shown = service === "client" ? new RefusableConnection(events) : undefined;
    shown?.attach(stream);
    const mistaken = (why: string): void => distrusted?.(address, service, why);
    const refused = (refusal: Refused): void => {
      mistaken(refusal.why);
      if (shown === undefined) return stream.finish("protocol");
      turns.enter();
      shown.refuse(refusal);
    };
    stream.attach(dial({ address, service, stream, dial: secured, refused, mistaken }), events);
    return shown ?? stream;
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
