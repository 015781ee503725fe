import { assert } from "../core/base/assert.ts";
import type { GroupId, NodeId } from "../core/base/brand.ts";
import { nodeId } from "../core/base/brand.ts";
import type { Micros } from "../core/base/units.ts";
import type { Address } from "../core/io/network.ts";
import type { SimClock } from "./clock.ts";
import { Decay } from "./decay.ts";
import { DiskWorld, SimDisk } from "./disk.ts";
import type { FaultBudget } from "./fault-budget.ts";
import { Operator } from "./operator.ts";
import type { SimProcess } from "./process.ts";
import type { ClientHost, CreateNode, Cut, PeerLane, SimNode } from "./scenario.ts";
import { orderlyStop } from "./scenario.ts";

import { callEvent, eventKinds, turnInput } from "./scheduler.ts";
import type { World } from "./world.ts";

interface NodeSlot {
  readonly node: NodeId;
  readonly address: Address;
  readonly process: SimProcess;
  readonly disk: DiskWorld;
  instance: SimNode | undefined;
  clock: SimClock | undefined;
  started: boolean;
  /** What the node's configuration says; a restart asks it again. */
  readOnly: boolean;
  full: boolean;
}

export interface ClusterOptions {
  readonly nodes: number;
  readonly groups: readonly GroupId[];
  readonly createNode: CreateNode;
  readonly budget: FaultBudget;
}

export type CrashKind = "kill" | "power";

/** The nodes of a run and what can be done to them. Faults done here are told to the trace and counted. */
export class Cluster {
  readonly groups: readonly GroupId[];
  private readonly world: World;
  private readonly slots: readonly NodeSlot[];
  private readonly byId = new Map<NodeId, NodeSlot>();
  private readonly createNode: CreateNode;
  readonly decay: Decay;
  readonly operator: Operator;
  private readonly cuts = new Set<{ readonly pairs: readonly (readonly [SimProcess, SimProcess])[] }>();
  private clients = 0;

  constructor(world: World, options: ClusterOptions) {
    this.world = world;
    this.groups = options.groups;
    this.createNode = options.createNode;
    this.operator = new Operator(world, {
      nodes: () => this.nodes,
      lifeOf: (node) => this.of(node).process.life,
      isWhole: (node) => this.decay.isWhole(node),
      restart: (node, life) => this.replace(node, life),
    });
    this.decay = new Decay(world, {
      groups: this.groups,
      budget: options.budget,
      standings: this.operator.standings,
      isUp: (node) => this.isUp(node),
      hasStarted: (node) => this.hasStarted(node),
    });
    this.slots = Array.from({ length: options.nodes }, (_, i) => this.slot(nodeId(`n${i}`), i));
    this.decay.start();
  }

  get nodes(): readonly NodeId[] {
    return this.slots.map((slot) => slot.node);
  }

  get addresses(): readonly { readonly node: NodeId; readonly address: Address }[] {
    return this.slots.map(({ node, address }) => ({ node, address }));
  }

  isUp(node: NodeId): boolean {
    return this.of(node).process.up;
  }

  isPaused(node: NodeId): boolean {
    return this.of(node).process.paused;
  }

  /** Whether the node's start has completed in its present life. */
  hasStarted(node: NodeId): boolean {
    return this.of(node).started;
  }

  clockOf(node: NodeId): SimClock | undefined {
    return this.of(node).clock;
  }

  diskOf(node: NodeId): DiskWorld {
    return this.of(node).disk;
  }

  /** A client process, which lives as long as the run. */
  client(): ClientHost {
    const client = this.clients++;
    const process = this.world.process(`c${client}`);
    this.world.begin(process);
    return {
      client,
      name: process.id,
      clock: this.world.clock(process),
      network: this.world.networkPort(process),
      random: this.world.randomPort(process),
    };
  }

  start(node: NodeId): void {
    const slot = this.of(node);
    const { process } = slot;
    if (process.up) return;
    this.world.begin(process);
    if (process.life > 1) {
      this.world.trace.fault(node, "restart", "");
      this.decay.restarts(node);
    }
    const clock = this.world.clock(process);
    slot.clock = clock;
    slot.started = false;
    const instance = this.createNode(
      {
        node,
        address: slot.address,
        peers: this.addresses,
        groups: this.groups,
        readOnly: slot.readOnly,
        sessionsAside: this.sessionsAside(process),
      },
      {
        clock,
        disk: new SimDisk(slot.disk),
        network: this.world.networkPort(process),
        random: this.world.randomPort(process),
        trace: this.world.trace,
      },
    );
    slot.instance = instance;
    const { life } = process;
    this.turn(slot, () =>
      instance.start((error) => {
        // A process that was stopped meanwhile has exited: how its start ended is told to nobody.
        if (process.life === life) this.startEnded(slot, error);
      }),
    );
  }

  /** Each start reads the node's configuration anew: operators change it node by node. */
  private sessionsAside(process: SimProcess): number {
    const aside = this.world.sessionsAside(process);
    if (aside !== 0) this.world.trace.fault(process.id, "sessions-aside", String(aside));
    return aside;
  }

  /** @returns whether there was a process to crash. */
  crash(node: NodeId, how: CrashKind): boolean {
    const slot = this.of(node);
    if (!slot.process.up) return false;
    this.world.count(how === "kill" ? "crash" : "power-loss");
    this.world.trace.fault(node, "crash", how);
    this.gone(slot, how);
    return true;
  }

  /** Crashes the process after that many more of its turns. A second plan takes the place of the first. */
  crashAfter(
    node: NodeId,
    plan: { readonly how: CrashKind; readonly turns: number; readonly crashed: () => void },
  ): void {
    const { process } = this.of(node);
    const { life } = process;
    process.turnsLeft = Math.max(1, plan.turns);
    process.onTurnsDone = () => {
      if (process.life === life && this.crash(node, plan.how)) plan.crashed();
    };
  }

  /** An orderly end: the node hands over what it can, then its process exits. */
  shutDown(node: NodeId, ended: () => void): void {
    const slot = this.of(node);
    const { process, instance } = slot;
    if (!process.up || instance === undefined) return;
    const { life } = process;
    this.turn(slot, () =>
      instance.stop(() => {
        if (process.life !== life) return;
        this.world.count("orderly-stop");
        this.world.trace.fault(node, "crash", orderlyStop);
        this.gone(slot, "kill");
        ended();
      }),
    );
  }

  pause(node: NodeId): void {
    const { process } = this.of(node);
    if (!process.up || process.paused) return;
    process.paused = true;
    this.world.count("pause");
    this.world.trace.fault(node, "pause", "");
  }

  resume(node: NodeId): void {
    const { process } = this.of(node);
    if (!process.paused) return;
    process.paused = false;
    this.world.trace.fault(node, "resume", "");
    // Input that came meanwhile is delivered before the timers that fell due: the turns of the events see to it.
    this.world.release(process);
  }

  cut(from: readonly NodeId[], to: readonly NodeId[]): Cut {
    const pairs: [SimProcess, SimProcess][] = [];
    for (const a of from) {
      for (const b of to) if (a !== b) pairs.push([this.of(a).process, this.of(b).process]);
    }
    const cut = { pairs };
    this.cuts.add(cut);
    this.world.count("cut");
    this.world.trace.fault("", "cut", `${from.join(",")}>${to.join(",")}`);
    for (const [a, b] of pairs) this.world.network.cut(a, b);
    return { heal: () => this.healCut(cut) };
  }

  clog(from: NodeId, to: NodeId, until: number, lane?: PeerLane): void {
    const fault = lane === undefined ? "clog" : `clog-${lane}`;
    this.world.count(fault);
    this.world.trace.fault(from, fault, `${from}>${to} until ${until}`);
    const service = lane === undefined ? undefined : (`peer-${lane}` as const);
    this.world.network.clog(this.of(from).process, this.of(to).process, until, service);
  }

  slowDisk(node: NodeId, factor: number): void {
    const { disk } = this.of(node);
    if (disk.slowness === factor) return;
    disk.slowness = factor;
    if (factor > 1) this.world.count("slow-disk");
    this.world.trace.fault(node, "slow-disk", String(factor));
  }

  fillDisk(node: NodeId, room: number): void {
    const slot = this.of(node);
    const full = room !== Number.POSITIVE_INFINITY;
    if (!full && !slot.full) return;
    slot.full = full;
    slot.disk.fill(room);
    if (full) this.world.count("full-disk");
    this.world.trace.fault(node, full ? "full-disk" : "free-disk", full ? String(room) : "");
  }

  isFull(node: NodeId): boolean {
    return this.of(node).full;
  }

  readOnly(node: NodeId, on: boolean): void {
    const slot = this.of(node);
    if (slot.readOnly === on) return;
    slot.readOnly = on;
    if (on) this.world.count("read-only");
    this.world.trace.fault(node, on ? "read-only" : "writable", "");
    const { instance } = slot;
    const { life } = slot.process;
    if (instance === undefined) return;
    this.turn(slot, () => {
      if (slot.process.life === life) instance.setReadOnly?.(slot.readOnly);
    });
  }

  isReadOnly(node: NodeId): boolean {
    return this.of(node).readOnly;
  }

  jumpClock(node: NodeId, by: Micros): void {
    const { clock } = this.of(node);
    if (clock === undefined) return;
    this.world.count("clock-jump");
    this.world.trace.fault(node, "clock-jump", String(by));
    clock.jumpWall(by);
  }

  /** Empties the disk of a node that is down. */
  wipe(node: NodeId): void {
    const { process, disk } = this.of(node);
    assert(!process.up, "a disk is wiped under a process that is down");
    this.world.count("wipe");
    this.world.trace.fault(node, "wipe", "");
    disk.tree.wipe();
  }

  /** Ends every fault done here: all nodes run, but for one that gave up and is left alone; nothing is cut, clogged or slow. */
  heal(): void {
    this.operator.hurry();
    for (const cut of [...this.cuts]) this.healCut(cut);
    for (const slot of this.slots) {
      slot.process.turnsLeft = 0;
      slot.process.onTurnsDone = undefined;
      this.slowDisk(slot.node, 1);
      this.fillDisk(slot.node, Number.POSITIVE_INFINITY);
      this.readOnly(slot.node, false);
      slot.disk.recover();
      this.resume(slot.node);
      this.start(slot.node);
      for (const other of this.slots) this.world.network.unclog(slot.process, other.process);
    }
  }

  private slot(node: NodeId, i: number): NodeSlot {
    const process = this.world.process(node);
    const address = `10.0.0.${i + 1}:40911`;
    this.world.network.place(address, process);
    const disk = new DiskWorld(this.world.scheduler, process, this.world);
    const slot: NodeSlot = {
      node,
      address,
      process,
      disk,
      instance: undefined,
      clock: undefined,
      started: false,
      readOnly: false,
      full: false,
    };
    this.byId.set(node, slot);
    this.decay.add(node, disk);
    return slot;
  }

  private of(node: NodeId): NodeSlot {
    const slot = this.byId.get(node);
    assert(slot !== undefined, "faults name nodes of the cluster");
    return slot;
  }

  /** An operator starts a process anew, unless it has got another life meanwhile. */
  private replace(node: NodeId, life: number): void {
    const slot = this.of(node);
    if (slot.process.life !== life || !slot.process.up) return;
    this.world.count("replaced");
    this.world.trace.fault(node, "crash", "an operator starts it anew");
    this.gone(slot, "kill");
    this.start(node);
  }

  private turn(slot: NodeSlot, run: () => void): void {
    const { scheduler } = this.world;
    scheduler.schedule(scheduler.now, callEvent(eventKinds.world, turnInput, slot.process, 0, run));
  }

  private startEnded(slot: NodeSlot, error: Error | undefined): void {
    if (error === undefined) {
      slot.started = true;
      return;
    }
    // A process that cannot start exits, and whoever watches it starts it again.
    this.world.count("failed-start");
    this.world.trace.fault(slot.node, "failed-start", error.message);
    this.world.trace.fault(slot.node, "crash", "its start failed");
    this.gone(slot, "kill");
    const { life } = slot.process;
    this.world.scheduler.call(this.world.scheduler.now + this.world.settings["process.downMax"], () => {
      if (slot.process.life === life) this.start(slot.node);
    });
  }

  private gone(slot: NodeSlot, how: CrashKind): void {
    const { process } = slot;
    const { network } = this.world;
    network.processGone(process, how);
    process.up = false;
    process.machineUp = how === "kill";
    process.life += 1;
    process.paused = false;
    process.turnsLeft = 0;
    process.onTurnsDone = undefined;
    slot.instance = undefined;
    slot.clock = undefined;
    slot.started = false;
    this.operator.standings.forget(slot.node);
    slot.disk.processGone(how);
    this.world.release(process);
  }

  private healCut(cut: { readonly pairs: readonly (readonly [SimProcess, SimProcess])[] }): void {
    if (!this.cuts.delete(cut)) return;
    for (const [a, b] of cut.pairs) this.world.network.heal(a, b);
    this.world.trace.fault("", "heal", cut.pairs.map(([a, b]) => `${a.id}>${b.id}`).join(","));
  }
}
