import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/** Long enough for one message to arrive, too short for an election. */
const leadsFor = 20 * millisecond;
const slowMin = 500 * millisecond;
const slowMax = 2_000 * millisecond;

/**
 * A new leader's first entry reaches one follower only, whose disk is slow just then, and the leader loses it with its
 * power: the follower still writes it when the next leader cuts it and commits its own.
 */
export function loneFirstAppend(world: NemesisWorld, every: Every): void {
  const name = "lone-append";
  if (world.nodes.length < 3) return;
  let wanted: number | undefined;
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watch(["append"], (event) => {
    if (wanted === undefined || event.kind !== "append" || event.entries[0]?.kind !== "no-op") return;
    if (event.node !== world.leaderOf(event.group)) return;
    const n = wanted;
    wanted = undefined;
    const others = world.nodes.filter((node) => node !== event.node);
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () =>
      pick(world, { stream: `${name}.who`, key: n }, others),
    );
    const witness = nodeNamed(world, value);
    if (witness === undefined) return;
    const cut = world.cut(
      [event.node],
      others.filter((node) => node !== witness),
    );
    world.slowDisk(witness, within(world, { stream: `${name}.factor`, key: n }, { low: 20, high: 200 }));
    world.after(leadsFor, () => {
      if (world.isUp(event.node)) {
        const downFor = within(
          world,
          { stream: `${name}.down`, key: n },
          { low: 0, high: 100 * millisecond },
        );
        world.crash(event.node, { how: "power", downFor });
      }
      cut.heal();
    });
    const slowFor = within(world, { stream: `${name}.for`, key: n }, { low: slowMin, high: slowMax });
    world.after(slowFor, () => world.slowDisk(witness, 1));
  });
}
