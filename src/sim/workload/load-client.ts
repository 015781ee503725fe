import type { NodeId } from "../../core/base/brand.ts";
import { LogError } from "../../core/base/errors.ts";
import type { Micros } from "../../core/base/units.ts";
import { millisecond, second } from "../../core/base/units.ts";
import type { Client } from "../../core/client/client.ts";
import type { Target } from "../../core/client/client-event.ts";
import { between } from "../../core/io/random.ts";
import type { Operation } from "../history/history.ts";
import { internalKey } from "../history/history.ts";
import { decodePayload, encodePayload, payloadKeyOf } from "../history/payload.ts";
import type { Recorder } from "../history/recorder.ts";
import type { ClientHost, WorkloadOptions } from "../scenario.ts";
import type { BurstClient } from "./burst.ts";
import { Bursts } from "./burst.ts";
import { payloadBytes } from "./payload-bytes.ts";

/** Every call gets this long; one in `hurriedOf` only `hurriedTimeout`, so that an outcome stays unknown now and then. */
const patientTimeout: Micros = 10 * second;
const hurriedTimeout: Micros = 150 * millisecond;
const hurriedOf = 32;
/** One turn in `burstOf` makes up to `burstCallsMax` append calls at once. */
const burstOf = 4;
const burstCallsMax = 8;
/** Calls of one client without an answer; at the limit it skips its turn, as a caller with backpressure would. */
const inFlightCallsMax = 128;
/** One tail in `farTailOf` begins anywhere, the others within so many entries of the end. */
const farTailOf = 6;
const nearTailEntries = 200;
/** A tail is followed for this long, then begun anew somewhere else. */
const tailSpan: Micros = 4 * second;

/**
 * In half of the runs one client is narrow: it has room for less than a burst, gives up on a call in `narrowHurriedOf`, and
 * keeps its session to the end, so that whatever was left in a bad state stays so.
 */
const narrowAppendsMax = 6;
const narrowHurriedOf = 6;

/** In half of the runs, one acknowledged append in `echoOf` is read back at once, on any node. */
const echoOf = 3;

/** Places of a turn's draws, so that no draw ever shifts another. */
const place = {
  gap: 0,
  kind: 1,
  burst: 2,
  index: 3,
  hurry: 4,
  tail: 5,
  churn: 6,
  target: 7,
  batch: 8,
  bytes: 64,
} as const;
const placesPerTurn = 1_024;

/** What a load client may see of the world. */
export interface LoadWorld {
  now(): Micros;
  at(at: Micros, act: () => void): void;
  /** @param pendingAppendsMax the client's room for appends; undefined for the default, which is never reached. */
  connect(host: ClientHost, pendingAppendsMax: number | undefined, drained: () => void): Client;
  /** A node that is asked for by name. */
  nodeAt(draw: number): NodeId;
}

/** One client under load: it calls at drawn moments, keeps several calls in flight, and writes down what came of each. */
export class LoadClient {
  readonly host: ClientHost;
  private readonly recorder: Recorder;
  private readonly options: WorkloadOptions;
  private readonly world: LoadWorld;
  private readonly meanGap: Micros;
  private readonly follows: boolean;
  private readonly bursts: Bursts | undefined;
  private client: Client;
  private turn = 0;
  private payloads = 0;
  private stopped = false;
  paused = false;
  private tailUntil: Micros = 0;
  private endTail: (() => void) | undefined;
  private churnAt: Micros = Number.POSITIVE_INFINITY;
  private readonly eager: boolean;
  private echoes = 0;
  /** Undefined for a client that always has room. */
  private readonly room: number | undefined;
  /** Appends since the client connected whose outcome it left unknown. */
  private unknown = 0;
  /** The client had no room for an append; told when it has some again, before which nothing is appended. */
  private crowdEnds: ((now: Micros) => void) | undefined;
  /** Calls under way. */
  readonly calls: Set<Operation> = new Set();
  /** How many they are, by kind: for the question what is being waited for. */
  readonly waiting = { append: 0, get: 0, "read-index": 0 };

  constructor(
    host: ClientHost,
    recorder: Recorder,
    share: {
      readonly options: WorkloadOptions;
      readonly clients: number;
      readonly number: number;
      readonly narrow: boolean;
      readonly eager: boolean;
    },
    world: LoadWorld,
  ) {
    this.host = host;
    this.recorder = recorder;
    this.options = share.options;
    this.world = world;
    this.eager = share.eager;
    this.room = share.narrow ? narrowAppendsMax : undefined;
    this.client = this.connected();
    const { options, clients } = share;
    this.follows = share.number < options.tails;
    const { burstEvery: every } = options;
    this.bursts = every === undefined ? undefined : new Bursts(host.random, every, this.burstClient());
    const calls = appendCalls(options) + options.getsPerSecond + options.readIndexesPerSecond;
    this.meanGap = Math.max(1, Math.floor((second * clients) / Math.max(1, calls)));
  }

  private connected(): Client {
    return this.world.connect(this.host, this.room, () => this.roomAgain());
  }

  private roomAgain(): void {
    this.crowdEnds?.(this.world.now());
    this.crowdEnds = undefined;
  }

  start(): void {
    this.planChurn();
    this.plan();
  }

  /** No new calls; the tail ends. */
  stop(): void {
    this.stopped = true;
    this.endTail?.();
    this.endTail = undefined;
  }

  get inFlight(): number {
    return this.waiting.append + this.waiting.get + this.waiting["read-index"];
  }

  private draw(at: number): number {
    return this.host.random.draw("load", this.turn * placesPerTurn + at);
  }

  private plan(): void {
    this.turn += 1;
    const gap = between(this.draw(place.gap), 0, 2 * this.meanGap);
    this.world.at(this.world.now() + gap, () => this.take());
  }

  private take(): void {
    if (this.stopped) return;
    if (!this.paused) {
      if (this.world.now() >= this.churnAt) this.churn();
      if (this.follows && this.world.now() >= this.tailUntil) this.follow();
      this.bursts?.take(this.world.now());
      if (this.inFlight < inFlightCallsMax) this.call();
    }
    this.plan();
  }

  private call(): void {
    const { getsPerSecond, readIndexesPerSecond } = this.options;
    // In hundredths of a call a second, so that a share below one counts too.
    const appends = Math.round(appendCalls(this.options) * 100);
    const gets = Math.round(getsPerSecond * 100);
    const all = appends + gets + Math.round(readIndexesPerSecond * 100);
    const kind = this.draw(place.kind) % Math.max(1, all);
    if (kind < appends) {
      // As a caller would that waits until it is told of room.
      if (this.crowdEnds === undefined) this.appends();
    } else if (kind < appends + gets) this.get();
    else this.readIndex();
  }

  /** Reads go to every kind of node, most often to whoever the client takes for the leader. */
  private target(): Target {
    const draw = this.draw(place.target);
    const kind = draw % 8;
    if (kind < 4) return "leader";
    if (kind === 4) return "any";
    if (kind === 5) return "follower";
    return { node: this.world.nodeAt(Math.floor(draw / 8)) };
  }

  private timeout(): Micros {
    const one = this.room === undefined ? hurriedOf : narrowHurriedOf;
    return this.draw(place.hurry) % one === 0 ? hurriedTimeout : patientTimeout;
  }

  private appends(): void {
    const burst = this.draw(place.burst);
    const calls = burst % burstOf === 0 ? between(Math.floor(burst / burstOf), 2, burstCallsMax) : 1;
    for (let i = 0; i < calls && this.crowdEnds === undefined; i++) {
      this.append(place.batch + i, place.bytes + i * 64);
    }
  }

  private append(batchPlace: number, bytesPlace: number): void {
    const count = between(this.draw(batchPlace), 1, Math.min(this.options.batchMax, 60));
    this.appendAll(
      Array.from({ length: count }, (_, i) => payloadBytes(this.options, this.draw(bytesPlace + i))),
    );
  }

  private appendAll(sizes: readonly number[]): void {
    const keys: number[] = [];
    const bodies: Uint8Array[] = [];
    for (const size of sizes) {
      const key = payloadKeyOf(this.host.client, this.payloads);
      this.payloads += 1;
      keys.push(key);
      bodies.push(encodePayload(key, size));
    }
    const operation = this.recorder.append(this.host.client, this.world.now(), keys);
    this.begin(operation, () =>
      this.client.append(bodies, { timeout: this.timeout() }, (error, value) =>
        this.end(operation, error, (now) => {
          this.recorder.appended(operation, now, value.indexes);
          this.echo(value.indexes[value.indexes.length - 1] as number);
        }),
      ),
    );
  }

  /** Asks for what was just acknowledged: a node that has not heard of it yet must find out before it answers. */
  private echo(index: number): void {
    if (!this.eager || this.stopped || this.paused || this.inFlight >= inFlightCallsMax) return;
    this.echoes += 1;
    const draw = this.host.random.draw("echo", this.echoes);
    if (draw % echoOf !== 0) return;
    const node = this.world.nodeAt(draw >>> 8);
    if ((draw >>> 4) % 2 === 0) this.readIndexOf({ node });
    else this.getAt(index, { node });
  }

  private get(): void {
    // One beyond what is known too: "not there yet" is an observation like any other.
    this.getAt(this.draw(place.index) % (this.recorder.highestIndex + 3), this.target());
  }

  private getAt(index: number, target: Target): void {
    const operation = this.recorder.get(this.host.client, this.world.now(), index);
    this.begin(operation, () =>
      this.client.get(index, { timeout: this.timeout(), target }, (error, entry) => {
        const code = error instanceof LogError ? error.code : "";
        if (code === "index-out-of-range" || code === "internal-entry") {
          // Both are answers about the log, not refusals.
          const key = code === "internal-entry" ? internalKey : undefined;
          this.end(operation, undefined, (now) => this.recorder.got(operation, now, key));
        } else
          this.end(operation, error, (now) => this.recorder.got(operation, now, decodePayload(entry.body)));
      }),
    );
  }

  private readIndex(): void {
    this.readIndexOf(this.target());
  }

  private readIndexOf(target: Target): void {
    const operation = this.recorder.readIndex(this.host.client, this.world.now());
    this.begin(operation, () =>
      this.client.readIndex({ timeout: this.timeout(), target }, (error, index) =>
        this.end(operation, error, (now) => this.recorder.confirmed(operation, now, index)),
      ),
    );
  }

  /** Makes the call; one that is refused at once never began. */
  private begin(operation: Operation, call: () => unknown): void {
    if (operation.kind === "tail") return;
    this.waiting[operation.kind] += 1;
    this.calls.add(operation);
    try {
      call();
    } catch (error) {
      if (error instanceof LogError && error.code === "pending-full") this.crowded();
      this.end(operation, error as Error, () => {});
    }
  }

  private crowded(): void {
    const { room } = this;
    // A burst may be refused several times; the client tells once that there is room again.
    if (room === undefined || this.crowdEnds !== undefined) return;
    // The one that was refused has been counted.
    const underWay = this.waiting.append - 1 + this.unknown;
    this.crowdEnds = this.recorder.crowded({
      client: this.host.client,
      at: this.world.now(),
      underWay,
      room,
    });
  }

  private end(operation: Operation, error: Error | undefined, answered: (now: Micros) => void): void {
    if (operation.kind === "tail") return;
    this.waiting[operation.kind] -= 1;
    this.calls.delete(operation);
    if (error === undefined) answered(this.world.now());
    else if (error instanceof LogError) {
      if (operation.kind === "append" && error.retry === "unknown") this.unknown += 1;
      this.recorder.refused(operation, this.world.now(), error);
    } else throw error;
  }

  private follow(): void {
    this.endTail?.();
    this.tailUntil = this.world.now() + tailSpan;
    const end = this.tail(this.tailFrom(), this.target(), () => {
      // Begun anew at the next turn, unless another tail took its place already.
      if (this.endTail === end) this.forgetTail();
    });
    this.endTail = end;
  }

  /** @returns what ends the tail. */
  private tail(first: number, target: Target, failed: () => void): () => void {
    const { client } = this.host;
    const tail = this.recorder.newTail();
    let from = first;
    const handle = this.client.tail(
      from,
      { target },
      {
        entries: (entries, next) => {
          this.recorder.tailed({ client, tail, now: this.world.now() }, { from, next }, entries);
          from = next;
        },
        failed,
      },
    );
    return () => handle.close();
  }

  /** Asks for many reads at once. */
  burst(): void {
    if (!this.stopped) this.bursts?.reads();
  }

  private burstClient(): BurstClient {
    const { recorder, world } = this;
    return {
      highestIndex: () => recorder.highestIndex,
      nodeAt: (draw) => world.nodeAt(draw),
      get: (index, target) => this.getAt(index, target),
      append: (bytes) => this.appendAll([bytes]),
      tail: (from, target) => this.tail(from, target, () => undefined),
      after: (delay, act) => world.at(world.now() + delay, act),
    };
  }

  /** Most tails begin near the end, where the log is being written; some read far back. */
  private tailFrom(): number {
    const draw = this.draw(place.tail);
    const end = this.recorder.highestIndex + 2;
    const back = draw % farTailOf === 0 ? end : Math.min(end, nearTailEntries);
    return end - 1 - (Math.floor(draw / farTailOf) % back);
  }

  private forgetTail(): void {
    this.endTail = undefined;
    this.tailUntil = 0;
  }

  /** Leaves as a process would that ends, calls in flight and all, and comes back with a new session. */
  private churn(): void {
    this.endTail?.();
    this.forgetTail();
    this.client.close(() => {});
    this.roomAgain();
    this.unknown = 0;
    this.client = this.connected();
    this.planChurn();
  }

  private planChurn(): void {
    const { sessionSpan } = this.options;
    if (sessionSpan === undefined || sessionSpan === 0 || this.room !== undefined) return;
    const span = between(this.draw(place.churn), Math.floor(sessionSpan / 2), Math.floor(sessionSpan * 1.5));
    this.churnAt = this.world.now() + span;
  }
}

/** Append calls a second that make up the wanted entries, with batches and bursts as they are drawn. */
function appendCalls(options: WorkloadOptions): number {
  const entriesPerCall = (1 + Math.min(options.batchMax, 60)) / 2;
  const callsPerTurn = 1 + (1 / burstOf) * ((2 + burstCallsMax) / 2 - 1);
  return options.appendsPerSecond / (entriesPerCall * callsPerTurn);
}
