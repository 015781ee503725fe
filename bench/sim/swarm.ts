import { swarm } from "#scenarios/swarm";
import type { RunOptions } from "#sim/scenario";
import { quantile } from "../support/figures.ts";
import type { Measurement, Row } from "./measurement.ts";
import { shareOf } from "./measurement.ts";
import { Seeds } from "./seeds.ts";

/** (f) How many seeds of `swarm` one core gets through, and how long a seed takes. */
export class Swarm implements Measurement {
  readonly letter = "f";
  private readonly seeds: Seeds;

  constructor(seeds: number, options: RunOptions) {
    this.seeds = new Seeds(swarm, seeds, options);
  }

  round(): void {
    this.seeds.round();
  }

  rows(bare: number | undefined): Row[] {
    const { ms, seconds, events } = this.seeds;
    const sorted = ms.toSorted((a, b) => a - b);
    const share = shareOf(events / seconds, bare);
    return [
      {
        letter: "f",
        what: `swarm: ${ms.length} seeds, all checkers`,
        value: (ms.length * 3_600) / seconds,
        unit: "seeds an hour",
        ...share,
      },
      { letter: "f", what: "wall time of a seed, P50", value: quantile(sorted, 0.5), unit: "ms" },
      { letter: "f", what: "wall time of a seed, P90", value: quantile(sorted, 0.9), unit: "ms" },
    ];
  }
}
