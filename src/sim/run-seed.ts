import { SimRun } from "./run.ts";
import type { RunOptions, RunResult, Scenario } from "./scenario.ts";

/**
 * Rehearses one scenario with one seed, from its start to its verdict. Pure: the same arguments give the same result,
 * whatever ran before.
 * @throws SettingError for an override that is unknown or not allowed.
 */
export function runSeed(scenario: Scenario, seed: number, options: RunOptions = {}): RunResult {
  const run = new SimRun(scenario, seed, options);
  run.advance();
  return run.result();
}
