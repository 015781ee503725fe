import type { RunResult } from "../sim/scenario.ts";
import type { Situation } from "../sim/situations.ts";
import { situationNames, situations } from "../sim/situations.ts";

/** How often many runs came through each rare situation, and in how many of them. */
export class SituationCounts {
  /** Those that the scenario must come through. */
  private readonly own: readonly Situation[];
  private readonly total = new Map<Situation, number>();
  private readonly runs = new Map<Situation, number>();
  private seeds = 0;

  constructor(own: readonly Situation[]) {
    this.own = own;
  }

  add(result: RunResult): void {
    this.seeds += 1;
    for (const name of situationNames) {
      const count = result.situations[name] ?? 0;
      if (count === 0) continue;
      this.total.set(name, (this.total.get(name) ?? 0) + count);
      this.runs.set(name, (this.runs.get(name) ?? 0) + 1);
    }
  }

  /** Those of the scenario's own that were not reached. */
  get missing(): readonly Situation[] {
    return this.own.filter((name) => !this.total.has(name));
  }

  /** The scenario's own, and whatever else was reached. */
  private get listed(): readonly Situation[] {
    return situationNames.filter((name) => this.own.includes(name) || this.total.has(name));
  }

  get json(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.listed.map((name) => [name, this.total.get(name) ?? 0]));
  }

  /** The table, for a person. */
  lines(): string[] {
    const rows = this.listed.map((name) => {
      const total = String(this.total.get(name) ?? 0);
      const share = `${(((this.runs.get(name) ?? 0) * 100) / Math.max(1, this.seeds)).toFixed(1)}%`;
      return `  ${name.padEnd(27)} ${total.padStart(8)} ${share.padStart(8)}  ${situations[name]}`;
    });
    return ["Rare situations (times, share of the runs):", ...rows];
  }
}
