import type { NodeId } from "../../core/base/brand.ts";
import { majority } from "../../core/base/quorum.ts";
import type { Cut, NemesisWorld } from "../scenario.ts";
import type { Every, Span } from "./names.ts";
import { nodeNamed, pick, shuffled, within } from "./names.ts";

/**
 * - `halves`: two sides that do not hear each other, one of them a majority where there is one.
 * - `old-leader`: the leader with as many others as stay a minority, against the rest.
 * - `one-way`: what one node says reaches nobody, though it hears all.
 * - `deaf`: one node hears nobody, though all hear it.
 * - `ring`: each node hears only its neighbours in some order, so that everyone is reached and no majority agrees on who.
 */
export type PartitionKind = "halves" | "old-leader" | "one-way" | "deaf" | "ring";

export const partitionKinds: readonly PartitionKind[] = ["old-leader", "halves", "one-way", "deaf", "ring"];

export interface Partitions {
  readonly every: Every;
  /** How long one lasts. */
  readonly last: Span;
  readonly kinds: readonly PartitionKind[];
}

/** Partitions come and go; they may overlap when they last longer than the distance between them. */
export function partition(world: NemesisWorld, { every, last, kinds }: Partitions): void {
  const name = "partition";
  if (world.nodes.length < 2) return;
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const kind = pick(world, { stream: `${name}.kind`, key: n }, kinds);
      return kind === undefined ? undefined : describe(world, kind, n);
    });
    if (value === undefined) return;
    const cuts = apply(world, value);
    const lasts = within(world, { stream: `${name}.for`, key: n }, { low: last.min, high: last.max });
    world.after(lasts, () => {
      for (const cut of cuts) cut.heal();
    });
  });
}

/** The value of the decision: `halves n0,n1|n2`, `one-way n1|n0,n2`, `ring n2,n0,n1`. */
function describe(world: NemesisWorld, kind: PartitionKind, n: number): string {
  const order = shuffled(world, { stream: "partition", key: n }, world.nodes);
  if (kind === "ring") return `ring ${order.join(",")}`;
  const leader = world.leader({ stream: "partition", key: n });
  const aim = kind === "old-leader" || world.draw("partition.aim", n) % 2 === 0;
  if (aim && leader !== undefined) {
    order.splice(order.indexOf(leader), 1);
    order.unshift(leader);
  }
  const minorityMax = order.length - majority(order.length);
  // Two nodes have no minority: each half is one node.
  const sideMax = Math.max(1, minorityMax);
  const single = kind === "one-way" || kind === "deaf";
  const side = single ? 1 : within(world, { stream: "partition.side", key: n }, { low: 1, high: sideMax });
  return `${kind} ${order.slice(0, side).join(",")}|${order.slice(side).join(",")}`;
}

function apply(world: NemesisWorld, value: string): Cut[] {
  const [kind, sides = ""] = value.split(" ");
  const [a = [], b = []] = sides.split("|").map((side) => named(world, side));
  if (kind === "one-way") return [world.cut(a, b)];
  if (kind === "deaf") return [world.cut(b, a)];
  if (kind !== "ring") return [world.cut(a, b), world.cut(b, a)];
  return a.flatMap((node, i) => {
    const far = a.filter((_, j) => {
      const distance = Math.abs(i - j);
      return distance > 1 && distance < a.length - 1;
    });
    return far.length === 0 ? [] : [world.cut([node], far)];
  });
}

function named(world: NemesisWorld, list: string): NodeId[] {
  return list.split(",").flatMap((name) => nodeNamed(world, name) ?? []);
}

/** One direction between two nodes is held up for a while; nothing is lost. */
export function clogSometimes(world: NemesisWorld, every: Every, last: Span): void {
  const name = "clog";
  if (world.nodes.length < 2) return;
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () =>
      shuffled(world, { stream: name, key: n }, world.nodes).slice(0, 2).join(">"),
    );
    const [from, to] = (value ?? "").split(">").map((id) => nodeNamed(world, id));
    if (from === undefined || to === undefined) return;
    const lasts = within(world, { stream: `${name}.for`, key: n }, { low: last.min, high: last.max });
    world.clog(from, to, world.now() + lasts);
  });
}
