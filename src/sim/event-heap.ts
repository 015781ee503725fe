import { assert } from "../core/base/assert.ts";

const slotsMax = 1 << 22;

/** Names one pushed value; a stale handle never touches the value that took its slot. */
export type HeapHandle = number;
export const noHandle: HeapHandle = -1;

/**
 * A binary heap in typed arrays, ordered by (time, order). Cancelling is O(1): the slot is emptied and the heap entry is
 * skipped when it surfaces; when most entries are empty the heap is rebuilt, which cannot change the order of the rest.
 */
export class EventHeap<T> {
  // By heap position.
  private times = new Float64Array(256);
  private orders = new Float64Array(256);
  private slots = new Int32Array(256);
  // By slot.
  private values: (T | undefined)[] = [];
  private generations: number[] = [];
  private readonly free: number[] = [];
  private length = 0;
  private emptied = 0;
  /** Time and order of the value that `pop` gave last. */
  poppedTime = 0;
  poppedOrder = 0;

  /** Values pushed and neither popped nor cancelled. */
  get size(): number {
    return this.length - this.emptied;
  }

  /** `order` breaks ties between equal times and must be unique among them. */
  push(time: number, order: number, value: T): HeapHandle {
    const slot = this.takeSlot(value);
    if (this.length === this.slots.length) this.grow();
    this.siftUp(this.length, time, order, slot);
    this.length += 1;
    return (this.generations[slot] as number) * slotsMax + slot;
  }

  /** @returns whether the value was still waiting. */
  cancel(handle: HeapHandle): boolean {
    const slot = handle % slotsMax;
    if (handle < 0 || this.generations[slot] !== (handle - slot) / slotsMax) return false;
    if (this.values[slot] === undefined) return false;
    this.values[slot] = undefined;
    this.generations[slot] = (this.generations[slot] as number) + 1;
    this.emptied += 1;
    if (this.emptied > 256 && this.emptied * 2 > this.length) this.compact();
    return true;
  }

  /** @returns Infinity when nothing waits. */
  nextTime(): number {
    this.dropEmptied();
    return this.length === 0 ? Number.POSITIVE_INFINITY : (this.times[0] as number);
  }

  /** The first value without taking it. */
  peek(): T | undefined {
    this.dropEmptied();
    return this.length === 0 ? undefined : this.values[this.slots[0] as number];
  }

  pop(): T | undefined {
    this.dropEmptied();
    if (this.length === 0) return undefined;
    const slot = this.slots[0] as number;
    const value = this.values[slot] as T;
    this.poppedTime = this.times[0] as number;
    this.poppedOrder = this.orders[0] as number;
    this.values[slot] = undefined;
    this.generations[slot] = (this.generations[slot] as number) + 1;
    this.removeTop();
    return value;
  }

  private dropEmptied(): void {
    while (this.emptied > 0 && this.length > 0 && this.values[this.slots[0] as number] === undefined) {
      this.emptied -= 1;
      this.removeTop();
    }
  }

  private removeTop(): void {
    this.free.push(this.slots[0] as number);
    this.length -= 1;
    const last = this.length;
    if (last > 0) {
      this.siftDown(0, this.times[last] as number, this.orders[last] as number, this.slots[last] as number);
    }
  }

  private takeSlot(value: T): number {
    const reused = this.free.pop();
    if (reused !== undefined) {
      this.values[reused] = value;
      return reused;
    }
    const slot = this.values.length;
    assert(slot < slotsMax, "the event queue is bounded");
    this.values.push(value);
    this.generations.push(0);
    return slot;
  }

  private siftUp(position: number, time: number, order: number, slot: number): void {
    const { times, orders, slots } = this;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      const parentTime = times[parent] as number;
      if (parentTime < time || (parentTime === time && (orders[parent] as number) < order)) break;
      times[position] = parentTime;
      orders[position] = orders[parent] as number;
      slots[position] = slots[parent] as number;
      position = parent;
    }
    times[position] = time;
    orders[position] = order;
    slots[position] = slot;
  }

  private siftDown(position: number, time: number, order: number, slot: number): void {
    const { times, orders, slots, length } = this;
    for (;;) {
      let child = position * 2 + 1;
      if (child >= length) break;
      let childTime = times[child] as number;
      const right = child + 1;
      if (right < length) {
        const rightTime = times[right] as number;
        if (
          rightTime < childTime ||
          (rightTime === childTime && (orders[right] as number) < (orders[child] as number))
        ) {
          child = right;
          childTime = rightTime;
        }
      }
      if (time < childTime || (time === childTime && order < (orders[child] as number))) break;
      times[position] = childTime;
      orders[position] = orders[child] as number;
      slots[position] = slots[child] as number;
      position = child;
    }
    times[position] = time;
    orders[position] = order;
    slots[position] = slot;
  }

  private compact(): void {
    const { times, orders, slots, values } = this;
    const before = this.length;
    let kept = 0;
    for (let i = 0; i < before; i++) {
      const slot = slots[i] as number;
      if (values[slot] === undefined) {
        this.free.push(slot);
        continue;
      }
      // Sifting up in place: positions below `kept` are already a heap, and `kept` never passes `i`.
      this.siftUp(kept, times[i] as number, orders[i] as number, slot);
      kept += 1;
    }
    this.length = kept;
    this.emptied = 0;
  }

  private grow(): void {
    const larger = this.slots.length * 2;
    const times = new Float64Array(larger);
    times.set(this.times);
    const orders = new Float64Array(larger);
    orders.set(this.orders);
    const slots = new Int32Array(larger);
    slots.set(this.slots);
    this.times = times;
    this.orders = orders;
    this.slots = slots;
  }
}
