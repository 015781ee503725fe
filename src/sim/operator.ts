import type { NodeId } from "../core/base/brand.ts";
import type { Micros } from "../core/base/units.ts";
import { millisecond, second } from "../core/base/units.ts";
import { Standings } from "./standings.ts";
import type { World } from "./world.ts";

const waitMin: Micros = 1 * second;
const waitMax: Micros = 4 * second;
/** Once the faults are over nobody loses time. */
const waitAfterHealing: Micros = 200 * millisecond;
/** A smaller group cannot do without one of its nodes. */
const nodesMin = 3;

/** What an operator sees of the cluster, and does to it. */
export interface OperatorWorld {
  nodes(): readonly NodeId[];
  lifeOf(node: NodeId): number;
  /** Whether all that was harmed on the node's disk has been mended. */
  isWhole(node: NodeId): boolean;
  /** Starts the process anew, unless it has got another life meanwhile. */
  restart(node: NodeId, life: number): void;
}

/**
 * Sees that a node has given up for the rest of its life, and after a while starts its process anew. In a run with
 * `operator.away` nobody comes to one such node, as nobody may for hours in earnest: it stays as it is until something
 * else ends its process, through healing to the end of the run if the others can do without it.
 */
export class Operator {
  readonly standings: Standings;
  private readonly world: World;
  private readonly cluster: OperatorWorld;
  private seen = 0;
  private hurries = false;
  private left: { readonly node: NodeId; readonly life: number } | undefined;

  constructor(world: World, cluster: OperatorWorld) {
    this.world = world;
    this.cluster = cluster;
    this.standings = new Standings((node) => this.failed(node));
    world.trace.add(this.standings);
  }

  /** The node to which nobody comes; undefined when there is none. */
  get leftAlone(): NodeId | undefined {
    const { left } = this;
    return left !== undefined && this.cluster.lifeOf(left.node) === left.life ? left.node : undefined;
  }

  private failed(node: NodeId): void {
    if (this.leaves(node)) return;
    const { scheduler, random } = this.world;
    const stream = random.stream("schedule(operator)");
    const wait = this.hurries ? waitAfterHealing : stream.between(this.seen++, waitMin, waitMax);
    const life = this.cluster.lifeOf(node);
    scheduler.call(scheduler.now + wait, () => this.cluster.restart(node, life));
  }

  private leaves(node: NodeId): boolean {
    // It gives up in another group too.
    if (this.leftAlone === node) return true;
    if (this.world.settings["operator.away"] === 0 || this.hurries || this.leftAlone !== undefined)
      return false;
    const others = this.cluster.nodes().filter((other) => other !== node);
    // A group that has not been formed yet waits for all of its nodes.
    if (others.length < nodesMin - 1 || !others.some((other) => this.standings.isMember(other))) return false;
    this.left = { node, life: this.cluster.lifeOf(node) };
    return true;
  }

  /** The faults are over: whoever gave up is started anew now, but for one that is left alone and that nobody needs. */
  hurry(): void {
    this.hurries = true;
    const nodes = this.cluster.nodes();
    const left = this.leftAlone;
    if (left !== undefined && nodes.every((node) => node === left || this.isFit(node))) {
      this.world.trace.fault(left, "left-alone", "");
    } else this.left = undefined;
    for (const node of nodes) {
      if (node === this.leftAlone || !this.standings.any(node, "failed")) continue;
      this.cluster.restart(node, this.cluster.lifeOf(node));
    }
  }

  private isFit(node: NodeId): boolean {
    return this.standings.isMember(node) && this.cluster.isWhole(node);
  }
}
