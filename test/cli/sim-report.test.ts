import { expect } from "chai";
import { parseDecisionFile } from "#cli/decision-file";
import { mostSerious, replayCommand, verdictExitCodes, violationLines } from "#cli/sim-report";
import { nearest } from "#cli/suggest";

describe("verdicts", () => {
  it("have the exit codes of the manual", () => {
    expect(verdictExitCodes).to.deep.equal({ pass: 0, safety: 1, liveness: 3, nondeterminism: 4, crash: 5 });
  });

  it("of many the most serious wins: safety, crash, nondeterminism, liveness", () => {
    expect(mostSerious([])).to.equal("pass");
    expect(mostSerious(["pass", "liveness", "pass"])).to.equal("liveness");
    expect(mostSerious(["liveness", "nondeterminism"])).to.equal("nondeterminism");
    expect(mostSerious(["nondeterminism", "crash", "liveness"])).to.equal("crash");
    expect(mostSerious(["crash", "safety"])).to.equal("safety");
  });
});

describe("replay command", () => {
  const plan = {
    scenario: "failover",
    nodes: undefined,
    duration: undefined,
    overrides: {},
    checkDeterminism: false,
  };

  it("holds everything that shaped the run", () => {
    expect(replayCommand(plan, 7)).to.equal("npm run sim -- --seed 7 --scenario failover");
    const shaped = { ...plan, nodes: 5, duration: 2_500_000, overrides: { "network.loss": "0.1" } };
    expect(replayCommand(shaped, 7)).to.equal(
      "npm run sim -- --seed 7 --scenario failover --nodes 5 --duration 2500ms --override network.loss=0.1",
    );
  });

  it("stands under the broken property and its explanation", () => {
    const violation = {
      checker: "election-safety",
      message: "one leader a term",
      explanation: "two",
      atMicros: 1_500_000,
    };
    const text = violationLines(violation, replayCommand(plan, 7)).join("\n");
    expect(text).to.contain("election-safety: one leader a term");
    expect(text).to.contain("at 1.500 s: two");
    expect(text).to.contain("npm run sim -- --seed 7 --scenario failover");
  });
});

describe("did you mean", () => {
  const names = ["network.loss", "network.latencyMax", "disk.slow"];

  it("finds a slip of the keyboard, a last part and a beginning, and nothing for something else", () => {
    expect(nearest("netwrok.loss", names)).to.equal("network.loss");
    expect(nearest("loss", names)).to.equal("network.loss");
    expect(nearest("disk", names)).to.equal("disk.slow");
    expect(nearest("zzz", names)).to.equal(undefined);
  });
});

describe("decision file", () => {
  it("says what is wrong with it", () => {
    expect(parseDecisionFile("{")).to.match(/not JSON/);
    expect(parseDecisionFile("[]")).to.match(/format/);
    expect(parseDecisionFile('{"format":1}')).to.equal("scenario is missing");
    const head = '"format":1,"scenario":"x","seed":1,"nodes":3,"durationMicros":1';
    expect(parseDecisionFile(`{${head}}`)).to.equal("decisions is missing");
    expect(parseDecisionFile(`{${head},"decisions":[{"kind":1}]}`)).to.match(/a kind and a key/);
    expect(parseDecisionFile(`{${head},"decisions":[],"settings":{}}`)).to.match(
      /network.latencyMin is missing/,
    );
  });
});
