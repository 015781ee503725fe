import type { NodeId } from "../../core/base/brand.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, within } from "./names.ts";

/** A segment is made, written with zeros, synced and its name synced within about so many turns. */
const makingTurnsMax = 12;
/** The next one is begun when the log goes on in this one: until its name is synced too, this one's may not be. */
const rollTurnsMax = 8;
const downMax = 100_000;

/**
 * A process is killed while it makes the segment that is written ahead; when the log rolls into that segment in the next
 * life, the machine loses its power: the segment's name was never synced, unless the start saw to it.
 */
export function crashAtRolls(world: NemesisWorld, every: Every): void {
  const name = "roll-crash";
  let wanted: number | undefined;
  /** By the log whose segment it is: a node has one for each group. */
  const halfMade = new Map<string, number>();
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watchNewFiles((node, path) => {
    if (!path.includes("/segment-")) return;
    const log = `${node} ${path.slice(0, path.lastIndexOf("/"))}`;
    const rolls = halfMade.get(log);
    halfMade.delete(log);
    if (rolls !== undefined) strike(world, { node, name: `${name}.roll`, n: rolls, how: "power" });
    if (rolls !== undefined || wanted === undefined) return;
    const n = wanted;
    wanted = undefined;
    if (strike(world, { node, name, n, how: "kill" })) halfMade.set(log, n);
  });
}

function strike(
  world: NemesisWorld,
  { node: aimed, name, n, how }: { node: NodeId; name: string; n: number; how: "kill" | "power" },
): boolean {
  const high = how === "kill" ? makingTurnsMax : rollTurnsMax;
  const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
    return `${aimed} ${within(world, { stream: `${name}.turns`, key: n }, { low: 1, high })}`;
  });
  const [who, turns] = value?.split(" ") ?? [];
  const node = nodeNamed(world, who);
  if (node === undefined) return false;
  const downFor = within(world, { stream: `${name}.down`, key: n }, { low: 0, high: downMax });
  world.crash(node, { how, afterTurns: Math.max(1, Number(turns) | 0), downFor });
  return true;
}
