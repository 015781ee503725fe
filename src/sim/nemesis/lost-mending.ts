import type { GroupId, NodeId } from "../../core/base/brand.ts";
import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, within } from "./names.ts";

/** A write and its sync take few turns of a process. */
const turnsMax = 6;
const downMax = 20 * millisecond;
/** So long the next process vouches for what it found, before its machine loses the power. */
const aliveMin = 10 * millisecond;
const aliveMax = 500 * millisecond;

/**
 * A process ends when it has written a copy in place of a damaged record, and not synced it: the sync fails, or the process is
 * killed. The next one is started at once, and reads the copy from the page cache; soon after it has recovered the power
 * fails, and whatever it did not write again is as damaged as it was.
 */
export function loseMending(world: NemesisWorld, every: Every): void {
  const name = "lost-mending";
  let wanted: number | undefined;
  const mending = watchDamaged(world);
  /** Processes whose sync is to fail, and those that came after one which ended so. */
  const failing = new Map<NodeId, number>();
  const unsynced = new Map<NodeId, number>();
  const range = (stream: string, n: number, low: number, high: number): number =>
    within(world, { stream: `${name}.${stream}`, key: n }, { low, high });
  const kill = (node: NodeId, n: number, afterTurns: number): void => {
    unsynced.set(node, n);
    world.crash(node, { how: "kill", afterTurns, downFor: range("down", n, 0, downMax) });
  };
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watchOverwrites((at, path) => {
    const [group = "", file = ""] = path.split("/");
    if (wanted === undefined || !file.startsWith("segment-") || !mending.has(`${at} ${group}`)) return;
    const n = wanted;
    wanted = undefined;
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () =>
      range("how", n, 0, 2) === 0 ? `${at} ${range("turns", n, 1, turnsMax)}` : `${at} fail`,
    );
    const [who, how] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    if (node === undefined) return;
    if (how !== "fail") return kill(node, n, Math.max(1, Number(how) | 0));
    failing.set(node, n);
    world.failSyncOf(node, path);
  });
  world.watch(["standing", "recovered"], (event) => {
    if (event.kind === "standing") {
      const n = failing.get(event.node);
      if (n === undefined || event.standing !== "failed") return;
      failing.delete(event.node);
      kill(event.node, n, 1);
    } else if (event.kind === "recovered") {
      const { node } = event;
      const n = unsynced.get(node);
      failing.delete(node);
      unsynced.delete(node);
      if (n === undefined) return;
      const downFor = range("dark", n, 0, downMax);
      world.after(range("alive", n, aliveMin, aliveMax), () => world.crash(node, { how: "power", downFor }));
    }
  });
}

/** The logs that are known to be damaged, each `node group`: what is written in place of something there is a copy, or a cut. */
function watchDamaged(world: NemesisWorld): ReadonlySet<string> {
  const damaged = new Set<string>();
  const keyOf = (at: { readonly node: NodeId; readonly group: GroupId }): string => `${at.node} ${at.group}`;
  world.watch(["damage", "standing", "recovered"], (event) => {
    if (event.kind === "damage" && event.change === "found") damaged.add(keyOf(event));
    else if (event.kind === "recovered") damaged.delete(keyOf(event));
    else if (event.kind === "standing" && event.standing !== "damaged") damaged.delete(keyOf(event));
  });
  return damaged;
}
