import { LogError } from "../core/base/errors.ts";
import type { Done } from "../core/base/task.ts";
import type { Micros } from "../core/base/units.ts";
import type { AppendResult, CancelHandle, TailEvents, TailHandle } from "../core/client/client.ts";
import { Client } from "../core/client/client.ts";
import { clientConfig } from "../core/client/client-config.ts";
import type { NodeStatus } from "../core/commitlog/protocol.ts";
import {
  checkedGroup,
  checkedIndex,
  checkedNode,
  checkedObject,
  checkedSignal,
  checkedSwitch,
  checkedText,
  checkedTimeoutMs,
  checkedTls,
  EntryCopies,
} from "./client-input.ts";
import { SystemClock } from "./clock.ts";
import { defaultGroup, defaultPeers } from "./defaults.ts";
import { TcpNetwork } from "./network.ts";
import { checkedPeers } from "./peer-list.ts";
import { SeededRandom } from "./random.ts";
import { Reach } from "./reach.ts";
import { TailIterator } from "./tail-iterator.ts";
import type { TlsOptions } from "./tls-options.ts";
import { dialOf } from "./tls-options.ts";
import { Turns } from "./turn.ts";

export interface LogClientOptions {
  /** As in `dLegerPeers`: `n0-127.0.0.1:40911;n1-...`. By default the three nodes of `npm start`. */
  readonly peers?: string;
  /** By default `default`. */
  readonly group?: string;
  /** For calls that name none; by default 10,000. */
  readonly timeoutMs?: number;
  /** For the nodes' logs. */
  readonly name?: string;
  /** The cluster that is meant, as 32 hex digits; any unless given. */
  readonly cluster?: string;
  /**
   * Appends go through a session unless this is false, so that one whose answer was lost is retried and still lands
   * once. Without a session it ends as `outcome-unknown`, and the first append is a round trip faster.
   */
  readonly sessions?: boolean;
  /** Encryption towards the nodes, and who this client is; without it everything is plain text. */
  readonly tls?: TlsOptions;
}

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /** False answers from what the node has, however old; by default true. */
  readonly linearizable?: boolean;
}

export interface TailOptions {
  /** By default 0. */
  readonly from?: number;
  /** False ends the tail behind what was committed when it began; by default true. */
  readonly follow?: boolean;
  /** How long a tail that does not follow waits for its next entries; by default the client's. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface LogEntry {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
}

/** Appends that wait for room in the client's queue, and their bytes; beyond, `append` is refused as `pending-full`. */
const waitersMax = 16_384;
const waiterBytesMax = 256 * 1_024 * 1_024;

interface Waiter {
  readonly bytes: number;
  readonly begin: () => void;
  readonly refuse: (error: LogError) => void;
}

function placeOf({ indexes, term }: AppendResult): { readonly index: number; readonly term: number } {
  return { index: indexes[0] as number, term };
}

/**
 * The log, for programs: promises over the client that the simulator rehearses. One client keeps its connections, its
 * session and its knowledge of the leader; make one and share it.
 */
export class LogClient {
  private readonly client: Client;
  private readonly clock: SystemClock;
  private readonly turns = new Turns();
  private readonly reach: Reach;
  private readonly timeoutMs: number;
  private readonly copies = new EntryCopies();
  private readonly waiters: Waiter[] = [];
  private waiterBytes = 0;
  private closed = false;

  /** @throws LogError bad-configuration. */
  constructor(options: LogClientOptions = {}) {
    checkedObject("options", options);
    this.timeoutMs = checkedTimeoutMs(options.timeoutMs ?? 10_000);
    this.clock = new SystemClock(this.turns);
    const config = clientConfig({
      group: checkedGroup(options.group ?? defaultGroup),
      peers: checkedPeers(checkedText("peers", options.peers ?? defaultPeers)),
      name: checkedText("name", options.name ?? ""),
      cluster: checkedText("cluster", options.cluster ?? ""),
      sessions: checkedSwitch(options.sessions ?? true, "sessions"),
    });
    this.reach = new Reach(config.peers, this.clock);
    const ports = {
      clock: this.clock,
      network: this.reach.watch(
        new TcpNetwork({ turns: this.turns, dial: dialOf(checkedTls(options.tls), config.peers) }),
      ),
      random: new SeededRandom(),
    };
    this.client = new Client(config, ports, { drained: () => this.admitWaiters() });
  }

  /**
   * Appends one entry. Text is stored as UTF-8.
   * @returns once it is committed. While the client's queue is full the call waits, within its timeout: awaiting
   *   appends before making more keeps a producer at the log's pace.
   * @throws LogError; `outcome-unknown` when the entry may be in the log.
   */
  append(
    data: Uint8Array | string,
    options: CallOptions = {},
  ): Promise<{ readonly index: number; readonly term: number }> {
    return this.submit(() => [this.copies.of(data)], options, placeOf);
  }

  /** Appends entries in order, all of them or none. */
  appendBatch(batch: readonly (Uint8Array | string)[], options: CallOptions = {}): Promise<AppendResult> {
    return this.submit(
      () => this.copies.ofAll(batch),
      options,
      (result) => result,
    );
  }

  private submit<T>(
    bodiesOf: () => readonly Uint8Array[],
    options: CallOptions,
    pick: (result: AppendResult) => T,
  ): Promise<T> {
    return this.call(options, (done, started) => {
      const bodies = bodiesOf();
      const deadline = this.clock.monotonic() + this.micros(options);
      const told: Done<AppendResult> = (error, result) =>
        done(error, error === undefined ? pick(result) : (undefined as T));
      const begin = (): void =>
        started(this.client.append(bodies, { timeout: deadline - this.clock.monotonic() }, told));
      if (this.waiters.length === 0 && !this.isFull(begin)) return;
      const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
      const refuse = (error: LogError): void => done(error, undefined as T);
      this.wait({ bytes, begin, refuse }, deadline, started);
    });
  }

  /** Makes the call unless the queue is full. */
  private isFull(begin: () => void): boolean {
    try {
      begin();
      return false;
    } catch (error) {
      if (error instanceof LogError && error.code === "pending-full") return true;
      throw error;
    }
  }

  private wait(waiter: Waiter, deadline: Micros, started: (handle: CancelHandle) => void): void {
    if (this.waiters.length >= waitersMax || this.waiterBytes + waiter.bytes > waiterBytesMax) {
      const full = `${this.waiters.length} appends of ${this.waiterBytes} bytes already wait for room in this client`;
      throw new LogError("pending-full", full);
    }
    const leave = (error: LogError): void => {
      const at = this.waiters.indexOf(waiting);
      if (at < 0) return;
      this.waiters.splice(at, 1);
      this.waiterBytes -= waiter.bytes;
      timer.cancel();
      waiter.refuse(error);
    };
    const timer = this.clock.at(deadline, () =>
      leave(
        new LogError("timeout", "the client's queue had no room within the timeout; nothing was appended"),
      ),
    );
    const waiting: Waiter = {
      bytes: waiter.bytes,
      begin: () => {
        waiter.begin();
        timer.cancel();
      },
      refuse: leave,
    };
    this.waiters.push(waiting);
    this.waiterBytes += waiter.bytes;
    started({
      cancel: () => leave(new LogError("cancelled", "cancelled while it waited; nothing was appended")),
    });
  }

  private admitWaiters(): void {
    for (let first = this.waiters[0]; first !== undefined; first = this.waiters[0]) {
      try {
        if (this.isFull(first.begin)) return;
        this.waiters.shift();
        this.waiterBytes -= first.bytes;
      } catch (error) {
        first.refuse(error as LogError);
      }
    }
  }

  /** @throws LogError index-out-of-range, internal-entry, timeout, ... */
  async get(index: number, options: ReadOptions = {}): Promise<LogEntry> {
    checkedSignal(options);
    const read = { timeout: this.micros(options), linearizable: options.linearizable ?? true };
    const { term, body } = await this.call<{ index: number; term: number; body: Uint8Array }>(
      options,
      (done, started) => started(this.client.get(checkedIndex(index), read, done)),
    );
    return { index, term, data: body.slice() };
  }

  /** An index that covers every append acknowledged before this call; -1 while nothing is committed. */
  readIndex(options: CallOptions = {}): Promise<number> {
    return this.call(options, (done, started) =>
      started(this.client.readIndex({ timeout: this.micros(options) }, done)),
    );
  }

  /** How a node sees itself; of any node when none is named. */
  status(node?: string, options: CallOptions = {}): Promise<NodeStatus> {
    return this.call(options, (done, started) =>
      started(
        this.client.status(
          node === undefined ? undefined : checkedNode(node),
          { timeout: this.micros(options) },
          done,
        ),
      ),
    );
  }

  /**
   * Makes a node take no appends, or take them again, until its process ends: a restart asks its configuration. One that
   * leads hands over as soon as a writable node has caught up.
   */
  setReadOnly(node: string, readOnly: boolean, options: CallOptions = {}): Promise<void> {
    const make = (done: Done<void>, started: (handle: CancelHandle) => void): void => {
      const timeout = this.micros(options);
      started(this.client.setReadOnly(checkedNode(node), checkedSwitch(readOnly), { timeout }, done));
    };
    return this.call(options, make, node);
  }

  /**
   * Moves leadership.
   * @returns once the node leads.
   * @throws LogError; `outcome-unknown` when it may lead, or come to lead yet.
   */
  async transfer(to: string, options: CallOptions = {}): Promise<void> {
    let begun = false;
    try {
      await this.call<void>(options, (done, started) => {
        started(this.client.transfer(checkedNode(to), { timeout: this.micros(options) }, done));
        begun = true;
      });
    } catch (error) {
      const ended = error instanceof LogError && (error.code === "timeout" || error.code === "cancelled");
      // The leader that was asked goes on with it, whoever has stopped waiting.
      if (!ended || !begun || !this.reach.anyHeard) throw error;
      const text = `leadership may or may not have moved to ${to}: ${error.message}`;
      throw new LogError("outcome-unknown", text, { cause: error });
    }
  }

  /**
   * Entries from an index on, each once and in order, through lost connections and changes of leader. The reader sets
   * the pace. Leaving the loop ends it.
   */
  async *tail(options: TailOptions = {}): AsyncGenerator<LogEntry, void, undefined> {
    const signal = checkedSignal(options);
    const { from = 0, follow = true } = options;
    const end = follow ? Number.POSITIVE_INFINITY : await this.lastOfClients(from, options);
    if (from > end) return;
    const idleMsMax = follow ? undefined : this.micros(options) / 1_000;
    this.begin();
    const open = (events: TailEvents): TailHandle => this.client.tail(checkedIndex(from), {}, events);
    const iterator = new TailIterator(open, { signal, last: end, idleMsMax });
    try {
      for (let batch = await iterator.next(); batch !== undefined; batch = await iterator.next()) {
        for (const { index, term, body } of batch) yield { index, term, data: body.slice() };
        this.begin();
      }
    } finally {
      this.begin();
      iterator.close();
    }
  }

  /**
   * The newest committed entry of a client, or an index before `from`. A tail is told entries of clients only: one that
   * waited for the log's own (a new term, a session) at the end would wait in vain.
   */
  private async lastOfClients(from: number, options: TailOptions): Promise<number> {
    let last = await this.readIndex(options);
    while (last >= from) {
      const fault = await this.get(last, { ...options, linearizable: false }).catch(
        (error: LogError) => error,
      );
      if (!(fault instanceof LogError) || fault.code !== "internal-entry") break;
      last -= 1;
    }
    return last;
  }

  /** Ends every call and closes every connection. */
  close(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.closed = true;
    this.begin();
    for (const waiter of [...this.waiters]) waiter.refuse(new LogError("cancelled", "the client was closed"));
    return new Promise((resolve) => this.client.close(() => resolve()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A call from outside is a turn of its own: time is sampled anew. */
  private begin(): Micros {
    this.turns.enter();
    return this.clock.monotonic();
  }

  private micros({ timeoutMs }: CallOptions): Micros {
    return Math.ceil(checkedTimeoutMs(timeoutMs ?? this.timeoutMs) * 1_000);
  }

  private call<T>(
    options: CallOptions,
    make: (done: Done<T>, started: (handle: CancelHandle) => void) => void,
    node?: string,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const signal = checkedSignal(options);
      if (signal?.aborted === true)
        return reject(new LogError("cancelled", "cancelled before it began", { cause: signal.reason }));
      let handle: CancelHandle | undefined;
      const abort = (): void => {
        this.begin();
        handle?.cancel();
      };
      const since = this.begin();
      const settled: Done<T> = (error, value) => {
        signal?.removeEventListener("abort", abort);
        if (error === undefined) resolve(value);
        else reject(error instanceof LogError ? this.reach.explain(error, since, node) : error);
      };
      signal?.addEventListener("abort", abort, { once: true });
      try {
        make(settled, (started) => {
          handle = started;
        });
      } catch (error) {
        settled(error as Error, undefined as T);
      }
    });
  }
}
