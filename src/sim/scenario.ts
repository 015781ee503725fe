import type { GroupId, NodeId } from "../core/base/brand.ts";
import type { Done } from "../core/base/task.ts";
import type { Micros } from "../core/base/units.ts";
import type { Clock } from "../core/io/clock.ts";
import type { Address, Network } from "../core/io/network.ts";
import type { Random } from "../core/io/random.ts";
import type { TraceEvent, TraceKind } from "../core/io/trace.ts";
import type { NodePorts } from "../core/node/ports.ts";
import type { NodeAtEnd, Violation } from "./checker/checker.ts";
import type { Decision } from "./decisions.ts";
import type { Work } from "./disk.ts";
import type { HarmKind } from "./harm.ts";
import type { History } from "./history/history.ts";
import type { NemesisPlan } from "./nemesis/plan.ts";
import type { FaultRanges, FaultSettings } from "./settings.ts";
import type { Situation } from "./situations.ts";

export type NodeCount = 1 | 2 | 3 | 5 | 7;
export const nodeCounts: readonly NodeCount[] = [1, 2, 3, 5, 7];

/**
 * What faults may do. `recoverable`: never more than a minority of the voters is damaged or wiped at a time, so safety and
 * liveness are checked (crashes of all are fine: what was synced survives). `unrestricted`: safety only.
 */
export type FaultBudgetKind = "recoverable" | "unrestricted";

/** The load of a scenario. Rates are per simulated second over all clients. */
export interface WorkloadOptions {
  readonly clients: number;
  readonly appendsPerSecond: number;
  readonly getsPerSecond: number;
  readonly readIndexesPerSecond: number;
  /** Tails that follow the log from its start. */
  readonly tails: number;
  readonly payloadBytesMin: number;
  readonly payloadBytesMax: number;
  /** Bodies in one append call. */
  readonly batchMax: number;
  /** A client leaves, calls in flight and all, and comes back with a new session after about this long. Never when left out or 0. */
  readonly sessionSpan?: Micros;
  /** A client asks for far more than usual at once about this often: reads, tails or large appends. Never when left out. */
  readonly burstEvery?: Micros;
  /** Leadership is asked to move to a drawn node about this often. Never when left out or 0. */
  readonly transferEvery?: Micros;
  /** Clients of each group that do nothing but follow its log from the first index, all along. None when left out. */
  readonly watchers?: number;
}

/** What the median of many runs must come to at least: a rehearsal is no stroll. */
export interface Floor {
  readonly simulated: Micros;
  readonly acked: number;
  readonly faults: number;
}

/** One rehearsal: who takes part, what they are asked, and what goes wrong. */
export interface Scenario {
  readonly name: string;
  /** One line for `--list`. */
  readonly summary: string;
  /** The sizes of the group that the seed draws from. */
  readonly nodes: readonly NodeCount[];
  /** Groups in one process: so many, or one of these numbers, drawn by the seed; 1 when left out. */
  readonly groups?: number | readonly number[];
  /** How long faults go on; healing and the last checks come after it. */
  readonly duration: Micros;
  readonly budget: FaultBudgetKind;
  readonly workload: WorkloadOptions;
  readonly faults: FaultRanges;
  /** Rare situations that many runs together must come through. */
  readonly reaches?: readonly Situation[];
  /** What the median of many runs must come to. */
  readonly floor?: Floor;
  /** Which disturbances come, at what pace; each has the knob `nemesis.NAME`. */
  readonly disturbances?: NemesisPlan;
  /** What no disturbance of the catalogue does: schedules its actions, once, at the start of a run. */
  nemesis?(world: NemesisWorld): void;
}

/** One kind of disturbance and when it comes. Times are drawn, so taking one occurrence out moves no other. */
export interface NemesisWorld {
  readonly nodes: readonly NodeId[];
  readonly groups: readonly GroupId[];
  readonly duration: Micros;
  readonly settings: Readonly<FaultSettings>;
  now(): Micros;
  /** Chance of the stream `schedule`, for choices that are no faults by themselves. */
  draw(stream: string, key: number): number;
  /**
   * Calls `act(n)` for n = 0, 1, ... at drawn distances in [min, max] from each other until the faults end.
   * `first` is the earliest moment of the first one.
   */
  repeat(
    name: string,
    every: { readonly first?: Micros; readonly min: Micros; readonly max: Micros },
    act: (n: number) => void,
  ): void;
  /** Calls `act` at every trace event of these kinds until the faults end, in the middle of the turn that emits it: aim, and let `afterTurns` fire. */
  watch(kinds: readonly TraceKind[], act: (event: TraceEvent) => void): void;
  /** Calls `act` at every file that a node is about to make, until the faults end. */
  watchNewFiles(act: (node: NodeId, path: string) => void): void;
  /** Calls `act` at every write of a node's in place of something that was written before, until the faults end. */
  watchOverwrites(act: (node: NodeId, path: string) => void): void;
  /** Calls `act` after `delay`, also when the faults have ended. */
  after(delay: Micros, act: () => void): void;
  /**
   * Whether and how occurrence `key` of a fault happens: `draw` gives its value, undefined for "not at all".
   * The value is recorded; in a replay it comes from the list.
   */
  decide(
    fault: { readonly kind: string; readonly key: string; readonly node?: NodeId },
    draw: () => string | undefined,
  ): string | undefined;
  /**
   * The leader of the highest term that is running, as far as the trace told: of the group that `at` draws, where there are
   * several; of the first when it is left out.
   */
  leader(at?: { readonly stream: string; readonly key: number }): NodeId | undefined;
  leaderOf(group: GroupId): NodeId | undefined;
  isUp(node: NodeId): boolean;
  /** Whether the node runs and has opened all of its logs. */
  hasStarted(node: NodeId): boolean;
  isPaused(node: NodeId): boolean;
  /**
   * Stops a process between two of its events. `kill` leaves the machine and its page cache; `power` loses what was not
   * synced. `afterTurns` puts the crash behind that many more turns of the process; `downFor` after the crash it starts
   * again, unless it was started before.
   */
  crash(
    node: NodeId,
    options: { readonly how: "kill" | "power"; readonly afterTurns?: number; readonly downFor?: Micros },
  ): void;
  /** An orderly stop: the node hands over leadership, then its process exits, and starts again after `downFor`. */
  shutDown(node: NodeId, downFor: Micros): void;
  /** Starts a process that is down. */
  restart(node: NodeId): void;
  pause(node: NodeId): void;
  resume(node: NodeId): void;
  /** Nothing passes from any of `from` to any of `to` until `heal` is called. */
  cut(from: readonly NodeId[], to: readonly NodeId[]): Cut;
  /** Frames from `from` to `to` wait until `until`: all of them, or those of one of the connections between nodes. */
  clog(from: NodeId, to: NodeId, until: Micros, lane?: PeerLane): void;
  /** Every operation of the node's disk takes `factor` times as long. 1 ends it. */
  slowDisk(node: NodeId, factor: number): void;
  /** Others fill the node's disk: it has `room` bytes left. Infinity frees it. */
  fillDisk(node: NodeId, room: number): void;
  /** An operator makes the node read-only, or writable again. Of a node that is down it is the configuration that changes. */
  readOnly(node: NodeId, on: boolean): void;
  isReadOnly(node: NodeId): boolean;
  isFull(node: NodeId): boolean;
  /** The node's wall clock jumps; its monotonic clock and its timers do not. */
  jumpClock(node: NodeId, by: Micros): void;
  /** Empties the disk of a node that is down, if the budget allows it. @returns whether it did. */
  wipe(node: NodeId): boolean;
  /** Whether the budget lets this voter's disk be harmed or emptied now. */
  mayHarm(node: NodeId): boolean;
  /** Whether the node has started and calls itself a member of all its groups. */
  isMember(node: NodeId): boolean;
  /**
   * Harms what the node's disk holds of one group's log, in a recoverable run only what later batches prove to have been
   * synced. `value` draws the place. @returns whether the budget allowed it and there was something to harm.
   */
  damage(node: NodeId, kind: HarmKind, value: number): boolean;
  /** As `damage`, but what the disk does not give it holds all the same, and gives it again after `lasting`. */
  hide(node: NodeId, kind: HarmKind, value: number, lasting: Micros): boolean;
  /** More new clients come to a group at once than the nodes keep sessions for. */
  crowd(group: GroupId): void;
  /** The next operation of this kind on the node's disk fails with an I/O error. */
  failDisk(node: NodeId, work: Work): void;
  /** The next sync of this file of the node's fails. */
  failSyncOf(node: NodeId, path: string): void;
}

/** What the trace says of the end of a process that was not killed. */
export const orderlyStop = "stopped in good order";

/** What nodes send each other: entries are `bulk`; votes, heartbeats, acknowledgements and questions `control`. */
export type PeerLane = "control" | "bulk";

export interface Cut {
  heal(): void;
}

/** A client process: its ports, and a number of its own from 0. */
export interface ClientHost {
  readonly client: number;
  readonly name: string;
  readonly clock: Clock;
  readonly network: Network;
  readonly random: Random;
}

/** What the workload may see of the world. */
export interface WorkloadWorld {
  readonly nodes: readonly { readonly node: NodeId; readonly address: Address }[];
  readonly groups: readonly GroupId[];
  now(): Micros;
  draw(stream: string, key: number): number;
  /** Makes one more client process, which no fault ever stops. */
  client(): ClientHost;
  /** Calls `act` at `at`; the workload's own timer. */
  at(at: Micros, act: () => void): void;
}

/** The load on the cluster, as the run drives it. */
export interface WorkloadPort {
  start(): void;
  /** No new calls for a while; those under way go on. */
  pause?(paused: boolean): void;
  /** Nothing is asked of this node by name any more: it has given up, and nobody comes to it. */
  avoid?(node: NodeId): void;
  /** Every client asks for many reads at once. */
  burst?(): void;
  /** New clients come to a group, all at once, and go again. */
  crowd?(group: GroupId): void;
  /** No new calls; those under way go on. */
  stop(): void;
  /** Entries whose append was acknowledged so far. */
  readonly acked: number;
  /** Reads the whole log back, linearizably, after `stop`; `done` tells an error when it cannot. */
  finish(done: Done<void>): void;
  /** A call made since then that has had no answer for so long, for a person; undefined when there is none. */
  overdue?(since: Micros, within: Micros): string | undefined;
  /** What is being waited for, for a person: the text of a liveness violation. */
  waitingFor(): string;
  readonly histories: readonly History[];
}

/** A node as the simulator runs it. */
export interface SimNode {
  start(done: (error?: Error) => void): void;
  stop(done: () => void): void;
  /** An operator's wish, for all groups of the node. */
  setReadOnly?(on: boolean): void;
}

export interface NodeSpec {
  readonly node: NodeId;
  readonly address: Address;
  readonly peers: readonly { readonly node: NodeId; readonly address: Address }[];
  readonly groups: readonly GroupId[];
  readonly readOnly: boolean;
  /** How many sessions more than usual the node's configuration has it keep in this life; below 0 fewer. */
  readonly sessionsAside: number;
}

export type CreateNode = (spec: NodeSpec, ports: NodePorts) => SimNode;
export type CreateWorkload = (world: WorkloadWorld, options: WorkloadOptions) => WorkloadPort;

export type Verdict = "pass" | "safety" | "liveness" | "crash" | "nondeterminism";

export interface TimedTraceEvent {
  readonly at: Micros;
  readonly sequence: number;
  readonly event: TraceEvent;
}

export interface RunOptions {
  readonly duration?: Micros;
  readonly nodes?: number;
  /** Settings by dotted path, as `--override` gives them. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** False turns core's own assertions off for the length of the run. */
  readonly assertions?: boolean;
  readonly listener?: (event: TimedTraceEvent) => void;
  /** "record" keeps the decisions in the result; a list takes the place of chance. */
  readonly decisions?: "record" | readonly Decision[];
  /** The effective settings of the run that is replayed, before overrides. */
  readonly settings?: Readonly<FaultSettings>;
  /** Another node than core's, for tests of the simulator itself. */
  readonly createNode?: CreateNode;
  readonly createWorkload?: CreateWorkload;
}

export interface RunViolation extends Pick<Violation, "checker" | "message" | "explanation"> {
  readonly atMicros: Micros;
}

export interface RunResult {
  readonly scenario: string;
  readonly seed: number;
  readonly verdict: Verdict;
  readonly simulatedMicros: Micros;
  readonly events: number;
  readonly acked: number;
  readonly elections: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly traceHash: string;
  readonly violation?: RunViolation;
  readonly decisions?: readonly Decision[];
  readonly settings: Readonly<FaultSettings>;
  readonly nodes: number;
  readonly situations: Readonly<Partial<Record<Situation, number>>>;
  readonly atEnd: readonly NodeAtEnd[];
}
