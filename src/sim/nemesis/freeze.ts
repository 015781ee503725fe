import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { cutOff, runningLeader, within } from "./names.ts";

/** Long enough for the others to elect a new leader and to acknowledge something. */
const frozenMin = 500 * millisecond;
const frozenMax = 2_000 * millisecond;
/** After it runs again it hears nobody for so long, but its clients. */
const deafMin = 20 * millisecond;
const deafMax = 600 * millisecond;

/**
 * The leader stands still and is cut off from the other nodes at the same moment, then runs again and finds the calls of
 * its clients waiting before it can hear that another leads: whatever it answers from what it knew is stale.
 */
export function freezeLeader(world: NemesisWorld, every: Every): void {
  const name = "freeze-leader";
  if (world.nodes.length < 2) return;
  world.repeat(name, every, (n) => {
    const leader = runningLeader(world, name, n);
    if (leader === undefined) return;
    const heal = cutOff(world, leader);
    world.pause(leader);
    const frozen = within(world, { stream: `${name}.for`, key: n }, { low: frozenMin, high: frozenMax });
    const deaf = within(world, { stream: `${name}.deaf`, key: n }, { low: deafMin, high: deafMax });
    world.after(frozen, () => world.resume(leader));
    world.after(frozen + deaf, heal);
  });
}
