import type { GroupId, NodeId } from "../../core/base/brand.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { endsUnsynced } from "./unsynced.ts";

/**
 * A process ends when it has written a copy in place of a damaged record, and not synced it: the sync fails, or the process is
 * killed. The next one is started at once, and reads the copy from the page cache; soon after it has recovered the power
 * fails, and whatever it did not write again is as damaged as it was.
 */
export function loseMending(world: NemesisWorld, every: Every): void {
  const name = "lost-mending";
  let wanted: number | undefined;
  const mending = watchDamaged(world);
  const strike = endsUnsynced(world, name);
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watchOverwrites((at, path) => {
    const [group = "", file = ""] = path.split("/");
    if (wanted === undefined || !file.startsWith("segment-") || !mending.has(`${at} ${group}`)) return;
    const n = wanted;
    wanted = undefined;
    strike(n, at, path);
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
