import { expect } from "chai";
import * as fc from "fast-check";
import type { TrialOutcome } from "#sim/mutant/trial";
import { Trial } from "#sim/mutant/trial";

const unnoticed: TrialOutcome = { kind: "unnoticed", checker: "", verdict: "pass" };
const detected: TrialOutcome = { kind: "detected", checker: "log-matching", verdict: "safety" };
const hung: TrialOutcome = { kind: "hung", checker: "", verdict: "hung" };

/** Takes and records runs one by one until the trial is decided. @returns the runs as text. */
function carryOut(trial: Trial, outcomeOf: (run: string) => TrialOutcome): string[] {
  const runs: string[] = [];
  for (let taken = trial.take(); taken !== undefined; taken = trial.take()) {
    const { scenario, seed, assertions } = taken.run;
    const run = `${scenario} ${seed}${assertions ? " asserting" : ""}`;
    runs.push(run);
    trial.record(taken.number, outcomeOf(run));
  }
  return runs;
}

describe("a mutant's trial", () => {
  it("runs seed 1 of every scenario, then seed 2, and all again with assertions on", () => {
    const trial = new Trial(["a", "b", "c"], undefined, 2);
    expect(carryOut(trial, () => unnoticed)).to.deep.equal([
      ...["a 1", "b 1", "c 1", "a 2", "b 2", "c 2"],
      ...["a 1", "b 1", "c 1", "a 2", "b 2", "c 2"].map((run) => `${run} asserting`),
    ]);
    expect(trial.decided).to.equal(true);
    expect(trial.detection).to.equal(undefined);
    expect(trial.runs).to.equal(12);
  });

  it("takes three seeds of the mutant's own scenario for one of each other, and none twice", () => {
    const trial = new Trial(["a", "b", "c"], "b", 4);
    const runs = carryOut(trial, () => unnoticed);
    expect(runs.slice(0, 12)).to.deep.equal([
      ...["b 1", "b 2", "b 3", "a 1", "c 1"],
      ...["b 4", "a 2", "c 2"],
      ...["a 3", "c 3"],
      ...["a 4", "c 4"],
    ]);
    expect(runs).to.have.length(24);
    expect(new Set(runs).size).to.equal(24);
  });

  it("knows no own scenario that is none", () => {
    expect(carryOut(new Trial(["a"], "b", 1), () => unnoticed)).to.deep.equal(["a 1", "a 1 asserting"]);
  });

  it("ends at the first detection and counts the runs up to it", () => {
    const trial = new Trial(["a", "b"], undefined, 5);
    expect(carryOut(trial, (run) => (run === "b 2" ? detected : unnoticed))).to.deep.equal([
      "a 1",
      "b 1",
      "a 2",
      "b 2",
    ]);
    expect(trial.detection).to.deep.equal({
      run: { scenario: "b", seed: 2, assertions: false },
      runs: 4,
      checker: "log-matching",
      verdict: "safety",
    });
  });

  it("gives up a program that hangs three times, and calls none of it a detection", () => {
    const trial = new Trial(["a"], undefined, 500);
    expect(carryOut(trial, () => hung)).to.have.length(3);
    expect(trial.givenUp).to.equal("hung");
    expect(trial.detection).to.equal(undefined);
  });

  it("finds the same detection after as many runs, however many workers take runs and in whatever order they end", () => {
    void fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(39), { maxLength: 4 }),
        fc.array(fc.nat(), { minLength: 200, maxLength: 200 }),
        fc.integer({ min: 1, max: 8 }),
        (detections, picks, workers) => {
          const trial = new Trial(["a", "b"], undefined, 10);
          const underWay: number[] = [];
          for (const pick of picks) {
            while (underWay.length < workers) {
              const taken = trial.take();
              if (taken === undefined) break;
              underWay.push(taken.number);
            }
            if (underWay.length === 0) break;
            const [number] = underWay.splice(pick % underWay.length, 1);
            trial.record(number as number, detections.includes(number as number) ? detected : unnoticed);
          }
          expect(trial.decided).to.equal(true);
          expect(trial.runs).to.equal(detections.length === 0 ? 40 : Math.min(...detections) + 1);
        },
      ),
    );
  });
});
