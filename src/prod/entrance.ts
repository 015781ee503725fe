import type * as net from "node:net";
import type { Connection, ConnectionEvents, Service } from "../core/io/network.ts";
import type { FrameStream } from "./frame-stream.ts";
import type { Gatekeeper, Presented } from "./gatekeeper.ts";
import { gatedClient, gatedPeer } from "./gatekeeper.ts";
import type { GuardRefusal } from "./port-guard.ts";
import { TlsDoor } from "./tls-door.ts";
import type { TlsMaterial } from "./tls-files.ts";
import type { Action } from "./tls-identity.ts";

/** TLS on the side that listens. */
export interface TlsListen {
  readonly material: TlsMaterial;
  readonly gatekeeper: Gatekeeper;
}

export interface EntranceEvents {
  /** A connection was turned away before it said what it wants, or for there are too many; `why` says more where more is known. */
  readonly refused?: ((reason: GuardRefusal, from: string, why?: string) => void) | undefined;
  /** Whoever opened a connection may not: what it showed is not enough. */
  readonly denied?: ((service: Service, from: string, why: string) => void) | undefined;
}

export type Accept = (connection: Connection, service: Service) => ConnectionEvents;

/** Who comes in at a port: TLS handshakes, what each connection showed, and what it may therefore do. */
export class Entrance {
  private readonly events: EntranceEvents;
  private readonly gatekeeper: Gatekeeper | undefined;
  private readonly door: TlsDoor | undefined;

  /** @param secured is given each connection whose handshake is done. */
  constructor(listen: TlsListen | undefined, events: EntranceEvents, secured: (socket: net.Socket) => void) {
    this.events = events;
    if (listen === undefined) return;
    this.gatekeeper = listen.gatekeeper;
    const failed = (why: string, from: string): void => events.refused?.("tls", from, why);
    this.door = new TlsDoor(listen.material, { secured, failed });
  }

  /** Undefined where nobody speaks TLS. */
  get handshake(): ((socket: net.Socket) => void) | undefined {
    const { door } = this;
    return door && ((socket) => door.accept(socket));
  }

  /** A connection that came in plain text. Where TLS is spoken it is told so by name, as everybody who is refused. */
  plain(socket: net.Socket): void {
    this.door?.remember(socket, {
      fault: "this node speaks TLS, and this connection is plain text: give tlsCa (--tls-ca)",
    });
  }

  close(): void {
    this.door?.close();
  }

  /** Whether a client there may nothing, whatever it asks for. */
  isStranger(from: string): boolean {
    const presented = this.shownBy(from);
    return presented !== undefined && this.gatekeeper?.isStranger(presented) === true;
  }

  /** What is refused, and why; undefined lets it in. */
  refusal(
    from: string,
    service: Service,
    wanted: Action,
    presented: Presented | undefined = this.shownBy(from),
  ): string | undefined {
    const { gatekeeper } = this;
    if (gatekeeper === undefined || presented === undefined) return undefined;
    const why =
      service === "client" ? gatekeeper.refusal(presented, wanted) : gatekeeper.peerRefusal(presented);
    if (why !== undefined) this.events.denied?.(service, from, why);
    return why;
  }

  /** A connection that was let in and that the node has no room for. */
  turnedAway(from: string, why: string): void {
    this.events.refused?.("too-many", from, why);
  }

  /** What the node hears of a connection that was let in: only what the other end may say. */
  admit(from: string, service: Service, stream: FrameStream, accept: Accept): ConnectionEvents {
    const events = accept(stream, service);
    const presented = this.shownBy(from);
    if (presented === undefined) return events;
    if (service === "client")
      return gatedClient(events, stream, (action) => this.refusal(from, service, action, presented));
    return gatedPeer(events, presented.identity?.name ?? "", (why) => {
      this.events.denied?.(service, from, why);
      stream.finish("protocol", true);
    });
  }

  /** @returns undefined where nobody shows anything. */
  private shownBy(from: string): Presented | undefined {
    return this.door?.of(from);
  }
}
