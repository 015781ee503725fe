import type { Floor, RunResult } from "../sim/scenario.ts";

/** What every network and disk does now and then is no disturbance: it would hide that nothing else came. */
const everyday: ReadonlySet<string> = new Set([
  "duplicate",
  "half-open",
  "late",
  "loss",
  "slow-disk-operation",
  "unsynced-survives",
]);

/** What the median of many runs came to: half of them came to as much or more. */
export class Medians {
  private readonly simulated: number[] = [];
  private readonly acked: number[] = [];
  private readonly faults: number[] = [];

  add(result: RunResult): void {
    this.simulated.push(result.simulatedMicros);
    this.acked.push(result.acked);
    const counts = Object.entries(result.faults).map(([fault, count]) => (everyday.has(fault) ? 0 : count));
    this.faults.push(counts.reduce((sum, count) => sum + count, 0));
  }

  get json(): { readonly simulatedMs: number; readonly acked: number; readonly faults: number } {
    return {
      simulatedMs: median(this.simulated) / 1_000,
      acked: median(this.acked),
      faults: median(this.faults),
    };
  }

  /** What of it is below the floor, each as a phrase. */
  below(floor: Floor): string[] {
    const { simulatedMs, acked, faults } = this.json;
    const short: string[] = [];
    if (simulatedMs * 1_000 < floor.simulated)
      short.push(`${simulatedMs / 1_000} s simulated, not ${floor.simulated / 1e6}`);
    if (acked < floor.acked) short.push(`${acked} acknowledged appends, not ${floor.acked}`);
    if (faults < floor.faults) short.push(`${faults} faults, not ${floor.faults}`);
    return short;
  }
}

/** The lower of the two middle ones, when there are two. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
