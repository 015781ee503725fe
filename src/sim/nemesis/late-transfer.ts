import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { within } from "./names.ts";

/** Longer than a leader waits for a transfer, so that it has gone on appending when the order to campaign arrives. */
const lateMin = 1_100 * millisecond;
const lateMax = 2_500 * millisecond;

/**
 * A leader's order to campaign is held up on its way: it arrives after the leader has given the transfer up and gone on, at a
 * node that is behind by then. Only the voters' own look at the logs keeps that node from leading.
 */
export function lateTransfer(world: NemesisWorld, every: Every): void {
  const name = "late-transfer";
  let wanted: number | undefined;
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watch(["transfer"], (event) => {
    if (event.kind !== "transfer" || event.change !== "begun" || wanted === undefined) return;
    const n = wanted;
    wanted = undefined;
    if (world.decide({ kind: name, key: `${name}#${n}` }, () => event.to) === undefined) return;
    const late = within(world, { stream: `${name}.for`, key: n }, { low: lateMin, high: lateMax });
    world.clog(event.node, event.to, world.now() + late);
  });
}
