/** Where a node listens, as `host:port`. */
export type Address = string;

/** What a connection is for. Control traffic (votes, heartbeats) never queues behind bulk. */
export type Service = "peer-control" | "peer-bulk" | "client";

/**
 * Why a connection ended. `refused` and `reset` tell of a process that is gone, `timeout` and `closed` do not; `no-host`
 * says that the address names no machine.
 */
export type CloseReason = "refused" | "reset" | "timeout" | "closed" | "protocol" | "no-host";

/** One side of a connection. */
export interface Connection {
  /**
   * Queues a frame. The bytes belong to the connection from here on.
   * @param rest more of the frame, in pieces that nobody changes any more: they may go to other connections too.
   * @returns false when the bounded buffer is full: the frame was NOT taken; `drained` follows once there is room.
   */
  send(frame: Uint8Array, rest?: readonly Uint8Array[]): boolean;
  /** Bytes queued and not yet handed to the network. */
  queuedBytes(): number;
  /**
   * Ends the connection once the frames that were taken have left; neither `frame` nor `closed` is called on this side
   * afterwards.
   */
  close(): void;
}

/** What happens on a connection. Each call is a turn of its own and never made inside a call into the port. */
export interface ConnectionEvents {
  /** The dialled connection is up. Not called on the accepting side. */
  opened(): void;
  /**
   * A whole frame. On a stream, frames arrive in order and once, or the connection breaks; on a datagram link
   * (the peer services) a frame may also be lost, doubled or reordered. The bytes belong to the receiver.
   */
  frame(frame: Uint8Array): void;
  drained(): void;
  /** The last event. A dialled connection that never opened ends with this one too. */
  closed(reason: CloseReason): void;
}

export interface Listener {
  close(): void;
}

/** Frames larger than this break the connection with `protocol`; both worlds enforce it before allocating. */
export const frameBytesMax: number = 8 * 1_024 * 1_024;

export interface Network {
  /**
   * Accepts connections of every service at one address.
   * @param accept gives the events of the accepted side; `done` tells once that listening began or why it cannot.
   */
  listen(
    address: Address,
    accept: (connection: Connection, service: Service) => ConnectionEvents,
    done: (error: Error | undefined) => void,
  ): Listener;
  connect(address: Address, service: Service, events: ConnectionEvents): Connection;
}
