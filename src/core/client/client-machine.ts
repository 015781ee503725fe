import { unreachable } from "../base/assert.ts";
import { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import type { ClientResponse } from "../commitlog/protocol.ts";
import { clientVersionMax, clientVersionMin, errorOf } from "../commitlog/protocol.ts";
import type { CloseReason } from "../io/network.ts";
import { Appender } from "./appender.ts";
import type { ClientDraw } from "./backoff.ts";
import type { ClientConfig } from "./client-config.ts";
import { checkClientConfig } from "./client-config.ts";
import type { ClientEffect, ClientEvent, Turn } from "./client-event.ts";
import type { Link } from "./link.ts";
import { Reader } from "./reader.ts";
import { Router } from "./router.ts";
import { Tailer } from "./tailer.ts";

/**
 * The client of one group as a step machine: events in, effects out, no clock, no socket, no callback. The simulator's
 * workload, the command line and the library all run this one, each through `Client`.
 */
export class ClientMachine {
  private readonly config: ClientConfig;
  private readonly router: Router;
  private readonly appender: Appender;
  private readonly reader: Reader;
  private readonly tailer: Tailer;
  private now: Micros = 0;
  private flushing = false;
  private closed = false;

  /** @throws LogError `bad-configuration`. */
  constructor(config: ClientConfig, chance: ClientDraw) {
    checkClientConfig(config);
    this.config = config;
    let key = 0;
    const draw = (): number => chance(key++);
    this.router = new Router(config, draw);
    this.appender = new Appender(config, this.router, draw);
    this.reader = new Reader(config, this.router, draw);
    this.tailer = new Tailer(config, this.router, draw);
  }

  /** Why a call is refused at the door: its size, a full queue, a closed client. Undefined: it may be made. */
  refusal(kind: "call" | "tail" | readonly Uint8Array[]): LogError | undefined {
    if (this.closed) return new LogError("cancelled", "the client is closed");
    if (typeof kind === "object") return this.appender.refusal(kind);
    const { pendingCallsMax, tailsMax } = this.config;
    if (kind === "call" && this.reader.size >= pendingCallsMax) {
      return new LogError("pending-full", `${pendingCallsMax} calls are pending`);
    }
    if (kind === "tail" && this.tailer.size >= tailsMax) {
      return new LogError("pending-full", `${tailsMax} tails are open`);
    }
    return undefined;
  }

  /** Takes one event; effects are added to `out` in the order to carry them out. */
  step(event: ClientEvent, out: ClientEffect[]): void {
    this.now = event.now;
    if (this.closed) return;
    const turn: Turn = { now: event.now, out };
    this.take(event, turn);
    if (this.closed || this.flushing) return;
    if (event.type === "flush" || event.type === "tick" || !this.waiting(event.now)) return;
    this.flushing = true;
    out.push({ type: "flush" });
  }

  private take(event: ClientEvent, turn: Turn): void {
    switch (event.type) {
      case "append":
        this.appender.append(event.call, event.bodies, event.deadline);
        return;
      case "ask":
        this.reader.ask(event);
        return;
      case "tail":
        this.tailer.open(event.call, event.plan);
        return;
      case "pause":
        this.tailer.pause(event.call, event.paused);
        return;
      case "cancel":
        this.cancel(event.call, turn);
        return;
      case "flush":
        this.flushing = false;
        this.pump(turn);
        return;
      case "tick":
        this.tick(turn);
        return;
      case "opened":
        this.router.linkOn(event.connection)?.opened(turn);
        return;
      case "frame":
        this.frame(event.connection, event.response, turn);
        return;
      case "closed":
        this.lost(event.connection, event.reason, turn);
        return;
      case "close":
        this.close(turn);
        return;
      default:
        unreachable(event);
    }
  }

  /** When the machine wants a `tick`; Infinity for never. */
  deadline(): Micros {
    if (this.closed) return Number.POSITIVE_INFINITY;
    return Math.min(
      this.router.deadline(this.now, this.waiting(Number.POSITIVE_INFINITY)),
      this.appender.deadline(this.now),
      this.reader.deadline(this.now),
      this.tailer.deadline(this.now),
    );
  }

  /** Whether a `pump` at `now` may find something to do. */
  private waiting(now: Micros): boolean {
    return this.appender.waiting(now) || this.reader.waiting(now) || this.tailer.waiting(now);
  }

  private pump(turn: Turn): void {
    this.appender.pump(turn);
    this.reader.pump(turn);
    this.tailer.pump(turn);
  }

  private tick(turn: Turn): void {
    for (const link of this.router.links) {
      const why = link.silent(turn);
      if (why !== undefined) this.router.drop(link, turn, unavailable(link, why), true);
    }
    this.appender.expire(turn);
    this.reader.expire(turn);
    this.pump(turn);
  }

  private cancel(call: number, turn: Turn): void {
    const error = new LogError("cancelled", "cancelled by the caller");
    if (this.tailer.cancel(call) || this.reader.cancel(call, error, turn)) return;
    this.appender.cancel(call, error, turn);
  }

  private frame(connection: number, response: ClientResponse, turn: Turn): void {
    const link = this.router.linkOn(connection);
    if (link === undefined) return;
    const greeting = link.frame(response, turn);
    if (greeting !== undefined) this.greeted(link, greeting, turn);
  }

  private greeted(link: Link, greeting: ClientResponse, turn: Turn): void {
    const error = refusalOf(link, greeting, this.config);
    if (error === undefined && greeting.type === "server-hello") {
      link.greeted(greeting.limits);
      this.router.greetedWith(greeting);
      return;
    }
    this.router.drop(link, turn, error ?? new LogError("malformed-frame", "no hello"), true);
    const hopeless = this.router.refusedByAll();
    if (hopeless === undefined) return;
    this.appender.failAll(hopeless, turn);
    this.reader.failAll(hopeless, turn);
    this.tailer.failAll(hopeless, turn);
  }

  private lost(connection: number, reason: CloseReason, turn: Turn): void {
    const link = this.router.linkOn(connection);
    if (link !== undefined) this.router.drop(link, turn, unavailable(link, lossOf(link, reason)), false);
  }

  private close(turn: Turn): void {
    const error = new LogError("cancelled", "the client was closed");
    this.appender.failAll(error, turn);
    this.reader.failAll(error, turn);
    this.tailer.failAll(error, turn);
    for (const link of this.router.links) link.drop(turn, error, true);
    this.closed = true;
  }
}

function lossOf({ peer }: Link, reason: CloseReason): string {
  if (reason === "no-host")
    return `there is no such host: ${peer.address.replace(/:\d+$/, "")} (its name does not resolve)`;
  return reason === "protocol"
    ? "what answers there does not speak as a node of this version"
    : `connection ${reason}`;
}

function unavailable(link: Link, why: string): LogError {
  return new LogError("unavailable", `${link.peer.node} at ${link.peer.address}: ${why}`);
}

/** Why a greeting is no hello of the node that was meant; undefined when it is. */
function refusalOf(link: Link, greeting: ClientResponse, config: ClientConfig): LogError | undefined {
  if (greeting.type === "fault") return errorOf(greeting);
  if (greeting.type !== "server-hello") {
    return new LogError("malformed-frame", `${link.peer.node} answered a hello with ${greeting.type}`);
  }
  const { node, group, cluster, version } = greeting;
  if (version < clientVersionMin || version > clientVersionMax) {
    return new LogError("wrong-version", `${node} chose version ${version}`);
  }
  if (node !== link.peer.node) {
    return new LogError("unknown-node", `at ${link.peer.address} is ${node}, not ${link.peer.node}`);
  }
  if (group !== config.group) return new LogError("unknown-group", `${node} serves group ${group}`);
  if (config.cluster !== "" && cluster !== "" && cluster !== config.cluster) {
    return new LogError("wrong-cluster", `${node} belongs to cluster ${cluster}`);
  }
  return undefined;
}
