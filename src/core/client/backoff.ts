import type { Micros } from "../base/units.ts";
import { between } from "../io/random.ts";

/** `draw(key)` gives the same integer in [0, 2^32) for the same key; the machine counts the keys. */
export type ClientDraw = (key: number) => number;

/** Delays between retries: each a random time of half to all of a bound that doubles from min to max. */
export class Backoff {
  private readonly min: Micros;
  private readonly max: Micros;
  private readonly draw: () => number;
  private bound: Micros;

  constructor(delays: { readonly min: Micros; readonly max: Micros }, draw: () => number) {
    this.min = delays.min;
    this.max = delays.max;
    this.draw = draw;
    this.bound = delays.min;
  }

  /** The next delay; a longer one each time until `reset`. */
  next(): Micros {
    const bound = this.bound;
    this.bound = Math.min(bound * 2, this.max);
    return between(this.draw(), Math.floor(bound / 2), bound);
  }

  reset(): void {
    this.bound = this.min;
  }
}
