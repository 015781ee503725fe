import { joined } from "#core/base/bytes";
import type { Done } from "#core/base/task";
import type { Disk, DiskFile, DiskLock } from "#core/io/disk";
import { DiskFault } from "#core/io/disk";

export const sectorBytes = 512;

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

/** @returns an integer in [0, choices). */
export type Choose = (choices: number) => number;

interface Version {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** A file's content, in the page cache and on the platter. */
class Inode {
  cache: Uint8Array = new Uint8Array(0);
  length = 0;
  durable: Uint8Array = new Uint8Array(0);
  durableLength = 0;
  /** Contents of sectors since they were last synced, oldest first. */
  readonly sectors = new Map<number, Version[]>();
  lengths: { readonly id: number; readonly length: number }[] = [];
  /** Other inodes read the same bytes: they are copied before they are changed. */
  private cacheShared = false;
  private durableShared = false;

  private ownCache(): void {
    if (this.cacheShared) this.cache = this.cache.slice();
    this.cacheShared = false;
  }

  private ownDurable(): void {
    if (this.durableShared) this.durable = this.durable.slice();
    this.durableShared = false;
  }

  /** Takes over bytes of another inode, or its own as both cache and platter. */
  private share(from: Inode, which: { readonly durableFrom: "cache" | "durable" }): void {
    this.cache = from.cache;
    this.durable = from[which.durableFrom];
    from.cacheShared = true;
    if (which.durableFrom === "durable") from.durableShared = true;
    this.cacheShared = true;
    this.durableShared = true;
  }

  /** Damage: it is in the cache and on the platter. */
  damage(offset: number, byte: number): void {
    this.ownCache();
    this.ownDurable();
    this.cache[offset] = byte;
    this.durable[offset] = byte;
  }

  copy(): Inode {
    const inode = new Inode();
    inode.share(this, { durableFrom: "durable" });
    inode.length = this.length;
    inode.durableLength = this.durableLength;
    for (const [sector, versions] of this.sectors) inode.sectors.set(sector, versions.slice());
    inode.lengths = this.lengths.slice();
    return inode;
  }

  grow(length: number): void {
    const room = Math.ceil(length / sectorBytes) * sectorBytes;
    if (this.cache.length >= room) return;
    this.cache = enlarged(this.cache, Math.max(room, this.cache.length * 2));
    this.cacheShared = false;
  }

  put(offset: number, bytes: Uint8Array, id: number): void {
    const end = offset + bytes.length;
    this.grow(end);
    this.ownCache();
    this.cache.set(bytes, offset);
    const first = Math.floor(offset / sectorBytes);
    for (let sector = first; sector * sectorBytes < end; sector++) this.note(sector, id);
    if (end > this.length) this.setLength(end, id);
  }

  setLength(length: number, id: number): void {
    this.grow(length);
    if (length < this.length) {
      this.ownCache();
      this.cache.fill(0, length, this.length);
      const first = Math.floor(length / sectorBytes);
      for (let sector = first; sector * sectorBytes < this.length; sector++) this.note(sector, id);
    }
    this.length = length;
    this.lengths.push({ id, length });
  }

  private note(sector: number, id: number): void {
    const from = sector * sectorBytes;
    const bytes = this.cache.subarray(from, from + sectorBytes);
    const versions = this.sectors.get(sector) ?? [];
    const newest = versions[versions.length - 1];
    const same = newest === undefined ? this.isDurable(bytes, from) : sameBytes(newest.bytes, bytes);
    if (same) return;
    versions.push({ id, bytes: bytes.slice() });
    this.sectors.set(sector, versions);
  }

  private isDurable(bytes: Uint8Array, from: number): boolean {
    for (let at = 0; at < bytes.length; at++) if ((this.durable[from + at] ?? 0) !== bytes[at]) return false;
    return true;
  }

  /** Everything that was written up to version `id` reaches the platter. */
  harden(id: number): void {
    for (const [sector, versions] of this.sectors) {
      const kept = versions.filter((version) => version.id > id);
      const last = versions[versions.length - kept.length - 1];
      if (last !== undefined) this.store(sector, last.bytes);
      if (kept.length === 0) this.sectors.delete(sector);
      else this.sectors.set(sector, kept);
    }
    for (const change of this.lengths) if (change.id <= id) this.durableLength = change.length;
    this.lengths = this.lengths.filter((change) => change.id > id);
  }

  private store(sector: number, bytes: Uint8Array): void {
    const end = (sector + 1) * sectorBytes;
    this.ownDurable();
    if (this.durable.length < end)
      this.durable = enlarged(this.durable, Math.max(end, this.durable.length * 2));
    this.durable.set(bytes, sector * sectorBytes);
  }

  /** The power fails: each sector keeps any of its contents, and the file any of its lengths, since the last sync. */
  crashed(choose: Choose): Inode {
    const inode = new Inode();
    const chosen = choose(this.lengths.length + 1);
    const length = chosen === 0 ? this.durableLength : (this.lengths[chosen - 1]?.length ?? 0);
    if (this.lengths.length === 0 && this.sectors.size === 0) {
      inode.share(this, { durableFrom: "cache" });
      inode.length = length;
      inode.durableLength = length;
      return inode;
    }
    inode.grow(length);
    inode.cache.set(this.durable.subarray(0, Math.min(this.durableLength, length)));
    for (const sector of [...this.sectors.keys()].sort((a, b) => a - b)) {
      const versions = this.sectors.get(sector) ?? [];
      if (sector * sectorBytes >= length) continue;
      const version = choose(versions.length + 1);
      if (version === 0) continue;
      const bytes = versions[version - 1]?.bytes ?? new Uint8Array(0);
      inode.cache.set(
        bytes.subarray(0, Math.max(0, inode.cache.length - sector * sectorBytes)),
        sector * sectorBytes,
      );
    }
    inode.cache.fill(0, length);
    inode.length = length;
    inode.share(inode, { durableFrom: "cache" });
    inode.durableLength = length;
    return inode;
  }
}

function enlarged(bytes: Uint8Array, length: number): Uint8Array {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
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

  private submit<T>(operation: DiskOperation, done: Done<T>, carryOut: () => T): void {
    this.queue.push(() => {
      this.done.push(operation);
      let value: T;
      try {
        const fault = this.fault(operation);
        if (fault !== undefined) throw fault;
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
    return {
      read: (offset, length, done) =>
        this.submit(at("read", offset, length), done, () =>
          inode.cache.slice(offset, Math.min(offset + length, inode.length)),
        ),
      write: (offset, parts, done) => {
        const bytes = parts.reduce((sum, part) => sum + part.length, 0);
        this.submit(at("write", offset, bytes), done, () => {
          if (this.usedBytes + Math.max(0, offset + bytes - inode.length) > this.capacityBytes) {
            throw new DiskFault("full", "no room");
          }
          this.version += 1;
          inode.put(offset, joined(parts), this.version);
        });
      },
      sync: (done) => {
        const submitted = this.version;
        this.submit(at("sync", 0, 0), done, () => inode.harden(submitted));
      },
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
