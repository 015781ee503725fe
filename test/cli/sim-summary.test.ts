import { expect } from "chai";
import { findScenario } from "#cli/sim-args";
import { Summary } from "#cli/sim-summary";
import { second } from "#core/base/units";
import type { RunResult, Scenario } from "#sim/scenario";
import { calmSettings } from "#sim/settings";

const scenario: Scenario = {
  ...findScenario("kill-leader"),
  reaches: ["split-vote"],
  floor: { simulated: 60 * second, acked: 1_000, faults: 15 },
};

function result(seed: number, change: Partial<RunResult> = {}): RunResult {
  return {
    scenario: scenario.name,
    seed,
    verdict: "pass",
    simulatedMicros: 61 * second,
    events: 1,
    acked: 1_200,
    elections: 1,
    faults: { cut: 9, crash: 8, late: 400 },
    traceHash: "",
    settings: calmSettings(),
    nodes: 3,
    situations: { "split-vote": 1 },
    atEnd: [],
    ...change,
  };
}

function summed(seeds: number, change: (seed: number) => Partial<RunResult> = () => ({})): Summary {
  const summary = new Summary(scenario);
  for (let seed = 1; seed <= seeds; seed++) summary.add(result(seed, change(seed)));
  return summary;
}

describe("a summary of many seeds", () => {
  it("tells the median seed, whatever the few that came to nothing or to much", () => {
    const summary = summed(5, (seed) => ({ acked: [0, 10, 1_000_000, 30, 20][seed - 1] ?? 0 }));
    expect(summary.json(1)).to.deep.include({ medians: { simulatedMs: 61_000, acked: 20, faults: 17 } });
  });

  it("ends with 6 below the floor of the scenario, but not for fewer than 500 seeds", () => {
    const tame = (seed: number): Partial<RunResult> =>
      seed % 10 < 6 ? { acked: 999, faults: { late: 400 } } : {};
    expect(summed(500).exitCode).to.equal(0);
    expect(summed(499, tame).exitCode).to.equal(0);
    const below = summed(500, tame);
    expect(below.exitCode).to.equal(6);
    expect(below.belowFloor).to.deep.equal(["999 acknowledged appends, not 1000", "0 faults, not 15"]);
    expect(summed(500, () => ({ simulatedMicros: 59 * second })).exitCode).to.equal(6);
  });

  it("ends with 6 when a situation that the scenario must come through was never reached in 500 seeds", () => {
    const never = (): Partial<RunResult> => ({ situations: { "two-leaders": 3 } });
    expect(summed(499, never).exitCode).to.equal(0);
    expect(summed(500, never)).to.include({ exitCode: 6 });
    expect(summed(500, never).json(1)).to.deep.include({
      missed: ["split-vote"],
      situations: { "split-vote": 0, "two-leaders": 1_500 },
    });
  });

  it("ends with what is broken before anything else", () => {
    expect(summed(500, (seed) => (seed === 7 ? { verdict: "safety", acked: 0 } : {})).exitCode).to.equal(1);
  });
});
