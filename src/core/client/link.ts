import type { LogError } from "../base/errors.ts";
import { NumberMap } from "../base/number-map.ts";
import type { Micros } from "../base/units.ts";
import type { ClientRequest, ClientResponse, ServerLimits } from "../commitlog/protocol.ts";
import { clientVersionMax, clientVersionMin } from "../commitlog/protocol.ts";
import type { Backoff } from "./backoff.ts";
import type { ClientConfig, ClientPeer } from "./client-config.ts";
import type { Turn } from "./client-event.ts";

/** Who waits for the answer to a request. Exactly one of the two is called, once. */
export interface Waiter {
  answered(response: ClientResponse, link: Link, turn: Turn): void;
  /** No answer will come: the connection is gone. Whether the node took the request is not known. */
  lost(link: Link, turn: Turn): void;
}

interface Outstanding {
  readonly waiter: Waiter;
  readonly dueAt: Micros;
}

/** Counts what is unique within a client: connections and requests. */
export interface Counters {
  connection: number;
  request: number;
}

export type LinkState = "down" | "connecting" | "ready";

/** A request without its id, which the link gives. */
export type Unnumbered<T> = T extends unknown ? Omit<T, "requestId"> : never;

/** The client's side of one node: its connection, what is unanswered on it, and whether the node is alive. */
export class Link {
  readonly peer: ClientPeer;
  private readonly config: ClientConfig;
  private readonly counters: Counters;
  private readonly backoff: Backoff;
  state: LinkState = "down";
  /** The number of the live connection; 0 for none. What comes from another one is late and never counts. */
  connection = 0;
  /** Not dialled again before. */
  retryAt: Micros = 0;
  /** What the node takes, once it has said so. */
  limits: ServerLimits | undefined = undefined;
  /** Why the last connection failed, for the message of a call that runs out of time. */
  lastError: LogError | undefined = undefined;
  private outstanding = new NumberMap<Outstanding>();
  /** At or before the earliest dueAt of what is outstanding. */
  private dueAt: Micros = Number.POSITIVE_INFINITY;
  private heardAt: Micros = 0;
  /** Since when something is outstanding; Infinity while nothing is. */
  private busySince: Micros = Number.POSITIVE_INFINITY;
  private pingedAt: Micros = -1;
  private connectBy: Micros = 0;

  constructor(peer: ClientPeer, config: ClientConfig, counters: Counters, backoff: Backoff) {
    this.peer = peer;
    this.config = config;
    this.counters = counters;
    this.backoff = backoff;
  }

  /** Dials unless connected, dialling or waiting after a failure. */
  want(turn: Turn): void {
    if (this.state !== "down" || turn.now < this.retryAt) return;
    this.state = "connecting";
    this.counters.connection += 1;
    this.connection = this.counters.connection;
    this.connectBy = turn.now + this.config.connectTimeout;
    turn.out.push({ type: "connect", connection: this.connection, address: this.peer.address });
  }

  opened(turn: Turn): void {
    const { group, cluster, name, token } = this.config;
    const hello = { type: "client-hello", group, cluster, name, token } as const;
    this.put({ ...hello, versionLow: clientVersionMin, versionHigh: clientVersionMax }, turn);
  }

  /** Sends a request on a ready link; its waiter is told what comes of it. `extra` is added to the request timeout. */
  request(request: Unnumbered<ClientRequest>, waiter: Waiter, turn: Turn, extra: Micros = 0): void {
    const id = this.put(request, turn);
    const dueAt = turn.now + this.config.requestTimeout + extra;
    if (this.outstanding.size === 0) this.busySince = turn.now;
    this.outstanding.set(id, { waiter, dueAt });
    if (dueAt < this.dueAt) this.dueAt = dueAt;
  }

  private put(request: Unnumbered<ClientRequest>, turn: Turn): number {
    const id = this.counters.request;
    this.counters.request = id === 0xffff_ffff ? 1 : id + 1;
    const numbered = { ...request, requestId: id } as ClientRequest;
    turn.out.push({ type: "send", connection: this.connection, request: numbered });
    return id;
  }

  /** @returns the hello or the fault that ended the greeting, when the frame was one. */
  frame(response: ClientResponse, turn: Turn): ClientResponse | undefined {
    this.heardAt = turn.now;
    this.pingedAt = -1;
    if (this.state === "connecting") return response;
    const found = this.outstanding.get(response.requestId);
    if (found === undefined) return undefined;
    this.outstanding.delete(response.requestId);
    if (this.outstanding.size === 0) {
      this.dueAt = Number.POSITIVE_INFINITY;
      this.busySince = Number.POSITIVE_INFINITY;
    }
    // The node is at work: its next failure is followed by a brief wait again.
    this.backoff.reset();
    found.waiter.answered(response, this, turn);
    return undefined;
  }

  greeted(limits: ServerLimits): void {
    this.state = "ready";
    this.limits = limits;
    this.lastError = undefined;
  }

  /** Gives the connection up, from this side (`disconnect`) or because it ended. Everything outstanding is lost. */
  drop(turn: Turn, error: LogError, disconnect: boolean): void {
    if (this.state === "down") return;
    if (disconnect) turn.out.push({ type: "disconnect", connection: this.connection });
    this.state = "down";
    this.connection = 0;
    this.lastError = error;
    this.retryAt = turn.now + this.backoff.next();
    this.pingedAt = -1;
    this.dueAt = Number.POSITIVE_INFINITY;
    const lost = this.outstanding;
    this.outstanding = new NumberMap();
    this.busySince = Number.POSITIVE_INFINITY;
    for (const { waiter } of lost.values()) waiter.lost(this, turn);
  }

  /** When `silent` is to be asked next; Infinity for never. */
  deadline(): Micros {
    if (this.state === "down") return Number.POSITIVE_INFINITY;
    if (this.state === "connecting") return this.connectBy;
    const ping = this.pingedAt < 0 ? this.pingAt() : this.pingedAt + this.config.keepaliveTimeout;
    return Math.min(this.dueAt, ping);
  }

  /** When a silent connection is pinged: sooner while an answer is awaited. */
  private pingAt(): Micros {
    const { keepaliveInterval, keepaliveBusyInterval } = this.config;
    const busy = Math.max(this.heardAt, this.busySince) + keepaliveBusyInterval;
    return Math.min(this.heardAt + keepaliveInterval, busy);
  }

  /** @returns why the node counts as gone; undefined while it does not. Pings a connection that went silent. */
  silent(turn: Turn): string | undefined {
    if (this.state === "down") return undefined;
    if (this.state === "connecting")
      return turn.now < this.connectBy ? undefined : "no answer to the greeting";
    if (turn.now >= this.dueAt) {
      this.dueAt = Number.POSITIVE_INFINITY;
      for (const { dueAt } of this.outstanding.values()) this.dueAt = Math.min(this.dueAt, dueAt);
      if (turn.now >= this.dueAt) return "a request stayed unanswered";
    }
    if (this.pingedAt >= 0) {
      return turn.now >= this.pingedAt + this.config.keepaliveTimeout ? "no answer to a ping" : undefined;
    }
    if (turn.now >= this.pingAt()) {
      this.pingedAt = turn.now;
      this.put({ type: "ping" }, turn);
    }
    return undefined;
  }
}
