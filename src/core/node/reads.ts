import type { Entry, LogEnd } from "../base/entry.ts";
import { bodyOf } from "../base/entry.ts";
import type { FaultCode } from "../base/errors.ts";
import { LogError } from "../base/errors.ts";
import { HighWater } from "../base/high-water.ts";
import { NumberMap } from "../base/number-map.ts";
import type { Done } from "../base/task.ts";
import type { Micros } from "../base/units.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { ReadLimit } from "../storage/log-reader.ts";
import type { ReadGate } from "./read-pace.ts";
import { openGate } from "./read-pace.ts";

/** A committed entry as clients see it. */
export interface ReadEntry {
  readonly index: number;
  readonly term: number;
  readonly body: Uint8Array;
}

export interface TailRequest {
  readonly from: number;
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** How long to wait for the first entry; 0 answers at once. */
  readonly wait: Micros;
  /**
   * True: "nothing yet" is told only once a majority has confirmed it. False: as this node knows it, which may be a little
   * old; a node that hears of nothing new tells nobody so.
   */
  readonly linearizable: boolean;
}

/** Entries at and after the place asked for; internal ones are left out, and `next` is where to go on. */
export interface TailAnswer {
  readonly next: number;
  readonly commitIndex: number;
  readonly entries: readonly ReadEntry[];
}

/** Why a node may hear of nothing new. */
export interface Behind {
  readonly why: string;
  /** For as long as the process lives. */
  readonly lasting: boolean;
}

/** What reads need of their group. */
export interface ReadSource {
  readonly clock: Clock;
  readonly tailsMax: number;
  /** Linearizable reads that wait: for a majority, or for what they need to be applied. */
  readonly readsMax: number;
  readonly appliedIndex: number;
  /** Undefined while the node leads or follows, and takes in what it hears. */
  behind(): Behind | undefined;
  /** So many tails wait, more than ever. */
  tailsWait(count: number): void;
  /** Asks Raft to confirm a read index; `ready` or `failed` follows, perhaps inside this call. */
  confirm(request: number): void;
  fromWindow(first: number, bytesMax: number): readonly Entry[] | undefined;
  fromDisk(first: number, limit: ReadLimit, done: Done<{ before: LogEnd; entries: readonly Entry[] }>): void;
}

interface Confirmed {
  readonly request: number;
  /** -1 until the read index is known. */
  index: number;
  readonly done: Done<number>;
}

interface WaitingTail {
  readonly request: TailRequest;
  readonly done: Done<TailAnswer>;
  readonly gate: ReadGate;
  timer: Timer | undefined;
}

/**
 * Reads on any node. A committed entry never changes, so one that is applied here is given at once; what is *not*
 * there yet is told only after a read index was confirmed (dissertation §6.4).
 */
export class Reads {
  private readonly source: ReadSource;
  private readonly confirming = new NumberMap<Confirmed>();
  private tails = new Set<WaitingTail>();
  private readonly mostTails = new HighWater();
  private requests = 0;
  private stopped = false;

  constructor(source: ReadSource) {
    this.source = source;
  }

  /** Reads that wait for a majority to confirm them, or for what they need to be applied. */
  get pending(): number {
    return this.confirming.size;
  }

  get waitingTails(): number {
    return this.tails.size;
  }

  /** The commit index at a moment between call and answer; this node has applied everything up to it. */
  readIndex(done: Done<number>): void {
    // Raft forgets a read once it is confirmed; what it waits for may take long to be applied, or not come in this life.
    if (this.confirming.size >= this.source.readsMax) {
      return done(new LogError("pending-full", `${this.confirming.size} reads already wait here`), -1);
    }
    this.requests += 1;
    this.confirming.set(this.requests, { request: this.requests, index: -1, done });
    this.source.confirm(this.requests);
  }

  ready(request: number, index: number): void {
    const read = this.confirming.get(request);
    if (read === undefined) return;
    read.index = index;
    if (index <= this.source.appliedIndex) this.finish(read);
    else this.unapplied += 1;
  }
  private unapplied = 0;

  failed(request: number, code: FaultCode): void {
    const read = this.confirming.get(request);
    if (read === undefined) return;
    this.confirming.delete(request);
    read.done(new LogError(code, "the read could not be confirmed with a majority"), -1);
  }

  private finish(read: Confirmed): void {
    this.confirming.delete(read.request);
    read.done(undefined, read.index);
  }

  /** The entry at `index`. @throws (to `done`) index-out-of-range, internal-entry, or why no read could be confirmed. */
  get(index: number, linearizable: boolean, done: Done<ReadEntry>, gate: ReadGate = openGate): void {
    if (index <= this.source.appliedIndex) return this.fetch(index, done, gate);
    if (!linearizable) return this.outOfRange(index, done);
    this.readIndex((error) => {
      if (error !== undefined) return done(error, undefined as never);
      if (index <= this.source.appliedIndex) return this.fetch(index, done, gate);
      this.outOfRange(index, done);
    });
  }

  private outOfRange(index: number, done: Done<ReadEntry>): void {
    const last = this.source.appliedIndex;
    const message = `index ${index} is past the end: the last one is ${last}`;
    done(new LogError("index-out-of-range", message), undefined as never);
  }

  private fetch(index: number, done: Done<ReadEntry>, gate: ReadGate): void {
    this.load(index, { last: index, bytesMax: 1 }, gate, (error, entries) => {
      if (error !== undefined) return done(error, undefined as never);
      const entry = entries[0];
      if (entry === undefined || entry.index !== index) {
        return done(
          new LogError("unavailable", `entry ${index} cannot be read here now`),
          undefined as never,
        );
      }
      if (entry.kind !== "data") {
        const text = `entry ${index} is the log's own (${entry.kind}); tails skip it`;
        return done(new LogError("internal-entry", text), undefined as never);
      }
      done(undefined, readable(entry));
    });
  }

  private load(first: number, limit: ReadLimit, gate: ReadGate, done: Done<readonly Entry[]>): void {
    gate.admit((loaded) => {
      const answer: Done<readonly Entry[]> = (error, entries) => {
        done(error, entries);
        loaded();
      };
      // The log may have been closed while the gate was.
      if (this.stopped) answer(new LogError("stopping", "the node is stopping"), []);
      else this.loadNow(first, limit, answer);
    });
  }

  /** Entries that were applied when they were read: what is applied while the disk reads may come in a cut version. */
  private loadNow(first: number, limit: ReadLimit, done: Done<readonly Entry[]>): void {
    const last = Math.min(limit.last, this.source.appliedIndex);
    const applied = (entries: readonly Entry[]): readonly Entry[] =>
      entries.filter((entry) => entry.index <= last);
    const entries = this.source.fromWindow(first, limit.bytesMax);
    if (entries !== undefined) return done(undefined, applied(entries));
    this.source.fromDisk(first, { ...limit, last }, (error, value) => {
      if (error !== undefined) done(error, []);
      else done(undefined, applied(value.entries));
    });
  }

  /** Entries from `from` on; waits for one if the log ends there. */
  tail(request: TailRequest, done: Done<TailAnswer>, gate: ReadGate = openGate): void {
    if (request.from <= this.source.appliedIndex) return this.answer(request, done, gate);
    // Who waits here for what will not come is late where it does come.
    if (request.wait <= 0 || this.behind(request)?.lasting === true) {
      return this.nothingYet(request, done, gate);
    }
    if (this.tails.size >= this.source.tailsMax) {
      const error = new LogError("pending-full", `${this.tails.size} tails already wait here`);
      return done(error, undefined as never);
    }
    const waiting: WaitingTail = { request, done, gate, timer: undefined };
    this.tails.add(waiting);
    if (this.mostTails.rises(this.tails.size)) this.source.tailsWait(this.tails.size);
    waiting.timer = this.source.clock.at(this.source.clock.monotonic() + request.wait, () => {
      this.tails.delete(waiting);
      this.nothingYet(request, done, gate);
    });
  }

  /** Gives up a tail that waits for its entry, by the `done` that it came with: it is answered as `cancelled`. */
  cancelTail(done: Done<TailAnswer>): void {
    for (const waiting of this.tails) {
      if (waiting.done !== done) continue;
      this.tails.delete(waiting);
      waiting.timer?.cancel();
      return done(new LogError("cancelled", "whoever asked waits no more"), undefined as never);
    }
  }

  private nothingYet(request: TailRequest, done: Done<TailAnswer>, gate: ReadGate): void {
    const behind = this.behind(request);
    if (behind !== undefined) {
      // Taken for an answer, it would keep a tail here for as long as this lasts.
      const text = `whether the log goes on at ${request.from} is not known here: ${behind.why}`;
      return done(new LogError("unavailable", text), undefined as never);
    }
    if (!request.linearizable) {
      done(undefined, { next: request.from, commitIndex: this.source.appliedIndex, entries: [] });
      return;
    }
    this.readIndex((error, index) => {
      if (error !== undefined) return done(error, undefined as never);
      if (request.from <= this.source.appliedIndex) return this.answer(request, done, gate);
      done(undefined, { next: request.from, commitIndex: index, entries: [] });
    });
  }

  /** A majority that confirms a read tells what is new, whatever the node heard. */
  private behind({ linearizable }: TailRequest): Behind | undefined {
    return linearizable ? undefined : this.source.behind();
  }

  private answer(request: TailRequest, done: Done<TailAnswer>, gate: ReadGate): void {
    const { from, entriesMax, bytesMax } = request;
    this.load(from, { last: from + entriesMax - 1, bytesMax }, gate, (error, entries) => {
      if (error !== undefined) return done(error, undefined as never);
      const commitIndex = this.source.appliedIndex;
      const found: ReadEntry[] = [];
      let next = request.from;
      for (const entry of entries) {
        if (found.length >= request.entriesMax) break;
        next = entry.index + 1;
        if (entry.kind === "data") found.push(readable(entry));
      }
      done(undefined, { next, commitIndex, entries: found });
    });
  }

  /** Everything up to `index` is applied: confirmed reads and waiting tails may go on. */
  applied(index: number): void {
    if (this.unapplied > 0) {
      for (const read of this.confirming.values()) {
        if (read.index < 0 || read.index > index) continue;
        this.unapplied -= 1;
        this.finish(read);
      }
    }
    if (this.tails.size === 0) return;
    const waitingNow = [...this.tails];
    // A set in use for long keeps what went through it in memory, as `NumberMap` tells.
    if (waitingNow.every(({ request }) => request.from <= index)) this.tails = new Set();
    for (const waiting of waitingNow) {
      if (waiting.request.from > index) continue;
      this.tails.delete(waiting);
      waiting.timer?.cancel();
      this.answer(waiting.request, waiting.done, waiting.gate);
    }
  }

  stop(): void {
    this.stopped = true;
    for (const { request } of this.confirming.values()) this.failed(request, "stopping");
    for (const waiting of this.tails) {
      waiting.timer?.cancel();
      waiting.done(new LogError("stopping", "the node is stopping"), undefined as never);
    }
    this.tails.clear();
  }
}

function readable(entry: Entry): ReadEntry {
  return { index: entry.index, term: entry.term, body: bodyOf(entry) };
}
