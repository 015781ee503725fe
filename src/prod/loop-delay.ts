import type { IntervalHistogram } from "node:perf_hooks";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often the host looks. What it measures is the time between two looks, so this much of it is no delay. */
const resolutionMs = 20;
const windowMs = 60_000;

type Measured = Pick<IntervalHistogram, "enable" | "disable" | "reset" | "percentile" | "max">;

/**
 * How long the event loop was kept from running, over the last one to two minutes. Nothing begins anew when somebody
 * asks: several may, and a stall shows to each that asks once a minute.
 */
export class LoopDelay {
  /** Two that are emptied in turn: the older one has at least a whole window, unless the process is younger. */
  private older: Measured;
  private newer: Measured;
  private readonly timer: NodeJS.Timeout;

  constructor(make: () => Measured = () => monitorEventLoopDelay({ resolution: resolutionMs })) {
    this.older = make();
    this.newer = make();
    this.older.enable();
    this.newer.enable();
    this.timer = setInterval(() => this.rotate(), windowMs);
    this.timer.unref();
  }

  /** Begins the next window. */
  rotate(): void {
    this.older.reset();
    [this.older, this.newer] = [this.newer, this.older];
  }

  get p99Seconds(): number {
    return delay(this.older.percentile(99));
  }

  get maxSeconds(): number {
    return delay(this.older.max);
  }

  close(): void {
    clearInterval(this.timer);
    this.older.disable();
    this.newer.disable();
  }
}

function delay(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - resolutionMs / 1e3);
}
