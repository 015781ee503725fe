import type { FaultSettings, KnobPath } from "./settings.ts";
import { knobPaths, parseKnob } from "./settings.ts";

/** A setting that names no knob or has a value outside what is allowed. */
export class SettingError extends Error {
  override readonly name = "SettingError";
  readonly path: string;
  /** Whether the path itself is unknown. */
  readonly unknown: boolean;

  constructor(path: string, unknown: boolean, message: string) {
    super(message);
    this.path = path;
    this.unknown = unknown;
  }
}

/**
 * @param overrides values by dotted path, as text: `{ "network.loss": "0.1" }`.
 * @throws SettingError for the first one that is unknown or not allowed.
 */
export function parseOverrides(overrides: Readonly<Record<string, string>>): Partial<FaultSettings> {
  const parsed: Partial<FaultSettings> = {};
  for (const [path, text] of Object.entries(overrides)) {
    if (!isKnobPath(path)) throw new SettingError(path, true, `unknown setting ${path}`);
    const value = parseKnob(path, text);
    if (typeof value === "string") throw new SettingError(path, false, `${path}=${text}: it takes ${value}`);
    parsed[path] = value;
  }
  return parsed;
}

function isKnobPath(path: string): path is KnobPath {
  return (knobPaths as readonly string[]).includes(path);
}
