import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { within } from "./names.ts";

/** Long enough for a rival to campaign in the same term and to win it. */
const heldMin = 300 * millisecond;
const heldMax = 1_200 * millisecond;

/**
 * A candidate's questions are held up on their way, so that a rival campaigns in the same term and wins it: the candidate
 * comes to follow a leader of its own term, whose log may lack what it holds, and votes arrive that were asked for long ago.
 */
export function outrunCandidate(world: NemesisWorld, every: Every): void {
  const name = "outrun";
  if (world.nodes.length < 2) return;
  let wanted: number | undefined;
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watch(["role"], (event) => {
    if (event.kind !== "role" || event.role !== "candidate" || wanted === undefined) return;
    const n = wanted;
    wanted = undefined;
    if (world.decide({ kind: name, key: `${name}#${n}` }, () => event.node) === undefined) return;
    const held = within(world, { stream: `${name}.for`, key: n }, { low: heldMin, high: heldMax });
    for (const other of world.nodes)
      if (other !== event.node) world.clog(event.node, other, world.now() + held);
  });
}
