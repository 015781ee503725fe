import { scenarios } from "#scenarios/index";
import type { RunResult } from "../sim/scenario.ts";
import type { Situation } from "../sim/situations.ts";
import { situationNames, situations } from "../sim/situations.ts";

/** With so many seeds each of a scenario's situations must have been reached. */
export const seedsToReachAll = 500;

/** How often many runs came through each rare situation, and in how many of them. */
export class SituationCounts {
  private readonly scenario: string;
  private readonly total = new Map<Situation, number>();
  private readonly runs = new Map<Situation, number>();
  private seeds = 0;

  constructor(scenario: string) {
    this.scenario = scenario;
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

  /** Those that the scenario must come through, of its own or (when it declares none) those that it reached. */
  private get expected(): readonly Situation[] {
    const own = scenarios.find(({ name }) => name === this.scenario)?.reaches;
    return own ?? situationNames.filter((name) => this.total.has(name));
  }

  /** What was never reached though the seeds were many enough. */
  get missed(): readonly Situation[] {
    return this.seeds < seedsToReachAll ? [] : this.expected.filter((name) => !this.total.has(name));
  }

  get json(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.expected.map((name) => [name, this.total.get(name) ?? 0]));
  }

  /** The table, for a person. */
  lines(): string[] {
    const rows = this.expected.map((name) => {
      const total = String(this.total.get(name) ?? 0);
      const share = `${(((this.runs.get(name) ?? 0) * 100) / Math.max(1, this.seeds)).toFixed(1)}%`;
      return `  ${name.padEnd(27)} ${total.padStart(8)} ${share.padStart(8)}  ${situations[name]}`;
    });
    return ["Rare situations (times, share of the runs):", ...rows];
  }
}
