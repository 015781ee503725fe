import { scenarios } from "#scenarios/index";
import type { TrialOutcome, TrialRun } from "../sim/mutant/trial.ts";
import { runSeed } from "../sim/run-seed.ts";

/**
 * The process in which a mutated program runs: it lies in the scratch copy with it, takes one run a message and answers
 * with the outcome. Its parent stops it when a run takes too long.
 */
function outcomeOf({ scenario: name, seed, assertions }: TrialRun): TrialOutcome {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new RangeError(`no scenario is called ${name}`);
  const { verdict, violation } = runSeed(scenario, seed, { assertions });
  if (verdict === "pass") return { kind: "unnoticed", checker: "", verdict };
  const checker = violation?.checker ?? "";
  // A crash is a detection only when an invariant with a name was asserted, not when the program merely fell over.
  if (verdict === "crash" && checker !== "assertion") return { kind: "unnoticed", checker, verdict };
  return { kind: "detected", checker, verdict };
}

process.on("message", (run: TrialRun) => {
  process.send?.(outcomeOf(run));
});
