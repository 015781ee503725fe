import { assert } from "./assert.ts";

const slotsMin = 16;
const free = -1;

/**
 * Values by whole numbers from 0, for what comes and goes all the time: calls, requests, frames under way.
 *
 * Not a `Map`: when that is full of deleted entries the engine gives it a new table, to which the old one points. Once a table
 * has grown old enough for the old part of the heap, all those that follow hang on it, with what they held, until a full
 * collection: half of what a busy client made survived every small one. Here the slots are used again.
 *
 * Robin Hood hashing (Celis, Larson and Munro, 1985) with linear probing: whoever is further from home has the place, so that a
 * search ends at the first entry that is nearer to its own. Numbers that follow each other all sit at home. The slots never
 * get fewer.
 */
export class NumberMap<T> {
  private keys: number[] = new Array<number>(slotsMin).fill(free);
  private held: (T | undefined)[] = new Array<T | undefined>(slotsMin).fill(undefined);
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** How far the entry in a slot is from where its key belongs. */
  private distance(key: number, slot: number): number {
    const slots = this.keys.length;
    const home = key % slots;
    return slot >= home ? slot - home : slot + slots - home;
  }

  /** @returns -1 when the key is not there. */
  private slotOf(key: number): number {
    const { keys } = this;
    const slots = keys.length;
    let slot = key % slots;
    for (let away = 0; ; away++) {
      const known = keys[slot] as number;
      if (known === key) return slot;
      if (known === free || this.distance(known, slot) < away) return -1;
      slot = slot + 1 === slots ? 0 : slot + 1;
    }
  }

  get(key: number): T | undefined {
    const slot = this.slotOf(key);
    return slot < 0 ? undefined : this.held[slot];
  }

  has(key: number): boolean {
    return this.slotOf(key) >= 0;
  }

  set(key: number, value: T): void {
    assert(Number.isSafeInteger(key) && key >= 0, "keys are whole numbers from 0");
    const slot = this.slotOf(key);
    if (slot >= 0) {
      this.held[slot] = value;
      return;
    }
    if (2 * (this.count + 1) > this.keys.length) this.grow();
    this.put(key, value);
    this.count += 1;
  }

  /** Puts in a key that is not there; whoever is nearer to home than it moves on. */
  private put(newKey: number, newValue: T | undefined): void {
    const { keys, held } = this;
    const slots = keys.length;
    let key = newKey;
    let value = newValue;
    let slot = key % slots;
    for (let away = 0; ; away++) {
      const known = keys[slot] as number;
      const other = held[slot];
      const its = known === free ? -1 : this.distance(known, slot);
      if (its < away) {
        keys[slot] = key;
        held[slot] = value;
        if (known === free) return;
        key = known;
        value = other;
        away = its;
      }
      slot = slot + 1 === slots ? 0 : slot + 1;
    }
  }

  /** @returns whether it was there. */
  delete(key: number): boolean {
    const { keys, held } = this;
    const slots = keys.length;
    let gap = this.slotOf(key);
    if (gap < 0) return false;
    // Those behind it move up, to the first that is at home.
    for (;;) {
      const next = gap + 1 === slots ? 0 : gap + 1;
      const known = keys[next] as number;
      if (known === free || this.distance(known, next) === 0) break;
      keys[gap] = known;
      held[gap] = held[next];
      gap = next;
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
    for (const [at, key] of keys.entries()) if (key !== free) this.put(key, held[at]);
  }
}
