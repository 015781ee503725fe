import { drawPaces } from "./nemesis/plan.ts";
import type { SeededRandom } from "./random.ts";
import type { Scenario, WorkloadOptions } from "./scenario.ts";
import type { FaultSettings } from "./settings.ts";
import { drawSettings } from "./settings.ts";

/** The settings that the seed draws from a scenario: its faults, the paces of its disturbances and of its load's. */
export function settingsOf(scenario: Scenario, random: SeededRandom): FaultSettings {
  const { faults, disturbances = {}, workload } = scenario;
  const load = {
    "load.sessionSpan": workload.sessionSpan ?? 0,
    "load.transferEvery": workload.transferEvery ?? 0,
  };
  return drawSettings({ ...faults, ...load, ...drawPaces(disturbances, random) }, random, {});
}

/** Clients of each group that follow its log where a node may be left alone: several, so that one is likely to sit there. */
const watchers = 3;

/** The load of a run whose settings are these. */
export function loadOf({ workload }: Scenario, settings: Readonly<FaultSettings>): WorkloadOptions {
  return {
    ...workload,
    sessionSpan: settings["load.sessionSpan"],
    transferEvery: settings["load.transferEvery"],
    watchers: settings["operator.away"] === 0 ? 0 : watchers,
  };
}
