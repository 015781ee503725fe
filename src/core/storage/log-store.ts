import { assert } from "../base/assert.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { Done, Task } from "../base/task.ts";
import { runTask } from "../base/task.ts";
import type { Disk } from "../io/disk.ts";
import { DiskFault, isFull } from "../io/disk.ts";
import type { Damage, HoleEnds } from "./damage.ts";
import type { Identity } from "./identity.ts";
import { writeIdentity } from "./identity.ts";
import type { ReadLimit, ReadResult } from "./log-reader.ts";
import type { Mending } from "./log-writer.ts";
import { LogWriter } from "./log-writer.ts";
import type { Meta } from "./meta.ts";
import type { MetaFile } from "./meta-file.ts";
import type { OpenedLog } from "./open-log.ts";
import { closeOpened, openFault, openLog } from "./open-log.ts";
import type { StoreOptions } from "./options.ts";
import { checkStoreOptions } from "./options.ts";
import type { Expected } from "./read-queue.ts";
import { ReadQueue } from "./read-queue.ts";
import type { TermRun } from "./recovery.ts";
import { isStopping, Spare } from "./spare.ts";

export type { Damage, HoleEnds, Identity, Meta, StoreOptions, TermRun };

/** What the store tells. Each call is a turn of its own, never made inside a call of the store. */
export interface StoreEvents {
  /** The log as it is now is durable up to `index`. */
  synced(index: number): void;
  /** Once for each `saveMeta`, in order. */
  saved(): void;
  /** A write or a sync failed: nothing is acknowledged from here on. Told once. */
  failed(error: DiskFault, operation: string): void;
  /** What `space()` tells has changed for a reason of the disk's. */
  spaceChanged?(): void;
  /** A record was met that cannot be read any more: `damage()` has grown. */
  damaged?(damage: Damage): void;
}

/** What a directory gave back. All of it is durable. */
export interface Recovered {
  /** Undefined when the directory was empty; `store.identity` is the one that it got. */
  readonly identity: Identity | undefined;
  readonly meta: Meta;
  readonly end: LogEnd;
  readonly terms: TermRun[];
  /** Bytes of a torn tail that were cut. */
  readonly tornBytes: number;
  readonly damage: readonly Damage[];
}

export interface Opened {
  readonly store: LogStore;
  readonly recovered: Recovered;
}

/** Opens a log's directory, or makes it, and recovers what is in it. */
export function openStore(
  disk: Disk,
  options: StoreOptions,
  newIdentity: () => Identity,
  events: StoreEvents,
  done: Done<Opened>,
): void {
  checkStoreOptions(options);
  let store: LogStore | undefined;
  // The second slot of a cut that recovery made is written in the background: its failure may come before there is a store.
  let early: Error | undefined;
  const metaFailed = (error: Error, operation: string): void => {
    early ??= error;
    store?.fail(error, operation);
  };
  runTask(openLog(disk, options, newIdentity, metaFailed), (error, opened) => {
    if (error !== undefined || opened === undefined) return done(openFault(error), undefined as never);
    if (early !== undefined) {
      const failed = openFault(early);
      return runTask(closeOpened(opened), () => done(failed, undefined as never));
    }
    store = new LogStore(opened, options, events);
    const { scan, meta, files, created } = opened;
    done(undefined, {
      store,
      recovered: {
        identity: created ? undefined : files.identity,
        meta: meta.record.meta,
        end: scan.end,
        terms: scan.terms,
        tornBytes: scan.tornBytes,
        damage: scan.holes.ranges,
      },
    });
  });
}

/** Operations that may wait for the writer; appends that follow each other are one. */
const operationsMax = 16_384;

type Writing =
  | { readonly kind: "append"; readonly entries: Entry[] }
  | { readonly kind: "truncate"; readonly from: number; readonly before: LogEnd | undefined }
  /** A cut of `last`, or before, that waits or is asked for meanwhile, makes it stale. */
  | (Mending & { readonly kind: "mend"; readonly last: number; readonly done: Done<boolean>; stale: boolean })
  | { readonly kind: "mark" };

type Operation = Writing | { readonly kind: "close"; readonly done: () => void };

/** One write-ahead log: records in segments, term and vote in the meta file, an identity. One writer, first come first served. */
export class LogStore {
  private readonly options: StoreOptions;
  private readonly events: StoreEvents;
  private readonly meta: MetaFile;
  private readonly spare: Spare;
  private readonly writer: LogWriter;
  private readonly reads: ReadQueue;
  private readonly queue: Operation[] = [];
  /** The operation under way. */
  private current: Operation | undefined;
  /** The log's last index once everything that waits is done. */
  private lastIndex: number;
  private durable: number;
  private state: "open" | "failed" | "closed" = "open";
  /** From here on the disk of a failed log holds what should have been cut. */
  private uncutFrom = Number.POSITIVE_INFINITY;
  private identitySaves = 0;
  private closing = false;

  constructor(opened: OpenedLog, options: StoreOptions, events: StoreEvents) {
    this.options = options;
    this.events = events;
    this.meta = opened.meta;
    this.spare = new Spare(opened, options.reserveBytes, {
      changed: () => this.spareChanged(),
      failed: (error, operation) => this.fail(error, operation),
    });
    this.writer = new LogWriter(opened, options, this.spare, (hole) => {
      events.damaged?.({ first: hole.before.index + 1, last: hole.after.index });
    });
    this.reads = new ReadQueue(this.writer, () => this.expected);
    this.lastIndex = opened.scan.end.index;
    this.durable = this.lastIndex;
    this.spare.make();
  }

  get identity(): Identity {
    return this.writer.files.identity;
  }

  /** The end of the log on the disk: of the operations that are done. */
  get end(): LogEnd {
    return this.writer.end;
  }

  /** The highest index that is synced and not about to be cut. */
  get durableIndex(): number {
    return this.durable;
  }

  damage(): readonly Damage[] {
    return this.writer.holes.ranges;
  }

  /** The ends of the log before and behind the first damaged range. */
  hole(): HoleEnds | undefined {
    return this.writer.holes.all[0];
  }

  /**
   * Room for records. As long as the disk takes segments there is no bound; on a full one, what is written ahead less
   * the reserve.
   */
  space(): { readonly clientBytes: number; readonly reserveBytes: number } {
    const { reserveBytes } = this.options;
    if (!this.spare.full) return { clientBytes: Number.MAX_SAFE_INTEGER, reserveBytes };
    const room = this.writer.room + this.spare.bytes;
    return { clientBytes: Math.max(0, room - reserveBytes), reserveBytes: Math.min(room, reserveBytes) };
  }

  // ---- Meta and identity

  saveMeta(meta: Meta): void {
    if (this.state !== "open") return;
    this.meta.save(meta, (error) => {
      if (error === undefined && this.state === "open") this.events.saved();
    });
  }

  /** Replaces the identity file; a crash leaves the old one or the new one. One call at a time. */
  saveIdentity(identity: Identity, done: Done<void>): void {
    const { files } = this.writer;
    assert(identity.incarnation === files.identity.incarnation, "a directory keeps its incarnation");
    assert(this.identitySaves === 0, "one identity is saved at a time");
    if (this.state !== "open") return;
    this.identitySaves += 1;
    runTask(writeIdentity(files.disk, files.directory, identity), (error) => {
      this.identitySaves -= 1;
      if (error === undefined) files.identity = identity;
      // A full disk refused it, and the old file is as it was.
      else if (!isFull(error)) this.fail(error, "write identity");
      done(error, undefined);
      this.next();
    });
  }

  // ---- The queue

  append(entries: readonly Entry[]): void {
    const last = entries[entries.length - 1];
    if (last === undefined || this.state !== "open") return;
    assert(entries[0]?.index === this.lastIndex + 1, "entries are appended at the end of the log");
    this.lastIndex = last.index;
    const waiting = this.queue[this.queue.length - 1];
    if (waiting?.kind === "append") for (const entry of entries) waiting.entries.push(entry);
    else this.queue.push({ kind: "append", entries: entries.slice() });
    this.next();
  }

  /**
   * Cuts `from` and everything behind it, after what waits already.
   * @param before the log's end before `from`; needed only when that record is damaged, where the disk cannot tell it.
   */
  truncate(from: number, before?: LogEnd): void {
    if (this.state !== "open") return;
    assert(from >= 0 && from <= this.lastIndex + 1, "a log is cut within its entries");
    this.lastIndex = from - 1;
    this.durable = Math.min(this.durable, from - 1);
    // The caller took the damaged records before the cut for its leader's: a peer's copies of those that were there come too late.
    for (const waiting of this.queue) {
      if (waiting.kind === "mend" && from <= waiting.last) waiting.stale = true;
    }
    this.queue.push({ kind: "truncate", from, before });
    this.next();
  }

  /**
   * Puts a peer's copies in place of damaged records. They cover one range of `damage()` whole, or are one piece of the first
   * range: its first, or the one behind the last. A piece proves nothing by itself, so `upTo` must be its end in copies that
   * chained through the whole range. `done` tells false when they do not chain, or a cut into the range is not done yet.
   */
  mend(entries: readonly Entry[], done: Done<boolean>, upTo?: LogEnd): void {
    if (this.state !== "open") return;
    const through = this.hole()?.after;
    const last = Math.max(through?.index ?? -1, entries[entries.length - 1]?.index ?? -1);
    this.queue.push({ kind: "mend", entries, upTo, through, last, stale: this.cutFrom <= last, done });
    this.next();
  }

  /**
   * For a timer of the driver's, soon after the last append: an idle log writes a mark, so that what it synced can be
   * told from a torn tail.
   */
  markIdle(): void {
    if (this.state !== "open") return;
    if (this.current === undefined && this.queue.length === 0) {
      this.queue.push({ kind: "mark" });
      this.next();
    }
  }

  /** Looks again for room on a disk that was full; `spaceChanged` follows. */
  lookForRoom(): void {
    if (this.state === "open") this.spare.look();
  }

  /** Finishes what waits, leaves a mark and closes the files. Nothing may be called afterwards. */
  close(done: () => void): void {
    if (this.state === "open") this.queue.push({ kind: "mark" });
    this.queue.push({ kind: "close", done });
    this.closing = true;
    this.spareChanged();
    this.next();
  }

  private spareChanged(): void {
    // An append that waits for room on a full disk would keep the log from ever being closed.
    if (this.closing && this.spare.full) this.spare.giveUp();
    else if (!this.closing) this.events.spaceChanged?.();
  }

  private next(): void {
    assert(this.queue.length <= operationsMax, "the caller bounds what waits for the disk");
    if (this.current !== undefined) return;
    const operation = this.queue[0];
    if (operation === undefined) return;
    this.current = operation;
    if (operation.kind === "close") return this.beginClose(operation.done);
    if (operation.kind === "truncate" || operation.kind === "mend")
      this.reads.whenAlone(() => this.run(operation));
    else this.run(operation);
  }

  private run(operation: Writing): void {
    runTask(this.carryOut(operation), (error, result) => {
      this.current = undefined;
      this.reads.aloneDone();
      if (error !== undefined) this.fail(error, operation.kind);
      else this.carriedOut(operation, result as number | boolean);
      this.reads.resume();
      this.next();
    });
  }

  /** @returns how many entries were written, or whether records were mended. */
  private *carryOut(operation: Writing): Task<number | boolean> {
    switch (operation.kind) {
      case "append":
        return yield* this.writer.append(operation.entries);
      case "mend":
        return yield* this.writer.mend(operation);
      case "truncate":
        yield* this.writer.truncate(operation.from, operation.before);
        return true;
      case "mark":
        yield* this.writer.mark();
        return true;
    }
  }

  private carriedOut(operation: Writing, result: number | boolean): void {
    // A failure meanwhile has answered everything already.
    if (this.queue[0] !== operation) return;
    if (operation.kind === "append") operation.entries.splice(0, Number(result));
    if (operation.kind !== "append" || operation.entries.length === 0) this.queue.shift();
    if (operation.kind === "append") this.tellSynced();
    if (operation.kind === "mend") operation.done(undefined, Boolean(result));
  }

  /** What readers may expect: entries up to `last` are there, or will be. */
  private get expected(): Expected {
    // Within the damage that a waiting cut goes through the disk may still give what the leader's records are to replace.
    const cutFrom = this.writer.holes.frontOf(this.cutFrom);
    const last = this.state === "open" ? this.lastIndex : Math.min(this.writer.end.index, cutFrom - 1);
    return { last, cutFrom };
  }

  /** The first index that a waiting cut takes away, or one that a failure kept away; Infinity when there is none. */
  private get cutFrom(): number {
    let from = this.uncutFrom;
    for (const waiting of this.queue) {
      if (waiting.kind === "truncate") from = Math.min(from, waiting.from);
    }
    return from;
  }

  /** Entries that are about to be cut are not reported, though they are synced. */
  private tellSynced(): void {
    const index = Math.min(this.writer.end.index, this.cutFrom - 1);
    if (index <= this.durable || this.state !== "open") return;
    this.durable = index;
    this.events.synced(index);
  }

  // ---- Read

  /**
   * Reads entries from the disk, verified, from `first` up to the limit, none beyond the end. Entries that are still
   * being written are waited for.
   */
  read(first: number, limit: ReadLimit, done: Done<ReadResult>): void {
    assert(this.state !== "closed", "a closed log is not read");
    this.reads.read(first, limit, done);
  }

  // ---- The end

  /** Nothing is acknowledged after a failed write or sync: what is on the disk is not known any more. */
  fail(error: Error, operation: string): void {
    // A bug is no fault of the disk: it goes on up.
    if (!(error instanceof DiskFault) && !(error instanceof LogError)) throw error;
    if (this.state !== "open") return;
    this.state = "failed";
    this.uncutFrom = this.cutFrom;
    const waiting = this.queue.splice(0);
    // A log that is being closed leaves its mark, whatever was still waiting for room.
    const stopping = isStopping(error);
    for (const left of waiting)
      if (left.kind === "close" || (stopping && left.kind === "mark")) this.queue.push(left);
    for (const left of waiting) if (left.kind === "mend") left.done(stopping ? undefined : error, false);
    // An append that gave up waiting for room because the log is being closed is no failure.
    if (stopping) return;
    const fault = error instanceof DiskFault ? error : new DiskFault("io", error.message, error);
    this.events.failed(fault, operation);
  }

  private beginClose(done: () => void): void {
    this.reads.whenAlone(() => {
      // A segment that is half written ahead is not worth the wait.
      this.spare.giveUp();
      this.meta.whenIdle(() => this.spare.whenIdle(() => runTask(this.closeAll(), () => done())));
    });
  }

  private *closeAll(): Task<void> {
    this.state = "closed";
    yield* closeOpened({ spare: this.spare.stop(), meta: this.meta, files: this.writer.files });
    this.reads.giveUp();
  }
}
