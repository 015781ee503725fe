import { Chunks, chunkBytes } from "./chunks.ts";
import type { Contents } from "./contents.ts";
import type { Site } from "./decisions.ts";
import { Rot, sectorBytes } from "./rot.ts";

const sectorsPerChunk = chunkBytes / sectorBytes;
const zeroSector = new Uint8Array(sectorBytes);
/** A write whose completion has not come: no sync covers it. */
const pending = Number.POSITIVE_INFINITY;
/** Called clean by a failed sync: below no mark, so no later sync covers it. */
const lost = Number.NaN;

/** Shared by all sectors without contents in between; never pushed to. */
const noContents: Sector["between"] = [];
/** Shared by all files of which everything is synced; never changed. */
const noSectors: Map<number, Sector> = new Map();
const noLengths: LaterLength[] = [];

/** A length that the disk may show after a crash. */
interface LaterLength {
  stamp: number;
  readonly length: number;
}

/** What a sector held before its latest write; any of these may be what a crash finds. */
interface Sector {
  /** What is certain to be there at least. */
  durable: Uint8Array;
  /** Later contents that were overwritten before a sync covered them, oldest first: a sync may yet make one certain. */
  between: { stamp: number; readonly writer: number; readonly bytes: Uint8Array }[];
  /** Completion of the latest write, in the disk's count; Infinity before it. */
  stamp: number;
  writer: number;
}

/**
 * The content of one file: what processes see (the page cache) and, for each sector that differs, what the disk is
 * certain to hold. Sparse: zeros that were never anything else cost nothing.
 */
export class SimFile {
  readonly id: number;
  length = 0;
  /** Grows with every change of the content. */
  version = 0;
  /** The length that the disk shows at least, and those it was given since. */
  private certainLength = 0;
  private lengths = noLengths;
  private readonly chunks: Chunks;
  private dirty = noSectors;
  private syncs = 0;
  /** Behind the last byte that was ever written other than by zeros over nothing. */
  private writtenEnd = 0;
  private rotten: Rot | undefined;
  /** What each sector held before its latest write, where that is kept for stale reads. */
  private readonly older: Map<number, Uint8Array> | undefined;

  /** @param remembers whether reads may be stale. */
  constructor(id: number, contents: Contents, remembers: boolean) {
    this.id = id;
    this.chunks = new Chunks(contents);
    this.older = remembers ? new Map() : undefined;
  }

  get dirtySectors(): number {
    return this.dirty.size;
  }

  /** Chunks that hold anything but zeros that were never anything else. */
  get chunkCount(): number {
    return this.chunks.count;
  }

  /** Those that share no bytes with other files. */
  get looseChunkCount(): number {
    return this.chunks.looseCount;
  }

  /** Behind the last byte that anything was ever written to, but zeros over nothing. */
  get end(): number {
    return this.writtenEnd;
  }

  /** What is there now of `length` bytes from `offset`. Later changes of the file do not show in it, and nobody may change it. */
  read(offset: number, length: number): Uint8Array {
    return this.chunks.view(offset, Math.max(offset, Math.min(offset + length, this.length)));
  }

  /** Whether nothing of [from, to) waits for a sync. */
  isClean(from: number, to: number): boolean {
    if (this.dirty.size === 0) return true;
    for (let n = Math.floor(from / sectorBytes); n * sectorBytes < to; n++)
      if (this.dirty.has(n)) return false;
    return true;
  }

  /** Whether a read may give what a sector held before its latest write. */
  get mayBeStale(): boolean {
    return this.older !== undefined;
  }

  /** What a sector held before its latest write; undefined when that is not known. */
  olderSector(n: number): Uint8Array | undefined {
    return this.older?.get(n);
  }

  /** Places whose content is not what was last written there. */
  rottenBytes(): readonly number[] {
    return this.rotten?.places() ?? [];
  }

  /** Changes what is on the disk behind everybody's back. The sectors are clean. */
  corrupt(offset: number, bytes: Uint8Array): void {
    const end = Math.min(offset + bytes.length, this.length);
    this.version += 1;
    if (end > this.writtenEnd) this.writtenEnd = end;
    this.rotten ??= new Rot();
    for (let position = offset; position < end; position++) {
      const chunk = this.chunks.writable(Math.floor(position / chunkBytes));
      const at = position % chunkBytes;
      const value = bytes[position - offset] as number;
      this.rotten.changed(position, chunk[at] as number, value);
      chunk[at] = value;
    }
  }

  /** Changes the page cache; `writer` names the operation until `completed`. */
  write(offset: number, parts: readonly Uint8Array[], writer: number): void {
    let position = offset;
    this.version += 1;
    for (const part of parts) {
      this.put(position, part, writer);
      position += part.length;
    }
    if (position > this.length) this.setLength(position);
  }

  /** The write of [offset, offset + length) was completed: syncs submitted from now on cover it. */
  completed(offset: number, length: number, writer: number, stamp: number): void {
    const last = Math.floor((offset + length - 1) / sectorBytes);
    for (let n = Math.floor(offset / sectorBytes); n <= last; n++) {
      const sector = this.dirty.get(n);
      if (sector !== undefined) this.sectorCompleted(sector, writer, stamp);
    }
    for (const entry of this.lengths)
      if (entry.stamp === pending && entry.length <= offset + length) entry.stamp = stamp;
  }

  truncate(length: number, writer: number, stamp: number): void {
    this.version += 1;
    if (length < this.length) {
      const first = Math.floor(length / chunkBytes);
      const last = Math.floor((this.length - 1) / chunkBytes);
      for (let n = first; n <= last; n++) {
        if (!this.chunks.has(n)) continue;
        const start = Math.max(length, n * chunkBytes);
        const end = Math.min(this.length, (n + 1) * chunkBytes);
        this.put(start, new Uint8Array(end - start), writer);
        this.completed(start, end - start, writer, stamp);
      }
    }
    if (length !== this.length) this.setLength(length);
    const newest = this.lengths[this.lengths.length - 1];
    if (newest !== undefined && newest.stamp === pending) newest.stamp = stamp;
  }

  syncBegun(): void {
    this.syncs += 1;
  }

  /** A sync of the sectors of [from, to) that was submitted when the disk's count stood at `mark` has completed. */
  syncDone(mark: number, ok: boolean, from = 0, to: number = Number.POSITIVE_INFINITY): void {
    this.syncs -= 1;
    for (const [n, sector] of this.dirty) {
      if ((n + 1) * sectorBytes <= from || n * sectorBytes >= to) continue;
      if (!ok) {
        // The kernel calls such pages clean although they are not on the disk: no later sync writes them.
        if (sector.stamp <= mark) sector.stamp = lost;
      } else if (sector.stamp <= mark) {
        this.dirty.delete(n);
        this.rotten?.settled(n);
      } else settle(sector, mark);
    }
    if (this.dirty.size === 0) this.dirty = noSectors;
    if (ok) this.settleLengths(mark);
  }

  /** The process was killed: its page cache belongs to the machine, and the next process's sync covers what it left. */
  processGone(): void {
    this.syncs = 0;
    for (const sector of this.dirty.values()) {
      // A failed sync's pages stay lost; what was under way is in the page cache.
      if (sector.stamp === pending) sector.stamp = 0;
      sector.between = noContents;
    }
    for (const entry of this.lengths) if (entry.stamp === pending) entry.stamp = 0;
  }

  /** The machine lost its power. Each un-synced sector, and the length, keeps what is certain unless `survive` says otherwise. */
  powerLoss(survive: Site, nextKey: () => number, probability: number): void {
    this.version += 1;
    for (const [n, sector] of this.dirty) {
      const contents = [sector.durable, ...sector.between.map((old) => old.bytes), this.sectorBytes(n)];
      const kept = survive.value(nextKey(), probability, contents.length - 1);
      const bytes = contents[Math.min(kept, contents.length - 1)] as Uint8Array;
      this.restore(n, bytes);
      this.rotten?.restored(n, bytes);
    }
    this.dirty = noSectors;
    this.syncs = 0;
    const { lengths } = this;
    const kept = lengths.length > 0 ? survive.value(nextKey(), probability, lengths.length) : 0;
    const length = lengths[Math.min(kept, lengths.length) - 1]?.length ?? this.certainLength;
    this.chunks.cut(length);
    this.length = length;
    this.certainLength = length;
    this.lengths = noLengths;
  }

  /** Flips one bit of what is on the disk. */
  flip(bit: number): void {
    const position = Math.floor(bit / 8);
    const [byte = 0] = this.read(position, 1);
    this.corrupt(position, Uint8Array.of(byte ^ (1 << (bit % 8))));
  }

  private settleLengths(mark: number): void {
    let certain = -1;
    this.lengths.forEach((entry, i) => {
      if (entry.stamp <= mark) certain = i;
    });
    if (certain < 0) return;
    this.certainLength = (this.lengths[certain] as LaterLength).length;
    this.lengths = certain + 1 === this.lengths.length ? noLengths : this.lengths.slice(certain + 1);
  }

  private sectorCompleted(sector: Sector, writer: number, stamp: number): void {
    if (sector.writer === writer) {
      sector.stamp = stamp;
      // Syncs to come cover this content, so what was before it matters to those under way only.
      if (this.syncs === 0) sector.between = noContents;
      return;
    }
    for (const old of sector.between) if (old.writer === writer) old.stamp = stamp;
  }

  private setLength(length: number): void {
    this.length = length;
    if (this.lengths === noLengths) this.lengths = [];
    this.lengths.push({ stamp: pending, length });
  }

  private put(offset: number, part: Uint8Array, writer: number): void {
    let at = 0;
    while (at < part.length) {
      const position = offset + at;
      const index = Math.floor(position / chunkBytes);
      const within = position % chunkBytes;
      const size = Math.min(chunkBytes - within, part.length - at);
      if (this.chunks.has(index) || !allZero(part, at, at + size)) {
        this.markDirty(position, size, writer);
        this.rotten?.overwritten(position, part.subarray(at, at + size));
        copy(part, at, this.chunks.writable(index), within, size);
        this.chunks.written(index, within, within + size);
        if (position + size > this.writtenEnd) this.writtenEnd = position + size;
      }
      at += size;
    }
  }

  private markDirty(position: number, size: number, writer: number): void {
    const last = Math.floor((position + size - 1) / sectorBytes);
    if (this.dirty === noSectors) this.dirty = new Map();
    for (let n = Math.floor(position / sectorBytes); n <= last; n++) {
      const sector = this.dirty.get(n);
      const bytes = this.sectorBytes(n);
      this.older?.set(n, bytes);
      if (sector === undefined) {
        this.dirty.set(n, { durable: bytes, between: noContents, stamp: pending, writer });
        continue;
      }
      const old = { stamp: sector.stamp, writer: sector.writer, bytes };
      if (sector.between.length === 0) sector.between = [old];
      else sector.between.push(old);
      sector.stamp = pending;
      sector.writer = writer;
    }
  }

  private sectorBytes(n: number): Uint8Array {
    // Most writes of a log go behind everything before them, so most old contents are the same zeros.
    if (n * sectorBytes >= this.writtenEnd) return zeroSector;
    return this.chunks.view(n * sectorBytes, (n + 1) * sectorBytes);
  }

  private restore(n: number, bytes: Uint8Array): void {
    this.chunks.writable(Math.floor(n / sectorsPerChunk)).set(bytes, (n % sectorsPerChunk) * sectorBytes);
  }
}

/** A sync covered an older content of the sector: from now on that is certain. */
function settle(sector: Sector, mark: number): void {
  let covered = -1;
  sector.between.forEach((old, i) => {
    if (old.stamp <= mark) covered = i;
  });
  if (covered < 0) return;
  sector.durable = (sector.between[covered] as { bytes: Uint8Array }).bytes;
  sector.between = sector.between.slice(covered + 1);
}

function copy(from: Uint8Array, start: number, to: Uint8Array, at: number, size: number): void {
  if (size < 48) for (let i = 0; i < size; i++) to[at + i] = from[start + i] as number;
  else to.set(size === from.length ? from : from.subarray(start, start + size), at);
}

function allZero(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== 0 || bytes[end - 1] !== 0) return false;
  let i = start;
  if (end - start >= 4_096) {
    while ((bytes.byteOffset + i) % 4 !== 0) if (bytes[i++] !== 0) return false;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + i, (end - i) >> 2);
    for (let w = 0; w < words.length; w++) if (words[w] !== 0) return false;
    i += words.length * 4;
  }
  for (; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}
