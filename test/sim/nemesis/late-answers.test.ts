import { expect } from "chai";
import { second } from "#core/base/units";
import type { NemesisPlan } from "#sim/nemesis/plan";
import { runSeed } from "#sim/run-seed";
import type { NodeCount, RunResult, Scenario } from "#sim/scenario";
import { ordinaryLoad } from "#sim/workload/loads";

/** A sound cluster through nothing but one disturbance. */
function rehearse(disturbances: NemesisPlan, nodes: NodeCount): RunResult {
  const scenario: Scenario = {
    name: "late",
    summary: "one disturbance alone",
    nodes: [nodes],
    duration: 20 * second,
    budget: "recoverable",
    workload: ordinaryLoad,
    faults: {},
    disturbances,
  };
  return runSeed(scenario, 1);
}

describe("late answers and crowds", () => {
  it("has leaders stand still while the answers to their heartbeats are on their way", () => {
    const { verdict, violation, faults, elections } = rehearse(
      { heldAnswers: { min: 2 * second, max: 4 * second } },
      3,
    );
    expect(verdict, violation?.message).to.equal("pass");
    expect(faults["pause"]).to.be.greaterThan(3);
    expect(faults["clog"]).to.be.greaterThan(6);
    expect(elections).to.be.greaterThan(3);
  });

  it("has an old leader lead again before the answers of its former term have come", () => {
    const { verdict, violation, faults } = rehearse(
      { formerAnswers: { min: 2 * second, max: 4 * second } },
      5,
    );
    expect(verdict, violation?.message).to.equal("pass");
    // The last step of a plot: its entries are held up on their way to too many.
    expect(faults["clog-bulk"]).to.be.greaterThan(0);
  });

  it("leaves groups alone in which two are no minority", () => {
    const { faults } = rehearse({ formerAnswers: { min: 2 * second, max: 4 * second } }, 3);
    expect(faults).not.to.have.any.keys("cut", "clog-control", "crash");
  });

  it("has more new clients come to a new leader than sessions are kept", () => {
    const { verdict, violation, faults, situations } = rehearse(
      { crowd: { min: 3 * second, max: 6 * second } },
      3,
    );
    expect(verdict, violation?.message).to.equal("pass");
    expect(faults["crowd"]).to.be.greaterThan(2);
    expect(situations["session-evicted"]).to.be.greaterThan(20);
  });
});
