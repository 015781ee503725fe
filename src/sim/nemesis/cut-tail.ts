import type { NodeId } from "../../core/base/brand.ts";
import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { cutOff, runningLeader, within } from "./names.ts";

/** Long enough for several batches that nobody else gets, and for another leader. */
const aloneMin = 600 * millisecond;
const aloneMax = 1_500 * millisecond;
/** The old leader's disk is slow while it cuts, so that the crash finds any part of the cut done. */
const slownessMax = 20;
/** A cut is two syncs and a write or two. */
const cutMax = 30 * millisecond;
const downMax = 200 * millisecond;

/**
 * The leader is cut off from the other nodes, but not from its clients: it goes on appending, in vain. When it is back and
 * cuts that tail, its machine loses its power in the middle of the cut.
 */
export function powerLossInCuts(world: NemesisWorld, every: Every): void {
  const name = "cut-tail";
  if (world.nodes.length < 3) return;
  const waiting = new Map<NodeId, number>();
  world.repeat(name, every, (n) => {
    const leader = runningLeader(world, name, n);
    if (leader === undefined) return;
    const heal = cutOff(world, leader);
    waiting.set(leader, n);
    const alone = within(world, { stream: `${name}.for`, key: n }, { low: aloneMin, high: aloneMax });
    world.after(alone, heal);
  });
  world.watch(["truncate"], (event) => {
    if (event.kind !== "truncate") return;
    const { node } = event;
    const n = waiting.get(node);
    if (n === undefined) return;
    waiting.delete(node);
    const draw = (what: string, high: number): number =>
      within(world, { stream: `${name}.${what}`, key: n }, { low: 0, high });
    world.slowDisk(node, 1 + draw("slow", slownessMax - 1));
    world.after(draw("crash", cutMax), () => {
      world.crash(node, { how: "power", downFor: draw("down", downMax) });
      world.slowDisk(node, 1);
    });
  });
}
