import { AssertionError, assertions } from "../core/base/assert.ts";
import type { GroupId } from "../core/base/brand.ts";
import { groupId } from "../core/base/brand.ts";
import type { Micros } from "../core/base/units.ts";
import { millisecond, second } from "../core/base/units.ts";
import { AnsweredCalls, busyFor, followWithin } from "./answered-calls.ts";
import type { Checkers } from "./checker/all.ts";
import { allCheckers } from "./checker/all.ts";
import type { NodeAtEnd, Violation } from "./checker/checker.ts";
import { progressWithin } from "./checker/liveness.ts";
import { tailsWithin } from "./checker/tails-go-on.ts";
import { Cluster } from "./cluster.ts";
import { coreNode } from "./core-node.ts";
import { DiskTruth } from "./disk-truth.ts";
import { loadOf, settingsOf } from "./effective.ts";
import { FaultBudget } from "./fault-budget.ts";
import { startDisturbances } from "./nemesis/plan.ts";
import { Nemesis } from "./nemesis-world.ts";
import { parseOverrides } from "./overrides.ts";
import { planQuiet } from "./quiet.ts";
import { SeededRandom } from "./random.ts";
import type {
  RunOptions,
  RunResult,
  RunViolation,
  Scenario,
  Verdict,
  WorkloadPort,
  WorkloadWorld,
} from "./scenario.ts";
import type { FaultSettings } from "./settings.ts";
import { drawSettings, healSettings } from "./settings.ts";
import { Settled } from "./settled.ts";
import { Situations } from "./situations.ts";
import { drawGroups, drawNodes } from "./topology.ts";
import { createWorkload } from "./workload/workload.ts";
import { World } from "./world.ts";

/** How often the phases after the faults look whether they are over. */
const lookEvery: Micros = 20 * millisecond;
/** Reading everything back, and coming to the same end, may take this long each. */
const finishWithin: Micros = 10 * second;

/** Clients that fell silent stay so until all members have come to the same end, which they must without a new append. */
const quietWithin: Micros = 8 * second;

type Phase = "faults" | "quiet" | "progress" | "busy" | "finish" | "watch" | "settle" | "over";

/** One rehearsal under way. `advance` it until it says that it is over; `result` then tells. */
export class SimRun {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly duration: Micros;
  readonly settings: Readonly<FaultSettings>;
  readonly world: World;
  readonly cluster: Cluster;
  private readonly options: RunOptions;
  private readonly groups: readonly GroupId[];
  private readonly nemesis: Nemesis;
  private readonly checkers: Checkers;
  private readonly situations: Situations;
  private readonly workload: WorkloadPort;
  private readonly answers: AnsweredCalls;
  private readonly settled: Settled;
  /** By then whoever holds a connection, or dials one, that fell silent during the faults has given it up. */
  private noticedAt: Micros = Number.POSITIVE_INFINITY;
  private phase: Phase = "faults";
  private quiet = false;
  private deadline: Micros;
  /** The next look at the phase; slices of the run never move it. */
  private lookAt: Micros;
  private finished = false;
  private elections = 0;
  private verdict: Verdict = "pass";
  private violation: RunViolation | undefined;

  /** @throws SettingError for an override that is unknown or not allowed. */
  constructor(scenario: Scenario, seed: number, options: RunOptions = {}) {
    this.scenario = scenario;
    this.seed = seed;
    this.options = options;
    this.duration = options.duration ?? scenario.duration;
    this.deadline = this.duration;
    this.lookAt = this.duration;
    const random = new SeededRandom(seed);
    const overrides = parseOverrides(options.overrides ?? {});
    const drawn = options.settings ?? settingsOf(scenario, random);
    this.settings = drawSettings({ ...drawn }, random, overrides);
    const { decisions } = options;
    this.world = new World({
      seed,
      settings: { ...this.settings },
      recording: decisions !== undefined,
      replay: decisions === "record" ? undefined : decisions,
    });
    const nodes = options.nodes ?? drawNodes(scenario, random);
    this.groups = Array.from({ length: drawGroups(scenario, random) }, (_, i) => groupId(`g${i}`));
    const budget = new FaultBudget(scenario.budget, nodes, (node) => this.cluster.decay.isWhole(node));
    this.cluster = new Cluster(this.world, {
      budget,
      nodes,
      groups: this.groups,
      createNode: options.createNode ?? coreNode,
    });
    this.checkers = allCheckers(
      { fail: (violation) => this.failed(violation) },
      { nodes: this.cluster.nodes, groups: this.groups },
      new DiskTruth((node) => this.cluster.diskOf(node)),
    );
    this.situations = new Situations(this.checkers.model);
    this.world.trace.add(this.situations);
    for (const checker of this.checkers.all) this.world.trace.add(checker);
    this.nemesis = new Nemesis(this.world, this.cluster, {
      duration: this.duration,
      budget,
    });
    this.world.trace.add({
      kinds: ["role"],
      onEvent: (event) => {
        if (event.kind === "role" && event.role === "leader") this.elections += 1;
      },
    });
    if (options.listener !== undefined) this.world.trace.listen(options.listener);
    const load = loadOf(scenario, this.settings);
    this.workload = (options.createWorkload ?? createWorkload)(this.workloadWorld(), load);
    this.nemesis.crowds = (group) => this.workload.crowd?.(group);
    this.settled = new Settled(this.checkers.model, this.groups, {
      hasStarted: (node) => this.cluster.hasStarted(node),
      leftAlone: () => this.cluster.operator.leftAlone,
    });
    this.answers = new AnsweredCalls(this.workload, this.groups, (group) => this.settled.members(group));
    this.guard(() => this.begin());
  }

  /** Every group's name, for the head of a trace file. */
  get groupNames(): readonly GroupId[] {
    return this.groups;
  }

  get over(): boolean {
    return this.phase === "over";
  }

  /** Simulated time so far. */
  get now(): Micros {
    return this.world.scheduler.now;
  }

  /** Carries out at most `eventsMax` events. @returns whether the run is over. */
  advance(eventsMax: number = Number.POSITIVE_INFINITY): boolean {
    const { scheduler } = this.world;
    const last = scheduler.events + eventsMax;
    while (!this.over && scheduler.events < last) {
      const stop = this.guard(() => scheduler.run(this.lookAt, last - scheduler.events));
      // Whoever compares two runs stops the second at the first difference.
      if (stop === "stopped") return true;
      if (stop === "stuck") {
        this.end("liveness", {
          checker: "liveness",
          message: "time stands still: too many events at one instant",
          explanation: `Some process makes events without end at ${this.now} us.`,
        });
      } else if (stop !== undefined && stop !== "slice" && !this.over) {
        this.guard(() => this.look());
        this.lookAt = Math.min(this.deadline, this.now + lookEvery);
      }
    }
    return this.over;
  }

  /** What came out; call it when the run is over. */
  result(): RunResult {
    const { violation } = this;
    const base = {
      scenario: this.scenario.name,
      seed: this.seed,
      verdict: this.verdict,
      simulatedMicros: this.now,
      events: this.world.scheduler.events,
      acked: this.workload.acked,
      elections: this.elections,
      faults: Object.fromEntries([...this.world.faults].sort(([a], [b]) => (a < b ? -1 : 1))),
      traceHash: this.world.hash.digest(),
      settings: this.settings,
      nodes: this.cluster.nodes.length,
      situations: this.situations.counted,
      atEnd: this.nodesAtEnd(),
    };
    const withDecisions =
      this.options.decisions === undefined ? base : { ...base, decisions: this.world.decisions.made };
    return violation === undefined ? withDecisions : { ...withDecisions, violation };
  }

  private begin(): void {
    for (const node of this.cluster.nodes) this.cluster.start(node);
    this.workload.start();
    startDisturbances(this.nemesis, this.scenario.disturbances ?? {});
    this.scenario.nemesis?.(this.nemesis);
    if (this.scenario.budget !== "unrestricted") this.planSilence();
  }

  private planSilence(): void {
    planQuiet(this.world, this.duration, () => {
      this.quiet = true;
      this.workload.pause?.(true);
    });
  }

  /** The time of a phase is up, or it is time to look whether what it waits for has come. */
  private look(): void {
    const due = this.now >= this.deadline;
    const unanswered = this.answers.overdue(this.now);
    if (unanswered !== undefined) return this.end("liveness", unanswered);
    if (this.phase === "faults") {
      if (due) this.heal();
    } else if (this.phase === "quiet") this.lookForQuiet(due);
    else if (this.phase === "progress") this.lookForProgress(due);
    else if (this.phase === "busy") {
      if (this.now >= this.noticedAt && this.answers.begins(this.now)) this.enter("busy", busyFor);
      else if (due) this.finish();
    } else if (this.phase === "finish") {
      if (this.finished) this.lookForTails(false);
      else if (due) this.stalled(`the last reads did not end: ${this.workload.waitingFor()}`);
    } else if (this.phase === "watch") this.lookForTails(due);
    else if (this.phase === "settle" && (due || this.settled.isSettled())) this.checkEnd();
  }

  private enter(phase: Phase, within: Micros): void {
    this.phase = phase;
    this.deadline = this.now + within;
  }

  private heal(): void {
    this.nemesis.end();
    healSettings(this.world.settings);
    this.noticedAt = this.now + this.world.settings["network.timeout"];
    this.cluster.heal();
    const left = this.cluster.operator.leftAlone;
    if (left !== undefined) this.workload.avoid?.(left);
    this.checkers.liveness.healed(this.now);
    this.world.trace.fault("", "healed", "");
    if (!this.quiet) return this.enter("progress", progressWithin);
    this.enter("quiet", quietWithin);
    this.lookForQuiet(false);
  }

  /** What a lost message left behind must be made good though nothing new is appended. */
  private lookForQuiet(due: boolean): void {
    const settled = this.settled.isSettled();
    if (!settled && !due) return;
    if (!settled && !this.settled.someoneIsOut()) {
      this.stalled("the members have not come to the same end, and nothing is appended that would help them");
      return;
    }
    this.workload.pause?.(false);
    this.checkers.liveness.healed(this.now);
    this.enter("progress", progressWithin);
  }

  private lookForProgress(due: boolean): void {
    const { histories } = this.workload;
    if (this.scenario.budget === "unrestricted" || this.checkers.liveness.progressed(histories)) {
      if (this.scenario.budget === "unrestricted") this.finish();
      else this.enter("busy", Math.max(0, this.noticedAt - this.now) + followWithin);
    } else if (due) {
      this.checkers.liveness.overdue(this.now, histories);
      if (!this.over) this.stalled(this.workload.waitingFor());
    }
  }

  private finish(): void {
    this.workload.stop();
    this.workload.finish((error) => {
      if (error === undefined) this.finished = true;
      else this.stalled(`the last read failed: ${error.message}`);
    });
    this.enter("finish", finishWithin);
  }

  /** The last read is over: those that follow the log have come as far, or have a while to. */
  private lookForTails(due: boolean): void {
    const { histories } = this.workload;
    const { tails } = this.checkers;
    if (this.scenario.budget === "unrestricted" || !tails.isBehind(histories)) {
      this.enter("settle", finishWithin);
    } else if (this.phase === "finish") this.enter("watch", tailsWithin);
    else if (due) tails.overdue(this.now, histories);
  }

  private checkEnd(): void {
    const end = { nodes: this.nodesAtEnd(), histories: this.workload.histories };
    this.situations.atEnd(end.histories, (history) => this.checkers.applied.of(history.group).keys);
    for (const checker of this.checkers.all) {
      checker.atEnd?.(end);
      if (this.over) return;
    }
    this.close("pass");
  }

  private stalled(message: string): void {
    if (this.scenario.budget === "unrestricted") return this.checkEnd();
    this.end("liveness", {
      checker: "liveness",
      message: `no progress within ${progressWithin / second} s of healing`,
      explanation: message,
    });
  }

  private failed(violation: Violation): void {
    this.end(violation.kind, violation);
  }

  private end(verdict: Verdict, { checker, message, explanation }: Omit<RunViolation, "atMicros">): void {
    if (this.over) return;
    this.violation = { checker, message, explanation, atMicros: this.now };
    this.close(verdict);
  }

  private close(verdict: Verdict): void {
    this.verdict = verdict;
    this.phase = "over";
    this.world.trace.close();
    this.world.scheduler.stop();
  }

  /** Runs a part of the run; what it throws is a crash of whoever's turn it was. */
  private guard<T>(part: () => T): T | undefined {
    const before = assertions.enabled;
    assertions.enabled = this.options.assertions ?? true;
    try {
      return part();
    } catch (error) {
      this.crashed(error);
      return undefined;
    } finally {
      assertions.enabled = before;
    }
  }

  private crashed(error: unknown): void {
    const where = this.world.scheduler.current?.host?.id ?? "the simulator";
    if (error instanceof AssertionError) {
      this.end("crash", {
        checker: "assertion",
        message: error.invariant,
        explanation: `${where} asserted it at ${this.now} us.`,
      });
      return;
    }
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    this.end("crash", {
      checker: "exception",
      message: `${name}: ${message}`,
      explanation: `${where} threw it at ${this.now} us.`,
    });
  }

  private nodesAtEnd(): NodeAtEnd[] {
    return this.groups.flatMap((group) =>
      this.checkers.model.group(group).members.map((member) => ({
        node: member.node,
        group,
        live:
          this.cluster.isUp(member.node) &&
          !this.cluster.isPaused(member.node) &&
          !this.settled.isGivenUp(member),
        standing: member.standing,
        commitIndex: member.commitIndex,
      })),
    );
  }

  private workloadWorld(): WorkloadWorld {
    const { world, cluster } = this;
    return {
      nodes: cluster.addresses,
      groups: this.groups,
      now: () => world.scheduler.now,
      draw: (stream, key) => world.random.draw(`workload(${stream})`, key),
      client: () => cluster.client(),
      at: (at, act) => {
        world.scheduler.call(at, act);
      },
    };
  }
}
