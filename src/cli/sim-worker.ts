import { parentPort, workerData } from "node:worker_threads";
import { DeterminismCheck } from "../sim/determinism.ts";
import { SimRun } from "../sim/run.ts";
import type { RunResult } from "../sim/scenario.ts";
import type { SimPlan } from "./sim-args.ts";
import { findScenario, runOptionsOf } from "./sim-args.ts";

/** Runs the seeds that it is sent, one a message, and answers each with its result. Its owner terminates it. */
const plan = workerData as SimPlan;
const scenario = findScenario(plan.scenario);

function run(seed: number): RunResult {
  const make = (): SimRun => new SimRun(scenario, seed, runOptionsOf(plan));
  const runner = plan.checkDeterminism ? new DeterminismCheck(make) : make();
  while (!runner.advance()) {
    // `advance` without a limit returns between phases only.
  }
  return runner.result();
}

parentPort?.on("message", (seed: number) => {
  parentPort?.postMessage(run(seed));
});
