import type { RunResult, RunViolation, Scenario, Verdict } from "../sim/scenario.ts";
import type { SimArguments } from "./sim-args.ts";
import { Medians } from "./sim-medians.ts";
import {
  faultsText,
  mostSerious,
  rate,
  replayCommand,
  verdictExitCodes,
  verdictText,
  violationLines,
} from "./sim-report.ts";
import { SituationCounts } from "./sim-situations.ts";

/** Every run passed, and yet the rehearsal is not what it claims to be: a rare situation was never reached, or it is a stroll. */
const exitTooTame = 6;
/** It must be what it claims to be with so many seeds; fewer may miss something by chance. */
const seedsToJudge = 500;

interface Failed {
  readonly seed: number;
  readonly verdict: Verdict;
  readonly violation: RunViolation | null;
}

/** What many seeds came to. */
export class Summary {
  seeds = 0;
  passed = 0;
  acked = 0;
  elections = 0;
  events = 0;
  simulatedMicros = 0;
  readonly faults: Map<string, number> = new Map();
  readonly failed: Failed[] = [];
  readonly medians: Medians = new Medians();
  readonly situations: SituationCounts;
  private readonly scenario: Scenario;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.situations = new SituationCounts(scenario.reaches ?? []);
  }

  add(result: RunResult): void {
    this.situations.add(result);
    this.medians.add(result);
    this.seeds += 1;
    this.acked += result.acked;
    this.elections += result.elections;
    this.events += result.events;
    this.simulatedMicros += result.simulatedMicros;
    for (const [kind, count] of Object.entries(result.faults)) {
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    }
    if (result.verdict === "pass") this.passed += 1;
    else {
      const { seed, verdict, violation } = result;
      this.failed.push({ seed, verdict, violation: violation ?? null });
      this.failed.sort((a, b) => a.seed - b.seed);
    }
  }

  get verdict(): Verdict {
    return mostSerious(this.failed.map(({ verdict }) => verdict));
  }

  /** Rare situations that were never reached though the seeds were many enough. */
  get missed(): readonly string[] {
    return this.seeds < seedsToJudge ? [] : this.situations.missing;
  }

  /** In what the median seed falls short though the seeds were many enough. */
  get belowFloor(): readonly string[] {
    const { floor } = this.scenario;
    return this.seeds < seedsToJudge || floor === undefined ? [] : this.medians.below(floor);
  }

  get exitCode(): number {
    const tooTame = this.missed.length > 0 || this.belowFloor.length > 0;
    return this.verdict === "pass" && tooTame ? exitTooTame : verdictExitCodes[this.verdict];
  }

  get faultCounts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.faults].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  json(wallMs: number): object {
    return {
      scenario: this.scenario.name,
      seeds: this.seeds,
      passed: this.passed,
      acked: this.acked,
      elections: this.elections,
      simulatedMs: this.simulatedMicros / 1_000,
      wallMs: Math.round(wallMs * 10) / 10,
      events: this.events,
      eventsPerSecond: rate(this.events, wallMs),
      faults: this.faultCounts,
      situations: this.situations.json,
      missed: this.missed,
      medians: this.medians.json,
      belowFloor: this.belowFloor,
      failed: this.failed,
    };
  }
}

/** The summary, for a person. */
export function told(summary: Summary, args: SimArguments, wallMs: number): string {
  const { format } = new Intl.NumberFormat("en");
  const { simulatedMs, acked, faults } = summary.medians.json;
  const lines = [
    `${args.plan.scenario}, seeds ${args.firstSeed} to ${args.lastSeed}: ${format(summary.passed)} of ${format(summary.seeds)} passed`,
    "",
    `Elections      ${format(summary.elections)}`,
    `Faults         ${faultsText(summary.faultCounts)}`,
    `Acknowledged   ${format(summary.acked)} appends`,
    `Time           ${(summary.simulatedMicros / 1e6).toFixed(1)} s simulated in ${(wallMs / 1e3).toFixed(2)} s: ${format(summary.events)} events, ${format(rate(summary.events, wallMs))} events/s, ${((summary.seeds * 1e3) / wallMs).toFixed(1)} seeds/s`,
    `Median seed    ${(simulatedMs / 1e3).toFixed(1)} s simulated, ${format(acked)} acknowledged appends, ${format(faults)} faults`,
    `Verdict        ${verdictText(summary.verdict)}`,
    "",
    ...summary.situations.lines(),
  ];
  const { missed, belowFloor } = summary;
  if (missed.length > 0)
    lines.push("", `Never reached in ${format(summary.seeds)} seeds: ${missed.join(", ")}`);
  if (belowFloor.length > 0) lines.push("", `The median seed is below the floor: ${belowFloor.join("; ")}`);
  for (const { seed, verdict, violation } of summary.failed) {
    lines.push("", `seed ${seed}: ${verdict}`);
    if (violation !== null) lines.push(...violationLines(violation, replayCommand(args.plan, seed)));
  }
  return `${lines.join("\n")}\n`;
}
