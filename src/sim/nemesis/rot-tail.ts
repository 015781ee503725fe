import { millisecond } from "../../core/base/units.ts";
import type { HarmKind } from "../harm.ts";
import { harmKinds } from "../harm.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { cutOff, drawsOf, nodeNamed, pick } from "./names.ts";

const kinds: readonly HarmKind[] = ["headers", "header", "record", "body", "sector"];
/** Long enough for several batches that nobody else gets, and for another leader. */
const aloneMin = 600 * millisecond;
const aloneMax = 1_500 * millisecond;
const downMax = 200 * millisecond;
/** Started again, it is alone with its damage for so long. */
const lonelyMax = 100 * millisecond;

/**
 * The leader is cut off from the other nodes, but not from its clients, and what it appends in vain rots as it crashes: no
 * peer has what is damaged, so nobody can mend it, and it is only gone when the next leader's entries cut it.
 */
export function rotTails(world: NemesisWorld, every: Every): void {
  const name = "rot-tail";
  if (world.nodes.length < 3) return;
  world.repeat(name, every, (n) => {
    const at = { stream: name, key: n };
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const leader = world.leader(at);
      if (leader === undefined || !world.mayHarm(leader)) return undefined;
      const kind = pick(world, { stream: `${name}.kind`, key: n }, kinds);
      return `${leader} ${kind} ${world.draw(`${name}.where`, n)}`;
    });
    const [who, what, where] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    const kind = harmKinds.find((one) => one === what);
    if (node === undefined || kind === undefined || !world.isUp(node)) return;
    const draw = drawsOf(world, name, n);
    const heal = cutOff(world, node);
    const alone = draw("for", aloneMin, aloneMax);
    const down = draw("down", 0, downMax);
    world.after(alone, () => {
      world.crash(node, { how: "kill" });
      world.damage(node, kind, Number(where) >>> 0);
      world.after(down, () => world.restart(node));
    });
    world.after(alone + down + draw("lonely", 0, lonelyMax), heal);
  });
}
