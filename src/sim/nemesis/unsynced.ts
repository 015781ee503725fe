import type { NodeId } from "../../core/base/brand.ts";
import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import { nodeNamed, within } from "./names.ts";

/** A write and its sync take few turns of a process. */
const turnsMax = 6;
const downMax = 20 * millisecond;
/** So long the next process vouches for what it found, before its machine loses the power. */
const aliveMin = 10 * millisecond;
const aliveMax = 500 * millisecond;
/** After the power loss, and what it takes to start. */
const againMin = 200 * millisecond;
const againMax = 1_500 * millisecond;

/**
 * For what a process is just writing into a file: the process ends before that is synced, by a kill or because the sync fails. The
 * next one is started at once, reads it from the page cache and goes on from it; soon after that the power fails.
 * @param opensOnceMore the one after that is killed too.
 * @returns the strike; `n` numbers them.
 */
export function endsUnsynced(
  world: NemesisWorld,
  name: string,
  { opensOnceMore = false }: { readonly opensOnceMore?: boolean } = {},
): (n: number, at: NodeId, path: string) => void {
  /** Processes whose sync is to fail, and those that came after one which ended so. */
  const failing = new Map<NodeId, number>();
  const unsynced = new Map<NodeId, number>();
  const range = (stream: string, n: number, low: number, high: number): number =>
    within(world, { stream: `${name}.${stream}`, key: n }, { low, high });
  const kill = (node: NodeId, n: number, afterTurns: number): void => {
    unsynced.set(node, n);
    world.crash(node, { how: "kill", afterTurns, downFor: range("down", n, 0, downMax) });
  };
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
      const alive = range("alive", n, aliveMin, aliveMax);
      world.after(alive, () => world.crash(node, { how: "power", downFor }));
      if (!opensOnceMore) return;
      const again = alive + range("again", n, againMin, againMax);
      world.after(again, () => world.crash(node, { how: "kill", downFor: range("down", n, 0, downMax) }));
    }
  });
  return (n, at, path) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () =>
      range("how", n, 0, 2) === 0 ? `${at} ${range("turns", n, 1, turnsMax)}` : `${at} fail`,
    );
    const [who, how] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    if (node === undefined) return;
    if (how !== "fail") return kill(node, n, Math.max(1, Number(how) | 0));
    failing.set(node, n);
    world.failSyncOf(node, path);
  };
}
