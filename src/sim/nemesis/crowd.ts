import type { NodeId } from "../../core/base/brand.ts";
import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, within } from "./names.ts";

/** The crash falls within so many turns of the leader's process behind a commit: the answers are on their way, or not yet. */
const turnsMax = 3;
const downMin = 300 * millisecond;
const downMax = 1_500 * millisecond;

/**
 * A leader crashes just when it has committed, and clients that nobody has seen before come for its successor: they open more
 * sessions than the nodes keep before those whose answers were lost with the leader can ask again.
 */
export function crowdIn(world: NemesisWorld, every: Every): void {
  const name = "crowd";
  let wanted: number | undefined;
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watch(["commit"], (event) => {
    if (wanted === undefined || event.kind !== "commit" || !event.leader) return;
    const n = wanted;
    wanted = undefined;
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => event.node);
    const leader: NodeId | undefined = nodeNamed(world, value);
    if (leader === undefined) return;
    const draw = (what: string, low: number, high: number): number =>
      within(world, { stream: `${name}.${what}`, key: n }, { low, high });
    world.crash(leader, {
      how: "kill",
      afterTurns: draw("turns", 1, turnsMax),
      downFor: draw("down", downMin, downMax),
    });
    world.after(1, () => world.crowd(event.group));
  });
}
