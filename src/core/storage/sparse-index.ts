import type { Place } from "./format.ts";
import { placeOf } from "./format.ts";

/** Batches that are remembered; with more, every other one is forgotten: memory does not grow with the log. */
const rememberedMax = 65_536;

/** Where to begin reading for an index: some batches' first indexes and positions, both ascending. */
export class SparseIndex {
  private intervalBytes: number;
  private readonly max: number;
  private firsts: number[] = [];
  private positions: number[] = [];
  /** Positions that stay, whatever their distance. */
  private readonly pinned = new Set<number>();

  /** @param intervalBytes the least distance of two remembered batches, at first. */
  constructor(intervalBytes: number, max: number = rememberedMax) {
    this.intervalBytes = intervalBytes;
    this.max = max;
  }

  get size(): number {
    return this.positions.length;
  }

  /** Remembers a batch, unless one that begins shortly before it is known. `always` for the first one behind damage. */
  add(firstIndex: number, position: number, always = false): void {
    const last = this.positions[this.positions.length - 1];
    if (!always && last !== undefined && position - last < this.intervalBytes) return;
    if (always) this.pinned.add(position);
    this.firsts.push(firstIndex);
    this.positions.push(position);
    while (this.positions.length - this.pinned.size > this.max) this.thin();
  }

  /** Doubles the interval: a read begins up to twice as far before what it wants. */
  private thin(): void {
    this.intervalBytes *= 2;
    const { firsts, positions } = this;
    this.firsts = [];
    this.positions = [];
    let last = Number.NEGATIVE_INFINITY;
    for (const [i, position] of positions.entries()) {
      if (position - last < this.intervalBytes && !this.pinned.has(position)) continue;
      this.firsts.push(firsts[i] as number);
      this.positions.push(position);
      last = position;
    }
  }

  /** The last remembered batch that begins at or before `index`, or the one `back` before it; undefined when there is none. */
  find(index: number, back = 0): Place | undefined {
    let low = 0;
    let high = this.firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.firsts[middle] as number) <= index) low = middle + 1;
      else high = middle;
    }
    const position = this.positions[low - 1 - back];
    return position === undefined ? undefined : placeOf(position);
  }

  /** Forgets every batch at or behind `position`. */
  cut(position: number): void {
    while ((this.positions[this.positions.length - 1] ?? -1) >= position) {
      this.pinned.delete(this.positions.pop() as number);
      this.firsts.pop();
    }
  }
}
