import type { NodeId } from "../../core/base/brand.ts";
import { millisecond } from "../../core/base/units.ts";
import type { HarmKind } from "../harm.ts";
import { harmKinds } from "../harm.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/** Several batches at a change of term are where a node must not guess. */
const kinds: readonly HarmKind[] = ["headers", "headers", "header", "record", "body", "sector", "slot"];
/** The node is started again before the others have gone far on without it, or after they have. */
const soonMax = 60 * millisecond;
const lateMax = 2_000 * millisecond;
/** While a node mends its log, leadership moves, or it crashes again. */
const mendingMax = 150 * millisecond;
const turnsMax = 16;

/**
 * Part of a node's log rots, most of the time near its end, and mostly the node crashes right then, so that recovery finds
 * it; sometimes the leader crashes while it is being mended, or the node once more.
 */
export function rotSomeone(world: NemesisWorld, every: Every): void {
  const name = "rot";
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const allowed = world.nodes.filter((node) => world.mayHarm(node));
      const anyone = pick(world, { stream: `${name}.who`, key: n }, allowed);
      const leader = world.leader({ stream: name, key: n });
      const led =
        leader !== undefined && allowed.includes(leader) && world.draw(`${name}.leader`, n) % 3 === 0;
      const node = led ? leader : anyone;
      if (node === undefined) return undefined;
      return `${node} ${pick(world, { stream: `${name}.kind`, key: n }, kinds)} ${world.draw(`${name}.where`, n)}`;
    });
    const [who, what, where] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    const kind = harmKinds.find((one) => one === what);
    if (node === undefined || kind === undefined) return;
    strike(world, { node, kind, where: Number(where) >>> 0, n });
  });
}

function strike(
  world: NemesisWorld,
  {
    node,
    kind,
    where,
    n,
  }: { readonly node: NodeId; readonly kind: HarmKind; readonly where: number; readonly n: number },
): void {
  const draw = (what: string, low: number, high: number): number =>
    within(world, { stream: `rot.${what}`, key: n }, { low, high });
  const then = draw("then", 0, 7);
  // Cold data of a node that runs on: a reader finds it, or the next restart.
  if (then < 2) {
    world.damage(node, kind, where);
    return;
  }
  const how = draw("how", 0, 1) === 0 ? "kill" : "power";
  const downFor = draw("down", 0, draw("late", 0, 2) === 0 ? lateMax : soonMax);
  world.crash(node, { how });
  world.damage(node, kind, where);
  world.after(downFor, () => {
    world.restart(node);
    const mending = draw("mending", 0, mendingMax);
    if (then === 3 || then === 4)
      world.after(mending, () => again(world, world.leader({ stream: "rot.again", key: n }), n));
    if (then === 5) world.after(mending, () => again(world, node, n));
  });
}

function again(world: NemesisWorld, node: NodeId | undefined, n: number): void {
  if (node === undefined || !world.isUp(node)) return;
  const afterTurns = within(world, { stream: "rot.turns", key: n }, { low: 0, high: turnsMax });
  const how = world.draw("rot.again", n) % 2 === 0 ? "kill" : "power";
  const downFor = within(world, { stream: "rot.again.down", key: n }, { low: 0, high: lateMax });
  world.crash(node, { how, afterTurns, downFor });
}
