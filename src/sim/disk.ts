import { joined } from "../core/base/bytes.ts";
import type { Done } from "../core/base/task.ts";
import type { Micros } from "../core/base/units.ts";
import type { Disk, DiskFile, DiskLock } from "../core/io/disk.ts";
import { DiskFault } from "../core/io/disk.ts";
import type { Contents } from "./contents.ts";
import type { Decisions, Site } from "./decisions.ts";
import { OpenFile } from "./open-file.ts";
import type { SimProcess } from "./process.ts";
import type { RandomStream, SeededRandom } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import { callEvent, eventKinds, turnInput } from "./scheduler.ts";
import type { FaultSettings, KnobPath } from "./settings.ts";
import { DirectoryTree } from "./sim-directory.ts";
import { SimFile } from "./sim-file.ts";
import type { TraceSink } from "./trace-sink.ts";

export type Work = "read" | "write" | "sync";

/** A write, in case that it went astray. */
export interface Stray {
  /** The write's number. */
  readonly n: number;
  readonly at: Micros;
  readonly file: SimFile;
  readonly offset: number;
  readonly before: Uint8Array;
  readonly content: Uint8Array;
}

/** Who may make what the disk reads and writes something else than it should be. */
export interface DiskHarm {
  /** May put older content, or that of another place, into what read number `n` gives. */
  read(disk: DiskWorld, file: SimFile, offset: number, bytes: Uint8Array, n: number): void;
  written(disk: DiskWorld, stray: Stray): void;
  /** A write is about to change a file here: what was not given back of it is gone. */
  overwritten(file: SimFile, offset: number, length: number): void;
  /** Whether some of this file is not given back now. */
  hides(file: SimFile): boolean;
}

const spans: { readonly [work in Work]: { readonly min: KnobPath; readonly max: KnobPath } } = {
  read: { min: "disk.readMin", max: "disk.readMax" },
  write: { min: "disk.writeMin", max: "disk.writeMax" },
  sync: { min: "disk.syncMin", max: "disk.syncMax" },
};

const errorKnobs: { readonly [work in Work]: KnobPath } = {
  read: "disk.readError",
  write: "disk.writeError",
  sync: "disk.syncError",
};

/** Bytes that a disk moves in a microsecond, on top of an operation's own time. */
const bytesPerMicro = 1_000;
/** Larger writes make new segments, all zeros: where those land nobody would see. */
const strayBytesMax = 48 * 1_024;

/** One node's disk: it outlives the lives of its process. */
export class DiskWorld {
  readonly scheduler: Scheduler;
  readonly host: SimProcess;
  readonly tree: DirectoryTree = new DirectoryTree();
  /** Operations take this many times as long. */
  slowness = 1;
  /** Counts completions; a sync covers what was completed when it was submitted. */
  stamp = 0;
  private readonly settings: FaultSettings;
  readonly contents: Contents;
  private readonly latency: RandomStream;
  private readonly slow: Site;
  /** Faults of every kind of operation, and of one. */
  private readonly errors: Site;
  private readonly errorsOf: { readonly [work in Work]: Site };
  private readonly stall: Site;
  private readonly survive: Site;
  private filledTo = Number.POSITIVE_INFINITY;
  readonly trace: TraceSink;
  /** Told of every file that is about to be made. */
  onNewFile: ((path: string) => void) | undefined;
  /** Told of every write in place of something that was written before. */
  onOverwrite: ((path: string) => void) | undefined;
  /** Set by whoever is to harm what the disk holds. */
  harm: DiskHarm | undefined;
  /** Work that fails the next time that it is asked for, by order. */
  failNext: Work | undefined;
  /** The file whose next sync fails, by order. */
  failSyncOf: string | undefined;
  /** No read succeeds any more, until the process is started anew. */
  readsFail = false;
  private stalledUntil: Micros = 0;
  private reads = 0;
  private writes = 0;
  private operations = 0;
  private powerKeys = 0;
  private files = 0;
  private readonly locks = new Set<string>();

  constructor(
    scheduler: Scheduler,
    host: SimProcess,
    options: {
      readonly settings: FaultSettings;
      readonly random: SeededRandom;
      readonly decisions: Decisions;
      readonly trace: TraceSink;
      readonly contents: Contents;
    },
  ) {
    this.scheduler = scheduler;
    this.host = host;
    this.settings = options.settings;
    this.contents = options.contents;
    this.latency = options.random.stream(`disk(${host.id})`);
    const site = (kind: string): Site =>
      options.decisions.site(kind, host.id, host.id, options.random.stream(`disk(${host.id}).${kind}`));
    this.slow = site("slow-disk-operation");
    this.errors = site("io-error");
    this.errorsOf = { read: site("read-error"), write: site("write-error"), sync: site("sync-error") };
    this.stall = site("stalled-disk");
    this.survive = site("unsynced-survives");
    this.trace = options.trace;
  }

  newFile(): SimFile {
    this.files += 1;
    return new SimFile(this.files, this.contents, this.settings["disk.staleRead"] > 0);
  }

  /**
   * Completes an operation after its time. `carryOut` runs at the completion, unless the disk fails it, and may throw a
   * DiskFault itself. A failure of the disk is told to the trace when the process hears of it.
   */
  submit<T>(
    work: Work,
    on: { readonly path: string; readonly bytes: number; readonly sound?: boolean },
    done: Done<T>,
    carryOut: (failed: DiskFault | undefined) => T,
  ): void {
    const n = this.operations++;
    const { path } = on;
    const failed =
      on.sound !== true && this.fails(work, n, path)
        ? new DiskFault("io", `${work} of ${path} failed on ${this.host.id}`)
        : undefined;
    const stall = this.stall.value(n, this.settings["disk.stall"], this.settings["disk.stallMax"]);
    if (stall > 0) this.stalledUntil = Math.max(this.stalledUntil, this.scheduler.now + stall);
    const at = Math.max(this.scheduler.now, this.stalledUntil) + this.time(work, n, on.bytes);
    const { host } = this;
    this.scheduler.schedule(
      at,
      callEvent(eventKinds.disk, turnInput, host, n, () => {
        if (failed !== undefined) this.trace.fault(host.id, "io-failed", `${work} ${path}`);
        let value: T;
        try {
          value = carryOut(failed);
          if (failed !== undefined) throw failed;
        } catch (error) {
          if (!(error instanceof DiskFault)) throw error;
          // What the trace told is what the process hears, on a full disk too.
          done(failed ?? error, undefined as T);
          return;
        }
        done(undefined, value);
      }),
    );
  }

  private fails(work: Work, n: number, path: string): boolean {
    const { settings } = this;
    const named = work === "sync" && this.failSyncOf === path;
    const ordered = this.failNext === work || named || (work === "read" && this.readsFail);
    if (named) this.failSyncOf = undefined;
    else if (this.failNext === work) this.failNext = undefined;
    const any = this.errors.chance(n, settings["disk.ioError"]);
    return this.errorsOf[work].chance(n, settings[errorKnobs[work]]) || any || ordered;
  }

  /** Whatever stands still goes on. */
  recover(): void {
    this.stalledUntil = 0;
    this.failNext = undefined;
    this.failSyncOf = undefined;
    this.readsFail = false;
  }

  /** What a read gives: where chance says so, in places something stale or misplaced. */
  readBack(file: SimFile, offset: number, length: number): Uint8Array {
    const bytes = file.read(offset, length);
    if (this.harm === undefined) return bytes;
    const misread = file.mayBeStale || this.settings["disk.misdirectedRead"] > 0;
    const mayBeHarmed = misread || this.harm.hides(file);
    const harmed = mayBeHarmed ? bytes.slice() : bytes;
    this.harm.read(this, file, offset, harmed, this.reads++);
    return harmed;
  }

  /** A write is about to change a file. */
  writing(file: SimFile, offset: number, parts: readonly Uint8Array[], length: number): void {
    const n = this.writes++;
    if (this.harm === undefined) return;
    this.harm.overwritten(file, offset, length);
    if (this.settings["disk.misdirectedWrite"] <= 0 || length > strayBytesMax) return;
    const content = joined(parts);
    const before = new Uint8Array(length);
    before.set(file.read(offset, length));
    this.harm.written(this, { n, at: this.scheduler.now, file, offset, before, content });
  }

  lock(directory: string): void {
    if (this.locks.has(directory)) throw new DiskFault("locked", `${directory} is locked`);
    this.locks.add(directory);
  }

  unlock(directory: string): void {
    this.locks.delete(directory);
  }

  /** Somebody else fills the disk up to so many bytes of room; Infinity gives all of it back. */
  fill(room: number): void {
    this.filledTo = room === Number.POSITIVE_INFINITY ? room : this.used + room;
  }

  private get used(): number {
    let used = 0;
    for (const file of this.tree.files()) used += file.length;
    return used;
  }

  /** @throws DiskFault full when the disk has no room for `more` bytes. */
  reserve(more: number): void {
    const setting = this.settings["disk.capacityBytes"];
    const capacity = Math.min(this.filledTo, setting === 0 ? Number.POSITIVE_INFINITY : setting);
    if (capacity === Number.POSITIVE_INFINITY || more <= 0) return;
    if (this.used + more > capacity)
      throw new DiskFault("full", `no room for ${more} bytes on ${this.host.id}`);
  }

  /** The process is gone; completions under way never come. After a power loss so is what was not synced. */
  processGone(how: "kill" | "power"): void {
    this.locks.clear();
    this.readsFail = false;
    if (how === "kill") {
      this.tree.processGone();
      for (const file of this.tree.files()) file.processGone();
      return;
    }
    const probability = this.settings["disk.survive"];
    const nextKey = (): number => this.powerKeys++;
    this.tree.powerLoss(this.survive, nextKey, probability);
    for (const file of this.tree.files()) file.powerLoss(this.survive, nextKey, probability);
  }

  /** Flips a bit of some file, whatever comes of it. @returns whether there was one. */
  flipAnywhere(value: number): boolean {
    const files = this.tree.files().filter((file) => file.length > 0);
    const file = files[value % Math.max(1, files.length)];
    file?.flip(value % (file.length * 8));
    return file !== undefined;
  }

  private time(work: Work, n: number, bytes: number): Micros {
    const { settings } = this;
    const { min, max } = spans[work];
    const ordinary =
      this.latency.between(n, settings[min], settings[max]) + Math.floor(bytes / bytesPerMicro);
    // Not both at once: an operation of many seconds would outlast the healing of all faults.
    return ordinary * this.slowness + this.slow.value(n, settings["disk.slow"], settings["disk.slowMax"]);
  }
}

/** The disk port of one node for one life. */
export class SimDisk implements Disk {
  private readonly world: DiskWorld;

  constructor(world: DiskWorld) {
    this.world = world;
  }

  makeDirectory(path: string, done: Done<void>): void {
    this.world.submit("sync", { path, bytes: 0 }, done, (failed) => {
      if (failed === undefined) this.world.tree.make(path);
    });
  }

  list(path: string, done: Done<readonly string[]>): void {
    this.world.submit("read", { path, bytes: 0 }, done, () => this.world.tree.list(path));
  }

  open(path: string, mode: "existing" | "new", done: Done<DiskFile>): void {
    const { world } = this;
    if (mode === "new") world.onNewFile?.(path);
    world.submit("write", { path, bytes: 0 }, done, (failed) => {
      let file = world.tree.find(path);
      if (mode === "existing") {
        if (file === undefined) throw new DiskFault("missing", `no file ${path}`);
      } else if (failed === undefined) {
        file = world.newFile();
        world.tree.create(path, file).stamp = ++world.stamp;
      }
      return new OpenFile(world, file as SimFile, path);
    });
  }

  rename(from: string, to: string, done: Done<void>): void {
    const { world } = this;
    world.submit("write", { path: to, bytes: 0 }, done, (failed) => {
      if (failed === undefined) world.tree.rename(from, to).stamp = ++world.stamp;
    });
  }

  remove(path: string, done: Done<void>): void {
    const { world } = this;
    world.submit("write", { path, bytes: 0 }, done, (failed) => {
      if (failed === undefined) world.tree.remove(path).stamp = ++world.stamp;
    });
  }

  syncDirectory(path: string, done: Done<void>): void {
    const { world } = this;
    const mark = world.stamp;
    world.submit("sync", { path, bytes: 0 }, done, (failed) => {
      if (failed === undefined) world.tree.synced(world.tree.directory(path), mark);
    });
  }

  lock(directory: string, done: Done<DiskLock>): void {
    const { world } = this;
    world.submit("write", { path: directory, bytes: 0 }, done, () => {
      world.lock(directory);
      return {
        release(released: Done<void>): void {
          world.submit("write", { path: directory, bytes: 0 }, released, () => world.unlock(directory));
        },
      };
    });
  }
}
