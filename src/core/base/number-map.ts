const slotsMin = 16;
const free = -1;

/**
 * Values by whole numbers from 0, for what comes and goes all the time: calls, requests, frames under way.
 *
 * Not a `Map`: when that is full of deleted entries the engine gives it a new table, to which the old one points. Once a table
 * has grown old enough for the old part of the heap, all those that follow hang on it, with what they held, until a full
 * collection: half of what a busy client made survived every small one. Here the slots are used again.
 *
 * Open addressing with linear probing; numbers that follow each other lie beside each other. The slots never get fewer.
 */
export class NumberMap<T> {
  private keys: number[] = new Array<number>(slotsMin).fill(free);
  private held: (T | undefined)[] = new Array<T | undefined>(slotsMin).fill(undefined);
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The slot of a key, or the free one where it would go. */
  private slotOf(key: number): number {
    const { keys } = this;
    const slots = keys.length;
    let slot = key % slots;
    while (keys[slot] !== key && keys[slot] !== free) slot = slot + 1 === slots ? 0 : slot + 1;
    return slot;
  }

  get(key: number): T | undefined {
    return this.held[this.slotOf(key)];
  }

  has(key: number): boolean {
    return this.keys[this.slotOf(key)] === key;
  }

  set(key: number, value: T): void {
    let slot = this.slotOf(key);
    if (this.keys[slot] === free) {
      if (2 * (this.count + 1) > this.keys.length) {
        this.grow();
        slot = this.slotOf(key);
      }
      this.keys[slot] = key;
      this.count += 1;
    }
    this.held[slot] = value;
  }

  /** @returns whether it was there. */
  delete(key: number): boolean {
    const { keys, held } = this;
    const slots = keys.length;
    let gap = this.slotOf(key);
    if (keys[gap] === free) return false;
    // Those behind it that would not be found across the gap move up.
    for (let slot = (gap + 1) % slots; keys[slot] !== free; slot = (slot + 1) % slots) {
      const home = (keys[slot] as number) % slots;
      if ((slot - home + slots) % slots < (slot - gap + slots) % slots) continue;
      keys[gap] = keys[slot] as number;
      held[gap] = held[slot];
      gap = slot;
    }
    keys[gap] = free;
    held[gap] = undefined;
    this.count -= 1;
    return true;
  }

  /** The values, by ascending numbers. */
  values(): T[] {
    const keys = this.keys.filter((key) => key !== free).sort((a, b) => a - b);
    return keys.map((key) => this.get(key) as T);
  }

  private grow(): void {
    const { keys, held } = this;
    this.keys = new Array<number>(2 * keys.length).fill(free);
    this.held = new Array<T | undefined>(2 * keys.length).fill(undefined);
    for (const [at, key] of keys.entries()) {
      if (key === free) continue;
      const slot = this.slotOf(key);
      this.keys[slot] = key;
      this.held[slot] = held[at];
    }
  }
}
