import pc from "picocolors";
import type { Micros } from "../core/base/units.ts";
import type { RunResult, RunViolation, TimedTraceEvent, Verdict } from "../sim/scenario.ts";
import { formatKnob, formatMicros, isDisturbance, knobPaths, knobs } from "../sim/settings.ts";
import type { SimPlan } from "./sim-args.ts";

/** Exit codes, and of many verdicts the most serious wins. */
export const verdictExitCodes: { readonly [verdict in Verdict]: number } = {
  pass: 0,
  safety: 1,
  liveness: 3,
  nondeterminism: 4,
  crash: 5,
};
const bySeriousness: readonly Verdict[] = ["safety", "crash", "nondeterminism", "liveness", "pass"];

export function mostSerious(verdicts: Iterable<Verdict>): Verdict {
  const all = new Set(verdicts);
  return bySeriousness.find((verdict) => all.has(verdict)) ?? "pass";
}

/** The object of `--json`. */
export function jsonOf(result: RunResult, wallMs: number): object {
  return {
    scenario: result.scenario,
    seed: result.seed,
    verdict: result.verdict,
    simulatedMs: result.simulatedMicros / 1_000,
    wallMs: Math.round(wallMs * 10) / 10,
    events: result.events,
    eventsPerSecond: rate(result.events, wallMs),
    acked: result.acked,
    elections: result.elections,
    faults: result.faults,
    traceHash: result.traceHash,
    violation: result.violation ?? null,
  };
}

export function rate(events: number, wallMs: number): number {
  return wallMs <= 0 ? 0 : Math.round((events * 1_000) / wallMs);
}

/** The shell command that runs this seed again, with everything that shaped it. */
export function replayCommand(plan: SimPlan, seed: number): string {
  const parts = [`npm run sim -- --seed ${seed} --scenario ${plan.scenario}`];
  if (plan.nodes !== undefined) parts.push(`--nodes ${plan.nodes}`);
  if (plan.duration !== undefined) parts.push(`--duration ${formatMicros(plan.duration)}`);
  for (const [path, value] of Object.entries(plan.overrides)) parts.push(`--override ${path}=${value}`);
  if (plan.checkDeterminism) parts.push("--check-determinism");
  return parts.join(" ");
}

const storyLinesMax = 80;

/** Listens to a run and remembers what a person would tell of it. */
export class Story {
  readonly lines: string[] = [];
  /** Lines that were left out at the end. */
  leftOut = 0;
  private leader = "";
  /** When the last leader crashed; undefined while there is one. */
  private leaderless: Micros | undefined;

  listen({ at, event }: TimedTraceEvent): void {
    if (event.kind === "role" && event.role === "leader") {
      const after =
        this.leaderless === undefined
          ? ""
          : `, ${seconds(at - this.leaderless)} after the last leader crashed`;
      this.tell(at, `${event.node} is elected leader of ${event.group} in term ${event.term}${after}`);
      this.leader = event.node;
      this.leaderless = undefined;
    } else if (event.kind === "fault") this.fault(at, event.node, event.fault, event.detail);
    else if (event.kind === "transfer" && event.change === "begun") {
      this.tell(at, `${event.node} hands leadership of ${event.group} to ${event.to}`);
    } else if (event.kind === "damage") {
      this.tell(at, `${event.node}: damage ${event.change}, entries ${event.from} to ${event.to}`);
    }
    if (event.kind === "role" && event.reason === "check-quorum") {
      this.tell(at, `${event.node} steps down in term ${event.term}: it hears no quorum`);
    }
  }

  private fault(at: Micros, node: string, fault: string, detail: string): void {
    if (fault === "crash") {
      if (node === this.leader) this.leaderless ??= at;
      this.tell(
        at,
        detail === "power"
          ? `${node} loses its power`
          : `${node} crashes${detail === "kill" ? "" : ` (${detail})`}`,
      );
    } else if (fault === "restart") this.tell(at, `${node} starts again`);
    else if (fault === "pause") this.tell(at, `${node} stands still`);
    else if (fault === "resume") this.tell(at, `${node} goes on`);
    else if (fault === "cut") this.tell(at, `nothing passes from ${detail.replace(">", " to ")}`);
    else if (fault === "heal") this.tell(at, `the way is free again: ${detail}`);
    else if (fault === "slow-disk") {
      this.tell(
        at,
        detail === "1"
          ? `the disk of ${node} is itself again`
          : `the disk of ${node} is ${detail} times slower`,
      );
    } else if (fault === "left-alone") this.tell(at, `${node} has given up, and is left as it is`);
    else if (fault === "healed") this.tell(at, "all faults end, every node runs");
  }

  private tell(at: Micros, text: string): void {
    if (this.lines.length < storyLinesMax)
      this.lines.push(`  ${(at / 1e6).toFixed(3).padStart(9)} s  ${text}`);
    else this.leftOut += 1;
  }
}

function seconds(micros: Micros): string {
  return `${(micros / 1e6).toFixed(3)} s`;
}

/** The report of one run, for a person. */
export function report(options: {
  readonly result: RunResult;
  readonly wallMs: number;
  readonly plan: SimPlan;
  readonly story: Story;
}): string {
  const { result, wallMs, plan, story } = options;
  const { format } = new Intl.NumberFormat("en");
  const simulated = result.simulatedMicros / 1e6;
  const lines = [
    pc.bold(`${result.scenario}, seed ${result.seed}: ${result.nodes} node${result.nodes === 1 ? "" : "s"}`),
    "",
    "Settings in effect:",
    ...settingsLines(result),
    "",
    "What happened:",
    ...story.lines,
    ...(story.leftOut === 0
      ? []
      : [`  ... and ${format(story.leftOut)} more (--trace FILE holds everything)`]),
    "",
    `Elections      ${format(result.elections)}`,
    `Faults         ${faultsText(result.faults)}`,
    `Acknowledged   ${format(result.acked)} appends`,
    `Trace hash     ${result.traceHash}`,
    `Time           ${simulated.toFixed(1)} s simulated in ${(wallMs / 1e3).toFixed(2)} s: ${format(result.events)} events, ${format(rate(result.events, wallMs))} events/s`,
    `Verdict        ${verdictText(result.verdict)}`,
  ];
  if (result.violation !== undefined)
    lines.push("", ...violationLines(result.violation, replayCommand(plan, result.seed)));
  return `${lines.join("\n")}\n`;
}

export function violationLines(violation: RunViolation, command: string): string[] {
  return [
    pc.red(`Broken: ${violation.checker}: ${violation.message}`),
    `  at ${seconds(violation.atMicros)}: ${violation.explanation}`,
    `  replay: ${command}`,
  ];
}

export function verdictText(verdict: Verdict): string {
  return verdict === "pass" ? pc.green("PASS") : pc.red(`FAIL (${verdict})`);
}

export function faultsText(faults: Readonly<Record<string, number>>): string {
  const parts = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

function settingsLines(result: RunResult): string[] {
  // Which disturbances take part, and not those that do not.
  const inEffect = knobPaths.filter((path) => !isDisturbance(path) || result.settings[path] !== 0);
  const width = Math.max(...inEffect.map((path) => path.length));
  return inEffect.map((path) => {
    const value = result.settings[path];
    const line = `  ${path.padEnd(width)} ${formatKnob(path, value).padEnd(9)} ${knobs[path].about}`;
    return value === knobs[path].calm ? pc.dim(line) : line;
  });
}
