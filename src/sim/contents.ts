import { crcStart, crcUpdate } from "../core/base/crc32c.ts";

/** Chunks that stay as they are, over all disks of a run; of those made before, equal pieces are kept once. */
const looseMax = 512;
const pieceBytesMin = 512;
const pieceBytesMax = 16 * 1_024;
/** A piece ends where this many bits of the hash are set: on average 4 KiB behind its least size. */
const cutBits = 12;
const slabBytes = 1_024 * 1_024;

/** A position and a length in one number, as lists keep them; position 0 stands for zeros, which are not stored. */
const lengthRange = 65_536;
const listsPerSlab = 32_768;

/** What may be kept as pieces once it has not been touched for long. */
export interface Loose {
  pack(): void;
}

/**
 * Every node writes the same records, so over a long run the disks of a group hold the same bytes several times, each
 * between headers of its own. Here they are kept once: content is cut into pieces where the content itself says so,
 * hence at the same places wherever it stands, and equal pieces share their bytes. What was stored is not given back.
 */
export class Contents {
  private readonly slabs: Uint8Array[] = [];
  /** Where the next piece goes. */
  private end = 0;
  private index = new PieceIndex(256);
  private readonly lists: Float64Array[] = [];
  private listEnd = 0;
  private loose: Loose[] = [];
  private oldest = 0;

  /** What is kept of pieces, in bytes. */
  get storedBytes(): number {
    return this.slabs.length * slabBytes;
  }

  /** `loose` was made or changed; when that was long ago it is asked to pack itself. */
  touched(loose: Loose): void {
    this.loose.push(loose);
    if (this.loose.length - this.oldest <= looseMax) return;
    this.loose[this.oldest]?.pack();
    this.oldest += 1;
    if (this.oldest < looseMax) return;
    this.loose = this.loose.slice(this.oldest);
    this.oldest = 0;
  }

  /**
   * Keeps a chunk, which is one byte at least and 64 KiB at most, as pieces.
   * @param seams offsets at which something begins or ends that may stand elsewhere too.
   * @returns what `copy` needs to find them.
   */
  store(bytes: Uint8Array, seams: readonly number[]): number {
    const values: number[] = [];
    let at = 0;
    for (const seam of [...seams, bytes.length].sort((a, b) => a - b)) {
      while (at < seam) {
        const zeros = zerosAt(bytes, at, seam);
        const end = zeros > 0 ? at + zeros : cutBehind(bytes, at, seam);
        const position = zeros > 0 ? 0 : this.position(bytes, at, end);
        values.push(position * lengthRange + end - at - 1);
        at = end;
      }
    }
    return this.keep(values);
  }

  /** Copies `size` bytes from `offset` of what `store` kept, over zeros. */
  copy(list: number, offset: number, to: Uint8Array, at: number, size: number): void {
    const values = this.lists[Math.floor(list / listsPerSlab)] as Float64Array;
    let behind = 0;
    for (let n = list % listsPerSlab; behind < offset + size; n++) {
      const value = values[n] as number;
      const start = behind;
      behind += (value % lengthRange) + 1;
      const position = Math.floor(value / lengthRange);
      if (behind <= offset || position === 0) continue;
      const from = Math.max(start, offset);
      const slab = this.slabs[Math.floor(position / slabBytes)] as Uint8Array;
      const source = (position % slabBytes) - start;
      to.set(slab.subarray(source + from, source + Math.min(behind, offset + size)), at + from - offset);
    }
  }

  private keep(values: readonly number[]): number {
    const room = this.lists.length * listsPerSlab - this.listEnd;
    if (room < values.length) {
      this.listEnd = this.lists.length * listsPerSlab;
      this.lists.push(new Float64Array(listsPerSlab));
    }
    const list = this.listEnd;
    (this.lists[this.lists.length - 1] as Float64Array).set(values, list % listsPerSlab);
    this.listEnd += values.length;
    return list;
  }

  private position(bytes: Uint8Array, from: number, to: number): number {
    const hash = crcUpdate(crcStart, bytes, from, Math.min(to, from + pieceBytesMin)) ^ (to - from);
    const { index } = this;
    let slot = index.first(hash);
    for (;;) {
      const position = index.positions[slot] as number;
      if (position === 0) break;
      if (index.hashes[slot] === hash && this.holds(position, bytes, from, to)) return position;
      slot = index.behind(slot);
    }
    const position = this.append(bytes, from, to);
    this.index = index.put(slot, hash, position);
    return position;
  }

  private holds(position: number, bytes: Uint8Array, from: number, to: number): boolean {
    const slab = this.slabs[Math.floor(position / slabBytes)] as Uint8Array;
    let at = position % slabBytes;
    for (let i = from; i < to; i++, at++) if (slab[at] !== bytes[i]) return false;
    return true;
  }

  private append(bytes: Uint8Array, from: number, to: number): number {
    const length = to - from;
    if (this.slabs.length * slabBytes - this.end < length) {
      // Position 0 is never a piece's.
      this.end = this.slabs.length === 0 ? 1 : this.slabs.length * slabBytes;
      this.slabs.push(new Uint8Array(slabBytes));
    }
    const position = this.end;
    (this.slabs[this.slabs.length - 1] as Uint8Array).set(bytes.subarray(from, to), position % slabBytes);
    this.end += length;
    return position;
  }
}

/** Positions of pieces by hash, 0 where there is none: open addressing in typed arrays, which cost the heap nothing. */
class PieceIndex {
  readonly hashes: Int32Array;
  readonly positions: Float64Array;
  private count = 0;
  private readonly mask: number;

  /** @param slots a power of two. */
  constructor(slots: number) {
    this.mask = slots - 1;
    this.hashes = new Int32Array(slots);
    this.positions = new Float64Array(slots);
  }

  first(hash: number): number {
    return (hash ^ (hash >>> 15)) & this.mask;
  }

  behind(slot: number): number {
    return (slot + 1) & this.mask;
  }

  /** @param slot an empty one, at which a search for the hash ended. @returns the index to go on with. */
  put(slot: number, hash: number, position: number): PieceIndex {
    this.hashes[slot] = hash;
    this.positions[slot] = position;
    this.count += 1;
    return this.count * 4 > (this.mask + 1) * 3 ? this.larger() : this;
  }

  private larger(): PieceIndex {
    const index = new PieceIndex((this.mask + 1) * 2);
    for (let old = 0; old <= this.mask; old++) {
      const position = this.positions[old] as number;
      if (position === 0) continue;
      const hash = this.hashes[old] as number;
      let slot = index.first(hash);
      while (index.positions[slot] !== 0) slot = index.behind(slot);
      index.put(slot, hash, position);
    }
    return index;
  }
}

/** One random number for each value of a byte. */
const gear: Int32Array = Int32Array.from({ length: 256 }, (_, n) => {
  const h = Math.imul(n + 1, 0x9e3779b1);
  return Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ (h >>> 13);
});

/**
 * The end of the piece that begins at `from`: where the last 32 bytes hash to a certain value, so that the same content
 * is cut at the same places however far it was moved.
 * Source: "gear" hash of Xia et al., FastCDC, USENIX ATC 2016.
 */
function cutBehind(bytes: Uint8Array, from: number, to: number): number {
  const end = Math.min(to, from + pieceBytesMax);
  let hash = 0;
  for (let i = from + pieceBytesMin; i < end; i++) {
    hash = (hash << 1) + (gear[bytes[i] as number] as number);
    if (hash >>> (32 - cutBits) === (1 << cutBits) - 1) return i + 1;
  }
  return end;
}

/** The length of a run of zeros that is worth a piece of its own; 0 when there is none. */
function zerosAt(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] === 0) at += 1;
  return at - from >= pieceBytesMin || at === to ? at - from : 0;
}
