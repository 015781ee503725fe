import type { Done } from "../core/base/task.ts";
import type { Micros } from "../core/base/units.ts";
import type { Disk, DiskFile, DiskLock } from "../core/io/disk.ts";
import { DiskFault } from "../core/io/disk.ts";
import type { Decisions, Site } from "./decisions.ts";
import type { SimProcess } from "./process.ts";
import type { RandomStream, SeededRandom } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import { callEvent, eventKinds, turnInput } from "./scheduler.ts";
import type { FaultSettings, KnobPath } from "./settings.ts";
import { DirectoryTree } from "./sim-directory.ts";
import { SimFile } from "./sim-file.ts";

type Work = "read" | "write" | "sync";

const spans: { readonly [work in Work]: { readonly min: KnobPath; readonly max: KnobPath } } = {
  read: { min: "disk.readMin", max: "disk.readMax" },
  write: { min: "disk.writeMin", max: "disk.writeMax" },
  sync: { min: "disk.syncMin", max: "disk.syncMax" },
};

/** Bytes that a disk moves in a microsecond, on top of an operation's own time. */
const bytesPerMicro = 1_000;

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
  private readonly latency: RandomStream;
  private readonly slow: Site;
  private readonly errors: Site;
  private readonly survive: Site;
  private readonly rot: Site;
  private operations = 0;
  private powerKeys = 0;
  private restarts = 0;
  private files = 0;
  private readonly locks = new Set<string>();

  constructor(
    scheduler: Scheduler,
    host: SimProcess,
    options: {
      readonly settings: FaultSettings;
      readonly random: SeededRandom;
      readonly decisions: Decisions;
    },
  ) {
    this.scheduler = scheduler;
    this.host = host;
    this.settings = options.settings;
    this.latency = options.random.stream(`disk(${host.id})`);
    const site = (kind: string): Site =>
      options.decisions.site(kind, host.id, host.id, options.random.stream(`disk(${host.id}).${kind}`));
    this.slow = site("slow-disk-operation");
    this.errors = site("io-error");
    this.survive = site("unsynced-survives");
    this.rot = site("bit-rot");
  }

  newFile(): SimFile {
    this.files += 1;
    return new SimFile(this.files);
  }

  /**
   * Completes an operation after its time. `carryOut` runs at the completion, unless the disk fails it, and may throw a
   * DiskFault itself.
   */
  submit<T>(work: Work, bytes: number, done: Done<T>, carryOut: (failed: DiskFault | undefined) => T): void {
    const n = this.operations++;
    const failed = this.errors.chance(n, this.settings["disk.ioError"])
      ? new DiskFault("io", `${work} failed on ${this.host.id}`)
      : undefined;
    const at = this.scheduler.now + this.time(work, n, bytes);
    const { host } = this;
    this.scheduler.schedule(
      at,
      callEvent(eventKinds.disk, turnInput, host, n, () => {
        let value: T;
        try {
          value = carryOut(failed);
          if (failed !== undefined) throw failed;
        } catch (error) {
          if (!(error instanceof DiskFault)) throw error;
          done(error, undefined as T);
          return;
        }
        done(undefined, value);
      }),
    );
  }

  lock(directory: string): void {
    if (this.locks.has(directory)) throw new DiskFault("locked", `${directory} is locked`);
    this.locks.add(directory);
  }

  unlock(directory: string): void {
    this.locks.delete(directory);
  }

  /** @throws DiskFault full when the disk has no room for `more` bytes. */
  reserve(more: number): void {
    const capacity = this.settings["disk.capacityBytes"];
    if (capacity === 0 || more <= 0) return;
    let used = 0;
    for (const file of this.tree.files()) used += file.length;
    if (used + more > capacity) throw new DiskFault("full", `no room for ${more} bytes on ${this.host.id}`);
  }

  /** The process is gone; completions under way never come. After a power loss so is what was not synced. */
  processGone(how: "kill" | "power"): void {
    this.locks.clear();
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

  /** May flip one bit of one file. @returns whether it did. */
  decay(probability: number): boolean {
    const files = this.tree.files().filter((file) => file.length > 0);
    const n = this.restarts++;
    const bit = files.length === 0 ? 0 : this.rot.value(n, probability, 0xffff_ffff);
    const file = files[bit % files.length];
    if (bit === 0 || file === undefined) return false;
    file.flip(bit % (file.length * 8));
    return true;
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
    this.world.submit("sync", 0, done, (failed) => {
      if (failed === undefined) this.world.tree.make(path);
    });
  }

  list(path: string, done: Done<readonly string[]>): void {
    this.world.submit("read", 0, done, () => this.world.tree.list(path));
  }

  open(path: string, mode: "existing" | "new", done: Done<DiskFile>): void {
    const { world } = this;
    world.submit("write", 0, done, (failed) => {
      let file = world.tree.find(path);
      if (mode === "existing") {
        if (file === undefined) throw new DiskFault("missing", `no file ${path}`);
      } else if (failed === undefined) {
        file = world.newFile();
        world.tree.create(path, file).stamp = ++world.stamp;
      }
      return new OpenFile(world, file as SimFile);
    });
  }

  rename(from: string, to: string, done: Done<void>): void {
    const { world } = this;
    world.submit("write", 0, done, (failed) => {
      if (failed === undefined) world.tree.rename(from, to).stamp = ++world.stamp;
    });
  }

  remove(path: string, done: Done<void>): void {
    const { world } = this;
    world.submit("write", 0, done, (failed) => {
      if (failed === undefined) world.tree.remove(path).stamp = ++world.stamp;
    });
  }

  syncDirectory(path: string, done: Done<void>): void {
    const { world } = this;
    const mark = world.stamp;
    world.submit("sync", 0, done, (failed) => {
      if (failed === undefined) world.tree.synced(world.tree.directory(path), mark);
    });
  }

  lock(directory: string, done: Done<DiskLock>): void {
    const { world } = this;
    world.submit("write", 0, done, () => {
      world.lock(directory);
      return {
        release(released: Done<void>): void {
          world.submit("write", 0, released, () => world.unlock(directory));
        },
      };
    });
  }
}

class OpenFile implements DiskFile {
  private readonly world: DiskWorld;
  private readonly file: SimFile;

  constructor(world: DiskWorld, file: SimFile) {
    this.world = world;
    this.file = file;
  }

  read(offset: number, length: number, done: Done<Uint8Array>): void {
    this.world.submit("read", length, done, () => this.file.read(offset, length));
  }

  write(offset: number, parts: readonly Uint8Array[], done: Done<void>): void {
    const { world, file } = this;
    let length = 0;
    for (const part of parts) length += part.length;
    const n = ++world.stamp;
    const full = this.noRoom(offset + length);
    // The page cache changes at once, so a crash before the completion finds any part of the write.
    if (full === undefined && length > 0) file.write(offset, parts, n);
    world.submit("write", length, done, (failed) => {
      if (full !== undefined) throw full;
      if (failed === undefined && length > 0) file.completed(offset, length, n, ++world.stamp);
    });
  }

  sync(done: Done<void>): void {
    const { world, file } = this;
    const mark = world.stamp;
    file.syncBegun();
    world.submit("sync", 0, done, (failed) => file.syncDone(mark, failed === undefined));
  }

  truncate(length: number, done: Done<void>): void {
    const { world, file } = this;
    const full = this.noRoom(length);
    world.submit("write", 0, done, (failed) => {
      if (full !== undefined) throw full;
      if (failed !== undefined) return;
      world.stamp += 2;
      file.truncate(length, world.stamp - 1, world.stamp);
    });
  }

  size(done: Done<number>): void {
    this.world.submit("read", 0, done, () => this.file.length);
  }

  close(done: Done<void>): void {
    this.world.submit("write", 0, done, () => undefined);
  }

  private noRoom(end: number): DiskFault | undefined {
    try {
      this.world.reserve(end - this.file.length);
    } catch (error) {
      if (error instanceof DiskFault) return error;
      throw error;
    }
    return undefined;
  }
}
