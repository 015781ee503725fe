/** The simulator as a library: `runSeed(scenario, seed)` rehearses one scenario and tells what came of it. */
export type { NodeId } from "../core/base/brand.ts";
export type { Micros } from "../core/base/units.ts";
export { millisecond, second } from "../core/base/units.ts";
export type { TraceEvent } from "../core/io/trace.ts";
export type { Decision } from "./decisions.ts";
export type { Disturbance } from "./nemesis/disturbances.ts";
export type { NemesisPlan, Pace } from "./nemesis/plan.ts";
export { SettingError } from "./overrides.ts";
export { SimRun } from "./run.ts";
export { runSeed } from "./run-seed.ts";
export type {
  Cut,
  FaultBudgetKind,
  NemesisWorld,
  NodeCount,
  RunOptions,
  RunResult,
  RunViolation,
  Scenario,
  TimedTraceEvent,
  Verdict,
  WorkloadOptions,
} from "./scenario.ts";
export type { FaultRanges, FaultSettings, KnobPath } from "./settings.ts";
export { knobs } from "./settings.ts";
