import type { Micros } from "../core/base/units.ts";

/**
 * The turn that all ports of one node share. Each callback of a port begins with `enter`, and time keeps its value
 * until the next one: reading the clock is a field, and whatever happens in one turn happened at one time.
 */
export class Turns {
  private sampled: Micros;
  private sampledWall: Micros;
  private fresh = true;

  constructor() {
    this.sampled = hostMicros();
    this.sampledWall = Date.now() * 1_000;
  }

  /** Begins a turn: the next read samples the host's clocks anew. */
  enter(): void {
    this.fresh = false;
  }

  /** Microseconds of the host's monotonic clock, from an arbitrary origin. */
  now(): Micros {
    if (!this.fresh) this.sample();
    return this.sampled;
  }

  /** Microseconds since the Unix epoch. */
  wall(): Micros {
    if (!this.fresh) this.sample();
    return this.sampledWall;
  }

  private sample(): void {
    this.sampled = hostMicros();
    this.sampledWall = Date.now() * 1_000;
    this.fresh = true;
  }
}

/** The monotonic clock itself, between turns. */
export function hostMicros(): Micros {
  return Math.floor(performance.now() * 1_000);
}
