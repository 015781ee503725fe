import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import { second } from "#core/base/units";
import { scenarios } from "#scenarios/index";
import { disturbanceNames } from "#sim/nemesis/disturbances";
import { runSeed } from "#sim/run-seed";
import { projectRoot } from "../support/sources.ts";

describe("the scenarios", () => {
  it("have a file, a name of their own and a row in the README each, say what they must come through, and run 60 seconds unless told otherwise", () => {
    const readme = fs.readFileSync(path.join(projectRoot, "scenarios/README.md"), "utf8");
    const files = fs.readdirSync(path.join(projectRoot, "scenarios"));
    const names = scenarios.map((scenario) => scenario.name);
    expect(new Set(names).size).to.equal(names.length);
    for (const { name, nodes, duration, reaches = [] } of scenarios) {
      expect(files, name).to.include(`${name}.ts`);
      const row = readme.split("\n").find((line) => line.startsWith(`| \`${name}\` |`)) ?? "";
      expect(row, name).to.contain(`| ${nodes.join(", ")} |`);
      expect(duration, name).to.equal(60 * second);
      expect(reaches, `${name}: rare situations that it is for`).to.not.have.length(0);
    }
  });

  it("are mixed by swarm, which has every disturbance, every fault, danger and partition of any other", () => {
    const swarm = scenarios.find(({ name }) => name === "swarm");
    if (swarm === undefined) throw new Error("swarm is gone");
    expect(Object.keys(swarm.disturbances ?? {})).to.have.members(disturbanceNames);
    for (const { name, faults } of scenarios)
      expect(Object.keys(swarm.faults), name).to.include.members(Object.keys(faults));
    // Left out, they are all that there are.
    expect(swarm.disturbances?.partition).to.not.have.property("kinds");
    expect(swarm.disturbances?.aimedCrash).to.not.have.property("dangers");
  });

  for (const scenario of scenarios) {
    it(`${scenario.name} passes at every size that it declares, acknowledging appends through its faults`, function () {
      this.timeout(60_000);
      for (const nodes of scenario.nodes) {
        const { verdict, violation, acked, events, simulatedMicros } = runSeed(scenario, 1, {
          nodes,
          duration: 6 * second,
        });
        expect(verdict, `${nodes} nodes: ${JSON.stringify(violation)}`).to.equal("pass");
        expect(acked, `${nodes} nodes`).to.be.greaterThan(10);
        expect(events, `${nodes} nodes`).to.be.greaterThan(acked);
        expect(simulatedMicros).to.be.greaterThan(6 * second);
      }
    });
  }

  it("keep the load up through failovers: an acknowledged append for every 25 events at least", function () {
    this.timeout(60_000);
    const failover = scenarios.find((scenario) => scenario.name === "failover");
    if (failover === undefined) throw new Error("failover is gone");
    const { acked, events, elections } = runSeed(failover, 7, { duration: 20 * second });
    expect(elections).to.be.greaterThan(3);
    expect(events / acked).to.be.lessThan(25);
  });
});
