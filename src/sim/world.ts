import type { Micros } from "../core/base/units.ts";
import type { Random } from "../core/io/random.ts";
import { SimClock } from "./clock.ts";
import { Contents } from "./contents.ts";
import type { Decision } from "./decisions.ts";
import { Decisions } from "./decisions.ts";
import { NetworkWorld, SimNetwork } from "./network.ts";
import { SimProcess } from "./process.ts";
import { HostRandom, SeededRandom } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import type { FaultSettings } from "./settings.ts";
import { calmSettings } from "./settings.ts";
import { TraceHash } from "./trace-hash.ts";
import { TraceSink } from "./trace-sink.ts";

/** True time at the start of every run, in microseconds since the Unix epoch. */
export const epoch: Micros = 1_700_000_000_000_000;

export interface WorldOptions {
  readonly seed: number;
  readonly settings?: FaultSettings;
  /** Keeps the list of decisions. */
  readonly recording?: boolean;
  readonly replay?: readonly Decision[] | undefined;
}

/** What all processes of one run share: time, chance, wires, trace, decisions. Nothing outlives the run. */
export class World {
  readonly seed: number;
  /** Read at every use, so that healing takes effect at once. */
  readonly settings: FaultSettings;
  readonly random: SeededRandom;
  readonly hash: TraceHash = new TraceHash();
  readonly scheduler: Scheduler;
  readonly trace: TraceSink;
  readonly decisions: Decisions;
  readonly network: NetworkWorld;
  /** What the disks hold. */
  readonly contents: Contents = new Contents();
  readonly processes: SimProcess[] = [];
  /** How often each kind of fault happened. */
  readonly faults: Map<string, number> = new Map();

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.settings = options.settings ?? calmSettings();
    this.random = new SeededRandom(options.seed);
    this.scheduler = new Scheduler(this.hash);
    this.trace = new TraceSink(this.scheduler, this.hash);
    this.decisions = new Decisions({
      now: () => this.scheduler.now,
      recording: options.recording === true,
      replay: options.replay,
      listener: (decision, node) => this.chanceFault(decision, node),
    });
    this.network = new NetworkWorld(this.scheduler, this.settings, this.random, this.decisions);
    this.network.queueFull = (host, service): void => {
      this.count("queue-full");
      this.trace.fault(host.id, "queue-full", service);
    };
  }

  process(id: string): SimProcess {
    const process = new SimProcess(this.processes.length, id);
    this.processes.push(process);
    this.trace.name(id, process.index);
    return process;
  }

  /** Begins the next life of a process that is down. */
  begin(process: SimProcess): void {
    process.life += 1;
    process.up = true;
    process.machineUp = true;
  }

  /** A clock for the present life: each life counts from another moment, each process drifts its own way. */
  clock(process: SimProcess): SimClock {
    const stream = this.random.stream(`clock(${process.id})`);
    const within = (key: number, most: number): number => stream.between(key, 0, 2 * most) - most;
    const life = process.life * 2;
    return new SimClock(this.scheduler, process, {
      monotonic: stream.between(life + 1, 1_000_000, 1_000_000_000),
      wall: epoch + this.scheduler.now + within(life, this.settings["clock.skewMax"]),
      driftPpm: within(0, this.settings["clock.driftMax"]),
    });
  }

  /** What an operator has added to the usual number of sessions for the present life of a node, or taken from it. */
  sessionsAside(process: SimProcess): number {
    const spread = this.settings["process.sessionsSpread"];
    if (spread === 0) return 0;
    return this.random.stream(`sessions(${process.id})`).between(process.life, 0, 2 * spread) - spread;
  }

  networkPort(process: SimProcess): SimNetwork {
    return new SimNetwork(this.network, process);
  }

  randomPort(process: SimProcess): Random {
    return new HostRandom(this.random, `${process.id}@${process.life}`);
  }

  /** What was on its way to a process that no longer waits for it goes on as it would have. */
  release(process: SimProcess): void {
    const held = process.held.splice(0);
    for (const event of held) this.scheduler.schedule(this.scheduler.now, event);
  }

  count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  private chanceFault({ kind, key, value }: Decision, node: string): void {
    this.count(kind);
    this.trace.fault(node, kind, value === undefined ? key : `${key} ${value}`);
  }
}
