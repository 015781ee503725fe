import { joined } from "#core/base/bytes";
import type { Done } from "#core/base/task";
import type { Disk, DiskFile, DiskLock } from "#core/io/disk";
import { DiskFault } from "#core/io/disk";
import type { Choose } from "./memory-inode.ts";
import { Inode } from "./memory-inode.ts";

/** One call to the disk, as fault injection and tests see it. */
export interface DiskOperation {
  readonly kind:
    | "read"
    | "write"
    | "sync"
    | "truncate"
    | "open"
    | "rename"
    | "remove"
    | "sync-directory"
    | "other";
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

/** A change of names that a directory sync makes durable. */
interface NameChange {
  readonly id: number;
  readonly directory: string;
  readonly gone: string | undefined;
  readonly set: { readonly name: string; readonly inode: Inode } | undefined;
}

function applyChange(change: NameChange, names: Map<string, Inode>): void {
  if (change.gone !== undefined) names.delete(change.gone);
  if (change.set !== undefined) names.set(change.set.name, change.set.inode);
}

/**
 * A disk for unit tests, deterministic and in memory: page cache and platter apart, by sector; names durable only after
 * a directory sync; calls queue up and are carried out one by one by `step`.
 */
export class MemoryDisk implements Disk {
  /** Bytes of all files together that the disk takes. */
  capacityBytes: number = Number.POSITIVE_INFINITY;
  /** Asked as each call is carried out; what it returns the call fails with. */
  fault: (operation: DiskOperation) => DiskFault | undefined = () => undefined;
  /** Calls that were carried out. */
  readonly done: DiskOperation[] = [];
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private nameChanges: NameChange[] = [];
  private readonly directories = new Set<string>([""]);
  private readonly queue: (() => void)[] = [];
  private version = 0;

  // ---- Tests' side

  /** Carries out the oldest call. @returns false when there is none. */
  step(): boolean {
    const next = this.queue.shift();
    if (next === undefined) return false;
    next();
    return true;
  }

  /** Carries out any one of the calls that wait, by its place in the queue. Callers have at most one call on a file under way. */
  stepAt(place: number): void {
    const [next] = this.queue.splice(place, 1);
    next?.();
  }

  /** Carries out calls until none is left. */
  run(): void {
    while (this.step());
  }

  /** Calls that were submitted and not yet carried out. */
  get waiting(): number {
    return this.queue.length;
  }

  /** A copy with the page cache as it is: what a process finds that comes after one that was killed. */
  killed(): MemoryDisk {
    const copies = new Map<Inode, Inode>();
    const copyOf = (inode: Inode): Inode => {
      const copy = copies.get(inode) ?? inode.copy();
      copies.set(inode, copy);
      return copy;
    };
    const disk = this.sibling();
    for (const [name, inode] of this.names) disk.names.set(name, copyOf(inode));
    for (const [name, inode] of this.durableNames) disk.durableNames.set(name, copyOf(inode));
    for (const { set, ...change } of this.nameChanges) {
      disk.nameChanges.push({ ...change, set: set && { name: set.name, inode: copyOf(set.inode) } });
    }
    disk.version = this.version;
    return disk;
  }

  /** A copy as it may be after a power failure: any legal subset of what was not synced is lost. */
  crashed(choose: Choose): MemoryDisk {
    const disk = this.sibling();
    const names = new Map(this.durableNames);
    for (const change of this.nameChanges) if (choose(2) === 1) applyChange(change, names);
    const inodes = new Map<Inode, Inode>();
    for (const name of [...names.keys()].sort()) {
      const inode = names.get(name) as Inode;
      const after = inodes.get(inode) ?? inode.crashed(choose);
      inodes.set(inode, after);
      disk.names.set(name, after);
      disk.durableNames.set(name, after);
    }
    return disk;
  }

  private sibling(): MemoryDisk {
    const disk = new MemoryDisk();
    disk.capacityBytes = this.capacityBytes;
    for (const directory of this.directories) disk.directories.add(directory);
    return disk;
  }

  /** Paths of all files, sorted. */
  files(): string[] {
    return [...this.names.keys()].sort();
  }

  content(path: string): Uint8Array {
    const inode = this.need(path);
    return inode.cache.slice(0, inode.length);
  }

  /** Other bytes of the same length in the same file, as a disk that misreads gives them. */
  overwrite(path: string, bytes: Uint8Array): void {
    this.need(path).cache.set(bytes);
  }

  /** Puts content in place, durable at once: damage, or files of another directory. */
  plant(path: string, bytes: Uint8Array): void {
    const inode = new Inode();
    this.version += 1;
    inode.put(0, bytes, this.version);
    inode.harden(this.version);
    this.names.set(path, inode);
    this.durableNames.set(path, inode);
  }

  flip(path: string, offset: number, mask = 1): void {
    const inode = this.need(path);
    inode.damage(offset, (inode.cache[offset] ?? 0) ^ mask);
  }

  erase(path: string): void {
    this.names.delete(path);
    this.durableNames.delete(path);
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const inode of this.names.values()) bytes += inode.length;
    return bytes;
  }

  private need(path: string): Inode {
    const inode = this.names.get(path);
    if (inode === undefined) throw new DiskFault("missing", `${path} is missing`);
    return inode;
  }

  // ---- The port

  private submit<T>(
    operation: DiskOperation,
    done: Done<T>,
    carryOut: () => T,
    failed: () => void = () => undefined,
  ): void {
    this.queue.push(() => {
      this.done.push(operation);
      let value: T;
      try {
        const fault = this.fault(operation);
        if (fault !== undefined) {
          failed();
          throw fault;
        }
        value = carryOut();
      } catch (error) {
        if (!(error instanceof DiskFault)) throw error;
        done(error, undefined as never);
        return;
      }
      done(undefined, value);
    });
  }

  private call<T>(kind: DiskOperation["kind"], path: string, done: Done<T>, carryOut: () => T): void {
    this.submit({ kind, path, offset: 0, bytes: 0 }, done, carryOut);
  }

  makeDirectory(path: string, done: Done<void>): void {
    this.call("other", path, done, () => {
      this.directories.add(path);
    });
  }

  list(path: string, done: Done<readonly string[]>): void {
    this.call("other", path, done, () => {
      if (!this.directories.has(path)) throw new DiskFault("missing", `${path} is missing`);
      const prefix = `${path}/`;
      return this.files()
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length));
    });
  }

  private change(path: string, gone: string | undefined, set: NameChange["set"]): void {
    this.version += 1;
    const change = { id: this.version, directory: directoryOf(path), gone, set };
    applyChange(change, this.names);
    this.nameChanges.push(change);
  }

  open(path: string, mode: "existing" | "new", done: Done<DiskFile>): void {
    this.call("open", path, done, () => {
      const known = this.names.get(path);
      if (mode === "existing") return this.fileOf(path, this.need(path));
      if (known !== undefined) throw new DiskFault("exists", `${path} exists`);
      const inode = new Inode();
      this.change(path, undefined, { name: path, inode });
      return this.fileOf(path, inode);
    });
  }

  rename(from: string, to: string, done: Done<void>): void {
    this.call("rename", from, done, () => {
      const inode = this.need(from);
      this.change(to, from, { name: to, inode });
    });
  }

  remove(path: string, done: Done<void>): void {
    this.call("remove", path, done, () => {
      this.need(path);
      this.change(path, path, undefined);
    });
  }

  syncDirectory(path: string, done: Done<void>): void {
    const submitted = this.version;
    this.call("sync-directory", path, done, () => {
      const covered = (change: NameChange): boolean => change.directory === path && change.id <= submitted;
      for (const change of this.nameChanges) if (covered(change)) applyChange(change, this.durableNames);
      this.nameChanges = this.nameChanges.filter((change) => !covered(change));
    });
  }

  lock(directory: string, done: Done<DiskLock>): void {
    this.call("other", directory, done, () => ({ release: (released) => released(undefined, undefined) }));
  }

  private fileOf(path: string, inode: Inode): DiskFile {
    let closed = false;
    const at = (kind: DiskOperation["kind"], offset: number, bytes: number): DiskOperation => {
      if (closed) throw new Error(`${path} is used after it was closed`);
      return { kind, path, offset, bytes };
    };
    const write = (offset: number, parts: readonly Uint8Array[], done: Done<void>): void => {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      this.submit(at("write", offset, bytes), done, () => {
        if (this.usedBytes + Math.max(0, offset + bytes - inode.length) > this.capacityBytes) {
          throw new DiskFault("full", "no room");
        }
        this.version += 1;
        inode.put(offset, joined(parts), this.version);
      });
    };
    /** Of a whole file with 0 bytes. */
    const syncRange = (submitted: number, offset: number, bytes: number, done: Done<void>): void => {
      const end = bytes === 0 ? Number.POSITIVE_INFINITY : offset + bytes;
      this.submit(
        at("sync", offset, bytes),
        done,
        () => inode.harden(submitted, offset, end),
        () => inode.lose(submitted, offset, end),
      );
    };
    return {
      read: (offset, length, done) =>
        this.submit(at("read", offset, length), done, () =>
          inode.cache.slice(offset, Math.min(offset + length, inode.length)),
        ),
      write,
      // Two steps, so that a crash comes between them too.
      writeSynced: (offset, parts, done) =>
        write(offset, parts, (error) => {
          if (error !== undefined) return done(error, undefined);
          const submitted = this.version;
          const bytes = parts.reduce((sum, part) => sum + part.length, 0);
          syncRange(submitted, offset, bytes, done);
        }),
      sync: (done) => syncRange(this.version, 0, 0, done),
      truncate: (length, done) =>
        this.submit(at("truncate", length, 0), done, () => {
          this.version += 1;
          inode.setLength(length, this.version);
        }),
      size: (done) => this.submit(at("other", 0, 0), done, () => inode.length),
      close: (done) => {
        this.submit(at("other", 0, 0), done, () => undefined);
        closed = true;
      },
    };
  }
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
