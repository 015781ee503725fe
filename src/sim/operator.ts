import type { NodeId } from "../core/base/brand.ts";
import type { Micros } from "../core/base/units.ts";
import { millisecond, second } from "../core/base/units.ts";
import { Standings } from "./standings.ts";
import type { World } from "./world.ts";

const waitMin: Micros = 1 * second;
const waitMax: Micros = 4 * second;
/** Once the faults are over nobody loses time. */
const waitAfterHealing: Micros = 200 * millisecond;

/** Sees that a node has given up for the rest of its life, and after a while starts its process anew. */
export class Operator {
  readonly standings: Standings;
  private readonly world: World;
  private readonly restart: (node: NodeId, life: number) => void;
  private readonly lifeOf: (node: NodeId) => number;
  private seen = 0;
  private hurries = false;

  /** @param restart does nothing when the process has got another life meanwhile. */
  constructor(world: World, lifeOf: (node: NodeId) => number, restart: (node: NodeId, life: number) => void) {
    this.world = world;
    this.lifeOf = lifeOf;
    this.restart = restart;
    this.standings = new Standings((node) => this.failed(node));
    world.trace.add(this.standings);
  }

  private failed(node: NodeId): void {
    const { scheduler, random } = this.world;
    const stream = random.stream("schedule(operator)");
    const wait = this.hurries ? waitAfterHealing : stream.between(this.seen++, waitMin, waitMax);
    const life = this.lifeOf(node);
    scheduler.call(scheduler.now + wait, () => this.restart(node, life));
  }

  /** The faults are over: whoever gave up is started anew now. */
  hurry(nodes: readonly NodeId[]): void {
    this.hurries = true;
    for (const node of nodes) if (this.standings.any(node, "failed")) this.restart(node, this.lifeOf(node));
  }
}
