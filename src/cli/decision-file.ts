import type { Micros } from "../core/base/units.ts";
import type { Decision } from "../sim/decisions.ts";
import type { RunResult } from "../sim/scenario.ts";
import type { FaultSettings } from "../sim/settings.ts";
import { calmSettings, knobPaths } from "../sim/settings.ts";

export const decisionFormat = 1;

/** A run as a list: what was set, and every decision that chance made against the default. */
export interface DecisionFile {
  readonly format: number;
  readonly scenario: string;
  readonly seed: number;
  readonly nodes: number;
  readonly durationMicros: Micros;
  readonly settings: FaultSettings;
  readonly decisions: readonly Decision[];
}

/** JSON with one decision a line, so that a line taken out is a decision taken out. */
export function formatDecisionFile(result: RunResult, durationMicros: Micros): string {
  const head = [
    `"format": ${decisionFormat}`,
    `"scenario": ${JSON.stringify(result.scenario)}`,
    `"seed": ${result.seed}`,
    `"nodes": ${result.nodes}`,
    `"durationMicros": ${durationMicros}`,
    `"traceHash": ${JSON.stringify(result.traceHash)}`,
    `"settings": ${JSON.stringify(result.settings)}`,
  ];
  const lines = (result.decisions ?? []).map((decision) => `    ${JSON.stringify(decision)}`);
  const list = lines.length === 0 ? "[]" : `[\n${lines.join(",\n")}\n  ]`;
  return `{\n  ${head.join(",\n  ")},\n  "decisions": ${list}\n}\n`;
}

/** @returns the file, or the sentence that says what is wrong with it. A comma left behind by an edit is forgiven. */
export function parseDecisionFile(text: string): DecisionFile | string {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/,(\s*)\]/g, "$1]"));
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`;
  }
  if (typeof value !== "object" || value === null) return "it is not a list of decisions";
  const file = value as { readonly [field in keyof DecisionFile]?: unknown };
  if (file.format !== decisionFormat)
    return `its format is ${String(file.format)}, this program reads ${decisionFormat}`;
  if (typeof file.scenario !== "string") return "scenario is missing";
  for (const field of ["seed", "nodes", "durationMicros"] as const) {
    if (!Number.isSafeInteger(file[field])) return `${field} is missing`;
  }
  if (!Array.isArray(file.decisions)) return "decisions is missing";
  for (const decision of file.decisions as Partial<Decision>[]) {
    if (typeof decision?.kind !== "string" || typeof decision.key !== "string") {
      return `a decision has a kind and a key; this one has not: ${JSON.stringify(decision)}`;
    }
  }
  const settings = settingsOf(file.settings);
  if (typeof settings === "string") return settings;
  return { ...(file as DecisionFile), settings };
}

function settingsOf(value: unknown): FaultSettings | string {
  if (typeof value !== "object" || value === null) return "settings is missing";
  const found = value as Readonly<Record<string, unknown>>;
  const settings = calmSettings();
  for (const path of knobPaths) {
    const setting = found[path];
    if (typeof setting !== "number") return `the setting ${path} is missing`;
    settings[path] = setting;
  }
  return settings;
}
