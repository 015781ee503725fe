import type { GroupId, NodeId } from "../../core/base/brand.ts";
import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { cutOff, drawsOf, runningLeader } from "./names.ts";
import { endsUnsynced } from "./unsynced.ts";

/** While its disk is slow a leader gathers one large batch, part of which it has sent when it is cut off. */
const slownessMin = 10;
const slownessMax = 60;
const gathersMin = 5 * millisecond;
const gathersMax = 150 * millisecond;
const aloneMin = 400 * millisecond;
const aloneMax = 1_200 * millisecond;

/**
 * A cut goes through a batch, and is not synced: the batch has another header in the page cache than on the disk, and dead
 * records stand there where zeros are read. The next process appends to what it reads, and then the power fails: whatever it
 * did not write again is as it was before the cut. What comes of that may show only when the log is opened once more.
 */
export function loseCut(world: NemesisWorld, every: Every): void {
  const name = "lost-cut";
  let wanted: number | undefined;
  let cutting: { readonly node: NodeId; readonly group: GroupId } | undefined;
  const strike = endsUnsynced(world, name, { opensOnceMore: true });
  world.repeat(name, every, (n) => {
    wanted = n;
    if (world.nodes.length > 2) leaveHalfSent(world, "lost-cut-leader", n);
  });
  world.watch(["truncate"], (event) => {
    if (event.kind === "truncate" && wanted !== undefined) cutting = { node: event.node, group: event.group };
  });
  world.watchOverwrites((at, path) => {
    if (wanted === undefined || at !== cutting?.node || !path.startsWith(`${cutting.group}/segment-`)) return;
    const n = wanted;
    wanted = undefined;
    cutting = undefined;
    strike(n, at, path);
  });
}

/** The leader is cut off from the other nodes in the middle of a batch, and comes back when another one leads. */
function leaveHalfSent(world: NemesisWorld, name: string, n: number): void {
  const leader = runningLeader(world, name, n);
  if (leader === undefined) return;
  const draw = drawsOf(world, name, n);
  world.slowDisk(leader, draw("slow", slownessMin, slownessMax));
  const half = draw("first", gathersMin, gathersMax);
  world.after(half, () => {
    const heal = cutOff(world, leader);
    world.after(draw("alone", aloneMin, aloneMax), heal);
  });
  world.after(half + draw("second", gathersMin, gathersMax), () => world.slowDisk(leader, 1));
}
