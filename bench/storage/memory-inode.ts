export const sectorBytes = 512;

/** @returns an integer in [0, choices). */
export type Choose = (choices: number) => number;

/** What a failed sync was to cover: the kernel calls it clean, so no later sync brings it to the platter. */
const lost = Number.POSITIVE_INFINITY;

interface Version {
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** A file's content, in the page cache and on the platter. */
export class Inode {
  cache: Uint8Array = new Uint8Array(0);
  length = 0;
  durable: Uint8Array = new Uint8Array(0);
  durableLength = 0;
  /** Contents of sectors since they were last synced, oldest first. */
  readonly sectors: Map<number, Version[]> = new Map<number, Version[]>();
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
    if (same && newest?.id !== lost) return;
    versions.push({ id, bytes: bytes.slice() });
    this.sectors.set(sector, versions);
  }

  private isDurable(bytes: Uint8Array, from: number): boolean {
    for (let at = 0; at < bytes.length; at++) if ((this.durable[from + at] ?? 0) !== bytes[at]) return false;
    return true;
  }

  /** Everything that was written up to version `id` reaches the platter, in the sectors of [from, to). */
  harden(id: number, from = 0, to: number = Number.POSITIVE_INFINITY): void {
    for (const [sector, versions] of this.sectorsIn(from, to)) {
      const covered = versions.findLastIndex((version) => version.id <= id);
      if (covered === -1) continue;
      this.store(sector, (versions[covered] as Version).bytes);
      const kept = versions.slice(covered + 1);
      if (kept.length === 0) this.sectors.delete(sector);
      else this.sectors.set(sector, kept);
    }
    for (const change of this.lengths) if (change.id <= id) this.durableLength = change.length;
    this.lengths = this.lengths.filter((change) => change.id > id);
  }

  /** A sync of what was written up to version `id` in [from, to) failed. */
  lose(id: number, from = 0, to: number = Number.POSITIVE_INFINITY): void {
    for (const [sector, versions] of this.sectorsIn(from, to)) {
      this.sectors.set(
        sector,
        versions.map((version) => (version.id <= id ? { ...version, id: lost } : version)),
      );
    }
  }

  /** Those with anything of [from, to) that was not synced. */
  private *sectorsIn(from: number, to: number): Generator<[number, Version[]]> {
    for (const [sector, versions] of this.sectors)
      if ((sector + 1) * sectorBytes > from && sector * sectorBytes < to) yield [sector, versions];
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
