import type { Place } from "./format.ts";
import { placeOf } from "./format.ts";

/** Where to begin reading for an index: some batches' first indexes and positions, both ascending. */
export class SparseIndex {
  private readonly intervalBytes: number;
  private readonly firsts: number[] = [];
  private readonly positions: number[] = [];

  constructor(intervalBytes: number) {
    this.intervalBytes = intervalBytes;
  }

  /** Remembers a batch, unless one that begins shortly before it is known. `always` for the first one behind damage. */
  add(firstIndex: number, position: number, always = false): void {
    const last = this.positions[this.positions.length - 1];
    if (!always && last !== undefined && position - last < this.intervalBytes) return;
    this.firsts.push(firstIndex);
    this.positions.push(position);
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
      this.positions.pop();
      this.firsts.pop();
    }
  }
}
