import type { NodeId } from "../../core/base/brand.ts";
import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

const lagMin = 50 * millisecond;
const lagMax = 1_500 * millisecond;
/** After a leader's first entry: as long as its heartbeats take to be answered and a client to be told. */
const firstMin = 100 * millisecond;
const firstMax = 800 * millisecond;

/**
 * The two connections between nodes run apart: entries arrive late where heartbeats, acknowledgements and the answers to
 * questions pass, or, less often, the other way round. A follower then hears from a leader whose entries it does not have
 * yet, is told what to read up to before it has it, and vouches for what its log held before the entries came.
 */
export function lagLane(world: NemesisWorld, every: Every): void {
  const name = "lane-lag";
  if (world.nodes.length < 2) return;
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const leader = world.leader({ stream: name, key: n });
      const from =
        leader !== undefined && world.draw(`${name}.leader`, n) % 4 !== 0
          ? leader
          : pick(world, { stream: `${name}.from`, key: n }, world.nodes);
      const others = world.nodes.filter((node) => node !== from);
      const to = pick(world, { stream: `${name}.to`, key: n }, others);
      return `${from}>${to} ${world.draw(`${name}.lane`, n) % 4 === 0 ? "control" : "bulk"}`;
    });
    const [pair = "", lane] = (value ?? "").split(" ");
    const [from, to] = pair.split(">").map((id) => nodeNamed(world, id));
    if (from === undefined || to === undefined) return;
    const lag = within(world, { stream: `${name}.for`, key: n }, { low: lagMin, high: lagMax });
    world.clog(from, to, world.now() + lag, lane === "control" ? "control" : "bulk");
  });
}

/** A new leader's entries are held up on their way to all others, whose logs it knows nothing of; its heartbeats arrive. */
export function lagFirstEntries(world: NemesisWorld, every: Every): void {
  const name = "first-lag";
  let wanted: number | undefined;
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watch(["role"], (event) => {
    if (event.kind !== "role" || event.role !== "leader" || wanted === undefined) return;
    const n = wanted;
    wanted = undefined;
    if (world.decide({ kind: name, key: `${name}#${n}` }, () => event.node) === undefined) return;
    const lag = within(world, { stream: `${name}.for`, key: n }, { low: firstMin, high: firstMax });
    const others = world.nodes.filter((node: NodeId) => node !== event.node);
    for (const other of others) world.clog(event.node, other, world.now() + lag, "bulk");
  });
}
