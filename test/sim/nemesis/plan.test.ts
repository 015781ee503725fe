import { expect } from "chai";
import type { NodeId } from "#core/base/brand";
import { second } from "#core/base/units";
import type { NemesisPlan } from "#sim/nemesis/plan";
import { drawPaces } from "#sim/nemesis/plan";
import { SeededRandom } from "#sim/random";
import { runSeed } from "#sim/run-seed";
import type { NemesisWorld, RunResult, Scenario } from "#sim/scenario";
import { nothingAsked, restlessLoad } from "#sim/workload/loads";
import { noLoad, toyNodes } from "../support/toy.ts";

const calm: Scenario = {
  name: "calm",
  summary: "nothing but what the plan says",
  nodes: [3],
  duration: 40 * second,
  budget: "unrestricted",
  workload: nothingAsked,
  faults: {},
};

function rehearse(disturbances: NemesisPlan, overrides: Readonly<Record<string, string>> = {}): RunResult {
  const toys = { createNode: toyNodes(), createWorkload: noLoad };
  return runSeed({ ...calm, disturbances }, 1, { ...toys, overrides });
}

const crashes = (result: RunResult): number => result.faults["crash"] ?? 0;

describe("a nemesis plan", () => {
  it("is printed as the mean distance between two of each disturbance", () => {
    const { settings } = rehearse({ crashNode: { min: 1 * second, max: 3 * second } });
    expect(settings["nemesis.crashNode"]).to.equal(2 * second);
    expect(settings["nemesis.pause"]).to.equal(0);
  });

  it("obeys overrides: none of it, more of it, and what it does not name", () => {
    const plan: NemesisPlan = { crashNode: { min: 3 * second, max: 5 * second } };
    const often = crashes(rehearse(plan, { "nemesis.crashNode": "1s" }));
    expect(crashes(rehearse(plan))).to.be.within(6, 13);
    expect(often).to.be.within(24, 50);
    expect(rehearse(plan, { "nemesis.crashNode": "0" }).faults).to.deep.equal({});
    expect(rehearse({}, { "nemesis.partition": "2s" }).faults["cut"]).to.be.greaterThan(10);
  });

  it("leaves transfers and clients that leave to the load, whose pace is a setting too", () => {
    const asked = (overrides: Readonly<Record<string, string>>): number =>
      runSeed({ ...calm, duration: 20 * second, workload: restlessLoad }, 1, { overrides }).elections;
    expect(asked({}), "leadership moves").to.be.greaterThan(2);
    expect(asked({ "load.transferEvery": "0" })).to.equal(1);
  });

  it("lets a seed leave out what comes sometimes, and draws its pace", () => {
    const plan: NemesisPlan = { wipe: { about: 10 * second }, clog: { about: 10 * second } };
    const paces = Array.from({ length: 200 }, (_, seed) => drawPaces(plan, new SeededRandom(seed)));
    const wipes = paces.map((pace) => pace["nemesis.wipe"] ?? -1);
    expect(wipes.filter((pace) => pace === 0).length).to.be.within(60, 140);
    for (const pace of wipes) if (pace !== 0) expect(pace).to.be.within(5 * second, 20 * second);
    expect(
      paces.some((pace) => (pace["nemesis.wipe"] === 0) !== (pace["nemesis.clog"] === 0)),
      "each by itself",
    ).to.equal(true);
  });
});

describe("who leads, for a nemesis", () => {
  const led = (groups: number): Set<NodeId | undefined>[] => {
    const seen: Set<NodeId | undefined>[] = [];
    const nemesis = (world: NemesisWorld): void =>
      world.repeat("look", { min: second, max: second }, (n) => {
        const leaders = world.groups.map((group) => world.leaderOf(group));
        const drawn = Array.from({ length: 20 }, (_, i) => world.leader({ stream: "look", key: n * 20 + i }));
        expect(world.leader()).to.equal(leaders[0]);
        for (const leader of drawn) expect(leaders).to.include(leader);
        seen.push(new Set(drawn));
      });
    runSeed({ ...calm, duration: 10 * second, groups, nemesis }, 3);
    return seen;
  };

  it("is the leader of a drawn group, where there are two", () => {
    const seen = [1, 2, 3].flatMap(() => led(2));
    expect(Math.max(...seen.map(({ size }) => size))).to.equal(2);
    expect(Math.max(...led(1).map(({ size }) => size))).to.equal(1);
  });
});
