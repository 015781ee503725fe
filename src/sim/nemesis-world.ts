import type { GroupId, NodeId } from "../core/base/brand.ts";
import type { Micros } from "../core/base/units.ts";
import type { TraceEvent, TraceKind } from "../core/io/trace.ts";
import type { Cluster, CrashKind } from "./cluster.ts";
import type { Work } from "./disk.ts";
import type { FaultBudget } from "./fault-budget.ts";
import type { HarmKind } from "./harm.ts";
import type { Cut, NemesisWorld, PeerLane } from "./scenario.ts";
import type { FaultSettings } from "./settings.ts";
import type { TraceReader } from "./trace-sink.ts";
import type { World } from "./world.ts";

/** Knows who leads a group, from the trace: the leader of the highest term that was not seen to step down. */
class LeaderWatch implements TraceReader {
  readonly kinds: readonly TraceKind[] = ["role"];
  private readonly terms = new Map<NodeId, number>();
  readonly group: GroupId;

  constructor(group: GroupId) {
    this.group = group;
  }

  onEvent(event: TraceEvent): void {
    if (event.kind !== "role" || event.group !== this.group) return;
    if (event.role === "leader") this.terms.set(event.node, event.term);
    else this.terms.delete(event.node);
  }

  forget(node: NodeId): void {
    this.terms.delete(node);
  }

  leader(isUp: (node: NodeId) => boolean): NodeId | undefined {
    let best: NodeId | undefined;
    let bestTerm = -1;
    for (const [node, term] of this.terms) {
      if (term <= bestTerm || !isUp(node)) continue;
      best = node;
      bestTerm = term;
    }
    return best;
  }
}

/** What a scenario's nemesis can do, until `end`. */
export class Nemesis implements NemesisWorld {
  readonly duration: Micros;
  readonly nodes: readonly NodeId[];
  readonly groups: readonly GroupId[];
  readonly settings: Readonly<FaultSettings>;
  private readonly world: World;
  private readonly cluster: Cluster;
  /** One for each group. */
  private readonly leaders: readonly LeaderWatch[];
  private readonly budget: FaultBudget;
  private ended = false;
  /** Set by whoever has clients. */
  crowds: ((group: GroupId) => void) | undefined;

  constructor(
    world: World,
    cluster: Cluster,
    options: { readonly duration: Micros; readonly budget: FaultBudget },
  ) {
    this.world = world;
    this.cluster = cluster;
    this.duration = options.duration;
    this.budget = options.budget;
    this.nodes = cluster.nodes;
    this.groups = cluster.groups;
    this.settings = world.settings;
    this.leaders = cluster.groups.map((group) => new LeaderWatch(group));
    for (const watch of this.leaders) world.trace.add(watch);
  }

  /** The faults are over: nothing repeats any more, and what is still planned does nothing. */
  end(): void {
    this.ended = true;
  }

  now(): Micros {
    return this.world.scheduler.now;
  }

  draw(stream: string, key: number): number {
    return this.world.random.draw(`schedule(${stream})`, key);
  }

  repeat(
    name: string,
    every: { readonly first?: Micros; readonly min: Micros; readonly max: Micros },
    act: (n: number) => void,
  ): void {
    const stream = this.world.random.stream(`schedule(${name})`);
    const next = (n: number, from: Micros): void => {
      const at = from + Math.max(1, stream.between(n, every.min, every.max));
      if (at >= this.duration) return;
      this.world.scheduler.call(at, () => {
        if (this.ended) return;
        next(n + 1, at);
        act(n);
      });
    };
    next(0, this.now() + (every.first ?? 0));
  }

  watch(kinds: readonly TraceKind[], act: (event: TraceEvent) => void): void {
    this.world.trace.add({
      kinds,
      onEvent: (event) => {
        if (!this.ended) act(event);
      },
    });
  }

  watchNewFiles(act: (node: NodeId, path: string) => void): void {
    this.watchDisks("onNewFile", act);
  }

  watchOverwrites(act: (node: NodeId, path: string) => void): void {
    this.watchDisks("onOverwrite", act);
  }

  private watchDisks(what: "onNewFile" | "onOverwrite", act: (node: NodeId, path: string) => void): void {
    for (const node of this.nodes) {
      const disk = this.cluster.diskOf(node);
      const others = disk[what];
      disk[what] = (path) => {
        others?.(path);
        if (!this.ended) act(node, path);
      };
    }
  }

  after(delay: Micros, act: () => void): void {
    this.world.scheduler.call(this.now() + delay, act);
  }

  decide(
    fault: { readonly kind: string; readonly key: string; readonly node?: NodeId },
    draw: () => string | undefined,
  ): string | undefined {
    return this.world.decisions.decide({ kind: fault.kind, key: fault.key }, draw);
  }

  leader(at?: { readonly stream: string; readonly key: number }): NodeId | undefined {
    const { leaders } = this;
    const which =
      at === undefined || leaders.length === 1 ? 0 : this.draw(`${at.stream}.group`, at.key) % leaders.length;
    return this.running(leaders[which]);
  }

  leaderOf(group: GroupId): NodeId | undefined {
    return this.running(this.leaders.find((watch) => watch.group === group));
  }

  private running(watch: LeaderWatch | undefined): NodeId | undefined {
    return watch?.leader((node) => this.cluster.isUp(node));
  }

  isUp(node: NodeId): boolean {
    return this.cluster.isUp(node);
  }

  hasStarted(node: NodeId): boolean {
    return this.cluster.isUp(node) && this.cluster.hasStarted(node);
  }

  isPaused(node: NodeId): boolean {
    return this.cluster.isPaused(node);
  }

  crash(
    node: NodeId,
    options: { readonly how: CrashKind; readonly afterTurns?: number; readonly downFor?: Micros },
  ): void {
    if (this.ended) return;
    const { how, afterTurns, downFor } = options;
    const crashed = (): void => this.restartAfter(node, downFor);
    if (afterTurns !== undefined && afterTurns > 0)
      this.cluster.crashAfter(node, { how, turns: afterTurns, crashed });
    else if (this.cluster.crash(node, how)) crashed();
  }

  shutDown(node: NodeId, downFor: Micros): void {
    if (!this.ended) this.cluster.shutDown(node, () => this.restartAfter(node, downFor));
  }

  private restartAfter(node: NodeId, downFor: Micros | undefined): void {
    if (downFor === undefined) return;
    this.after(downFor, () => {
      if (!this.cluster.isUp(node)) this.restart(node);
    });
  }

  restart(node: NodeId): void {
    for (const watch of this.leaders) watch.forget(node);
    this.cluster.start(node);
  }

  pause(node: NodeId): void {
    if (!this.ended) this.cluster.pause(node);
  }

  resume(node: NodeId): void {
    this.cluster.resume(node);
  }

  cut(from: readonly NodeId[], to: readonly NodeId[]): Cut {
    return this.ended ? { heal: () => undefined } : this.cluster.cut(from, to);
  }

  clog(from: NodeId, to: NodeId, until: Micros, lane?: PeerLane): void {
    if (!this.ended) this.cluster.clog(from, to, until, lane);
  }

  slowDisk(node: NodeId, factor: number): void {
    if (!this.ended) this.cluster.slowDisk(node, factor);
  }

  fillDisk(node: NodeId, room: number): void {
    if (!this.ended) this.cluster.fillDisk(node, room);
  }

  readOnly(node: NodeId, on: boolean): void {
    if (!this.ended) this.cluster.readOnly(node, on);
  }

  isReadOnly(node: NodeId): boolean {
    return this.cluster.isReadOnly(node);
  }

  isFull(node: NodeId): boolean {
    return this.cluster.isFull(node);
  }

  jumpClock(node: NodeId, by: Micros): void {
    if (!this.ended) this.cluster.jumpClock(node, by);
  }

  wipe(node: NodeId): boolean {
    if (this.ended || this.cluster.isUp(node) || !this.budget.mayLose(node)) return false;
    this.cluster.wipe(node);
    return true;
  }

  mayHarm(node: NodeId): boolean {
    return this.budget.allows(node);
  }

  isMember(node: NodeId): boolean {
    return this.cluster.operator.standings.isMember(node);
  }

  damage(node: NodeId, kind: HarmKind, value: number): boolean {
    return !this.ended && this.cluster.decay.harm(node, kind, value);
  }

  hide(node: NodeId, kind: HarmKind, value: number, lasting: Micros): boolean {
    return !this.ended && this.cluster.decay.hide(node, kind, value, lasting);
  }

  crowd(group: GroupId): void {
    if (this.ended) return;
    this.world.count("crowd");
    this.world.trace.fault("", "crowd", group);
    this.crowds?.(group);
  }

  failDisk(node: NodeId, work: Work): void {
    if (!this.ended) this.cluster.diskOf(node).failNext = work;
  }

  failSyncOf(node: NodeId, path: string): void {
    if (!this.ended) this.cluster.diskOf(node).failSyncOf = path;
  }
}
