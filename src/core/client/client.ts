import { assert, unreachable } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import { ByteWriter } from "../base/bytes.ts";
import { LogError } from "../base/errors.ts";
import { NumberMap } from "../base/number-map.ts";
import type { Done } from "../base/task.ts";
import type { Micros } from "../base/units.ts";
import { second } from "../base/units.ts";
import type { ClientRequest, ClientResponse, LogEntry, NodeStatus } from "../commitlog/protocol.ts";
import { encodeRequest } from "../commitlog/request-codec.ts";
import { decodeResponse } from "../commitlog/response-codec.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { Address, Connection, Network } from "../io/network.ts";
import type { Random } from "../io/random.ts";
import type { ClientConfig } from "./client-config.ts";
import type { Answer, ClientEffect, ClientEvent, Question, TailPlan, Target } from "./client-event.ts";
import { ClientMachine } from "./client-machine.ts";

export interface ClientPorts {
  readonly clock: Clock;
  readonly network: Network;
  readonly random: Random;
}

export interface ClientEvents {
  /** An append was refused as `pending-full`; now at least half of the queue is free. */
  drained?(): void;
}

/** Ends a call early: its `done` is told `cancelled`, or `outcome-unknown` when an append may have happened. */
export interface CancelHandle {
  cancel(): void;
}

export interface CallOptions {
  readonly timeout: Micros;
}

export interface ReadOptions extends CallOptions {
  /** Default "any". */
  readonly target?: Target;
  /** Default true; false answers from what the node has, however old. */
  readonly linearizable?: boolean;
}

export interface AppendResult {
  /** The term of the last entry. */
  readonly term: number;
  /** One for each body, ascending. */
  readonly indexes: readonly number[];
}

export type TailOptions = Partial<Omit<TailPlan, "from">>;

export interface TailEvents {
  /** Entries in order, each once, and where the tail stands behind them. The bodies are views that pin their batch. */
  entries(batch: readonly LogEntry[], next: number, commitIndex: number): void;
  /** The last event. */
  failed(error: LogError): void;
}

export interface TailHandle {
  /** Hands nothing more over until `resume`; the client holds one batch at most meanwhile. */
  pause(): void;
  resume(): void;
  /** Ends the tail; nothing is handed over afterwards. */
  close(): void;
}

type Settle = (error: LogError | undefined, effect: ClientEffect | undefined) => void;

interface Socket {
  readonly connection: Connection;
  /** Frames that the connection had no room for, in order. Bounded by the machine's limits on what is in flight. */
  readonly backlog: Uint8Array[];
}

const tailDefaults: Omit<TailPlan, "from"> = {
  target: "any",
  entriesMax: 1_024,
  bytesMax: 1_024 * 1_024,
  wait: 1 * second,
};

/**
 * Drives the client machine over the ports of either world. Callbacks come in turns of their own, never inside a call;
 * each call's `done` comes exactly once.
 */
export class Client {
  private readonly ports: ClientPorts;
  private readonly events: ClientEvents;
  private readonly machine: ClientMachine;
  private readonly sockets = new Map<number, Socket>();
  private readonly writer = new ByteWriter();
  private readonly calls = new NumberMap<Settle>();
  private readonly tails = new Map<number, TailEvents>();
  private lastCall = 0;
  private timer: Timer | undefined = undefined;
  private timerAt: Micros = Number.POSITIVE_INFINITY;
  /** Completions of the calls made in this turn, to be told in the next. */
  private deferred: ClientEffect[] = [];
  private closed = false;

  /** @throws LogError `bad-configuration`. */
  constructor(config: ClientConfig, ports: ClientPorts, events: ClientEvents = {}) {
    this.ports = ports;
    this.events = events;
    // By name, so that the clients of one world do not all wait equally long.
    const stream = `client/${config.name}`;
    this.machine = new ClientMachine(config, (key) => ports.random.draw(stream, key));
  }

  /**
   * Appends the bodies in order, all in the log once `done` is told their indexes. They are left unchanged until then.
   * @throws LogError `pending-full` when the queue has no room (`drained` follows), `entry-too-large`,
   *   `batch-too-large`, `cancelled` on a closed client; `done` is not called then.
   */
  append(bodies: readonly Uint8Array[], options: CallOptions, done: Done<AppendResult>): CancelHandle {
    this.refuse(bodies);
    const { now, call, deadline } = this.begin(options);
    this.calls.set(call, (error, effect) => {
      if (effect?.type !== "appended") done(error, noResult);
      else done(undefined, { term: effect.term, indexes: effect.indexes });
    });
    this.inCall({ type: "append", now, call, bodies, deadline });
    return this.handle(call);
  }

  /** Done is told the entry at an index; `internal-entry` and `index-out-of-range` are its refusals. */
  get(index: number, options: ReadOptions, done: Done<LogEntry>): CancelHandle {
    const question = { kind: "get", index, linearizable: options.linearizable ?? true } as const;
    return this.ask(question, options.target ?? "any", options, done, (answer) =>
      answer.kind === "get" ? answer.entry : undefined,
    );
  }

  /** Done is told an index that covers every append acknowledged before this call. */
  readIndex(options: ReadOptions, done: Done<number>): CancelHandle {
    return this.ask({ kind: "read-index" }, options.target ?? "any", options, done, (answer) =>
      answer.kind === "read-index" ? answer.index : undefined,
    );
  }

  /** Done is told how a node sees itself. A named node that cannot be reached fails at once with `unavailable`. */
  status(node: NodeId | undefined, options: CallOptions, done: Done<NodeStatus>): CancelHandle {
    const target = node === undefined ? "any" : { node };
    return this.ask({ kind: "status" }, target, options, done, (answer) =>
      answer.kind === "status" ? answer.status : undefined,
    );
  }

  transfer(to: NodeId, options: CallOptions, done: Done<void>): CancelHandle {
    return this.ask({ kind: "transfer", to }, "leader", options, done, () => undefined);
  }

  /** Whether a node takes entries of clients, until its process ends. One that leads hands over if it can. */
  setReadOnly(node: NodeId, readOnly: boolean, options: CallOptions, done: Done<void>): CancelHandle {
    return this.ask({ kind: "set-read-only", readOnly }, { node }, options, done, () => undefined);
  }

  private ask<T>(
    question: Question,
    target: Target,
    options: CallOptions,
    done: Done<T>,
    pick: (answer: Answer) => T | undefined,
  ): CancelHandle {
    this.refuse("call");
    const { now, call, deadline } = this.begin(options);
    this.calls.set(call, (error, effect) => {
      if (effect?.type !== "answered") done(error, undefined as T);
      else done(undefined, pick(effect.answer) as T);
    });
    this.inCall({ type: "ask", now, call, question, target, deadline });
    return this.handle(call);
  }

  /**
   * Follows the log from an index on, through lost connections and changes of leader, until it is closed.
   * @throws LogError `pending-full` beyond `tailsMax`, `cancelled` on a closed client.
   */
  tail(from: number, options: TailOptions, events: TailEvents): TailHandle {
    this.refuse("tail");
    this.lastCall += 1;
    const call = this.lastCall;
    this.tails.set(call, events);
    const plan = { ...tailDefaults, ...options, from };
    this.inCall({ type: "tail", now: this.ports.clock.monotonic(), call, plan });
    const pause = (paused: boolean): void => {
      this.inCall({ type: "pause", now: this.ports.clock.monotonic(), call, paused });
    };
    return {
      pause: () => pause(true),
      resume: () => pause(false),
      close: () => {
        if (this.tails.delete(call)) this.inCall({ type: "cancel", now: this.ports.clock.monotonic(), call });
      },
    };
  }

  /** Ends every call and closes every connection. */
  close(done: Done<void>): void {
    if (!this.closed) this.inCall({ type: "close", now: this.ports.clock.monotonic() });
    this.closed = true;
    this.timer?.cancel();
    this.ports.clock.soon(() => done(undefined, undefined));
  }

  private refuse(kind: "call" | "tail" | readonly Uint8Array[]): void {
    const error = this.machine.refusal(kind);
    if (error !== undefined) throw error;
  }

  private begin({ timeout }: CallOptions): { now: Micros; call: number; deadline: Micros } {
    this.lastCall += 1;
    const now = this.ports.clock.monotonic();
    return { now, call: this.lastCall, deadline: now + timeout };
  }

  private handle(call: number): CancelHandle {
    return {
      cancel: () => {
        if (this.calls.has(call)) this.inCall({ type: "cancel", now: this.ports.clock.monotonic(), call });
      },
    };
  }

  /** A step from within a caller's call: what it completes is told in a turn of its own. */
  private inCall(event: ClientEvent): void {
    const out: ClientEffect[] = [];
    this.machine.step(event, out);
    for (const effect of out) {
      if (this.carryOut(effect)) continue;
      if (this.deferred.length === 0) this.ports.clock.soon(() => this.tellDeferred());
      this.deferred.push(effect);
    }
    this.armTimer();
  }

  private tellDeferred(): void {
    const deferred = this.deferred;
    this.deferred = [];
    for (const effect of deferred) this.tell(effect);
  }

  /** A step from a turn of a port. */
  private inTurn(event: ClientEvent): void {
    const out: ClientEffect[] = [];
    this.machine.step(event, out);
    // Completions run callers' code, which may make calls: the machine's other effects come first.
    let told = 0;
    for (const effect of out) if (!this.carryOut(effect)) out[told++] = effect;
    this.armTimer();
    for (let i = 0; i < told; i++) this.tell(out[i] as ClientEffect);
  }

  /** @returns false when the effect is one to tell the caller. */
  private carryOut(effect: ClientEffect): boolean {
    switch (effect.type) {
      case "connect":
        this.connect(effect.connection, effect.address);
        return true;
      case "send":
        this.send(effect.connection, effect.request);
        return true;
      case "disconnect":
        this.sockets.get(effect.connection)?.connection.close();
        this.sockets.delete(effect.connection);
        return true;
      case "flush":
        this.ports.clock.soon(() => this.inTurn({ type: "flush", now: this.ports.clock.monotonic() }));
        return true;
      case "appended":
      case "answered":
      case "entries":
      case "failed":
      case "drained":
        return false;
      default:
        return unreachable(effect);
    }
  }

  private tell(effect: ClientEffect): void {
    if (effect.type === "drained") {
      this.events.drained?.();
      return;
    }
    assert("call" in effect, "what is told belongs to a call");
    const { call } = effect;
    if (effect.type === "entries") {
      this.tails.get(call)?.entries(effect.entries, effect.next, effect.commitIndex);
      return;
    }
    const error = effect.type === "failed" ? effect.error : undefined;
    const tail = this.tails.get(call);
    if (tail !== undefined && error !== undefined) {
      this.tails.delete(call);
      tail.failed(error);
      return;
    }
    const settle = this.calls.get(call);
    this.calls.delete(call);
    settle?.(error, effect);
  }

  private connect(number: number, address: Address): void {
    const now = (): Micros => this.ports.clock.monotonic();
    const backlog: Uint8Array[] = [];
    const connection = this.ports.network.connect(address, "client", {
      opened: () => this.inTurn({ type: "opened", now: now(), connection: number }),
      frame: (frame) => this.frame(number, frame),
      drained: () => this.sendBacklog(number),
      closed: (reason) => {
        this.sockets.delete(number);
        this.inTurn({ type: "closed", now: now(), connection: number, reason });
      },
    });
    this.sockets.set(number, { connection, backlog });
  }

  private frame(number: number, frame: Uint8Array): void {
    const now = this.ports.clock.monotonic();
    let response: ClientResponse;
    try {
      response = decodeResponse(frame);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      this.sockets.get(number)?.connection.close();
      this.sockets.delete(number);
      this.inTurn({ type: "closed", now, connection: number, reason: "protocol" });
      return;
    }
    this.inTurn({ type: "frame", now, connection: number, response });
  }

  private send(number: number, request: ClientRequest): void {
    const socket = this.sockets.get(number);
    if (socket === undefined) return;
    encodeRequest(this.writer, request);
    const frame = this.writer.finish();
    if (socket.backlog.length > 0 || !socket.connection.send(frame)) socket.backlog.push(frame);
  }

  private sendBacklog(number: number): void {
    const socket = this.sockets.get(number);
    if (socket === undefined) return;
    let sent = 0;
    for (const frame of socket.backlog) {
      if (!socket.connection.send(frame)) break;
      sent += 1;
    }
    socket.backlog.splice(0, sent);
  }

  /** A timer that is too early fires for nothing and is armed anew: cheaper than a new one with every call. */
  private armTimer(): void {
    const deadline = this.machine.deadline();
    if (this.closed || deadline >= this.timerAt) return;
    this.timer?.cancel();
    this.timerAt = deadline;
    this.timer = this.ports.clock.at(deadline, () => {
      this.timerAt = Number.POSITIVE_INFINITY;
      this.inTurn({ type: "tick", now: this.ports.clock.monotonic() });
    });
  }
}

/** The value beside an error, which nobody may read. */
const noResult: AppendResult = { term: -1, indexes: [] };
