import type { NodeId } from "../../core/base/brand.ts";
import type { NemesisWorld } from "../scenario.ts";

/** When an action comes again and again. */
export interface Every {
  readonly first?: number;
  readonly min: number;
  readonly max: number;
}

/** Bounds of how long something lasts. */
export interface Span {
  readonly min: number;
  readonly max: number;
}

/** One of `list`, by the draw (stream, key). */
export function pick<T>(
  world: NemesisWorld,
  at: { readonly stream: string; readonly key: number },
  list: readonly T[],
): T | undefined {
  return list.length === 0 ? undefined : list[world.draw(at.stream, at.key) % list.length];
}

/** An integer of [low, high], by the draw (stream, key). */
export function within(
  world: NemesisWorld,
  at: { readonly stream: string; readonly key: number },
  range: { readonly low: number; readonly high: number },
): number {
  const { low, high } = range;
  return high <= low ? low : low + (world.draw(at.stream, at.key) % (high - low + 1));
}

/** Draws what occurrence `key` of a disturbance needs, each of a stream of its own: an integer of [low, high]. */
export function drawsOf(
  world: NemesisWorld,
  name: string,
  key: number,
): (stream: string, low: number, high: number) => number {
  return (stream, low, high) => within(world, { stream: `${name}.${stream}`, key }, { low, high });
}

/** A random order of `list`. */
export function shuffled<T>(
  world: NemesisWorld,
  at: { readonly stream: string; readonly key: number },
  list: readonly T[],
): T[] {
  const left = [...list];
  const out: T[] = [];
  for (let i = 0; left.length > 0; i++) {
    const [next] = left.splice(world.draw(`${at.stream}.order`, at.key * 16 + i) % left.length, 1);
    out.push(next as T);
  }
  return out;
}

/** The leader at occurrence `n` of a disturbance, as it was decided; undefined when none runs. */
export function runningLeader(world: NemesisWorld, name: string, n: number): NodeId | undefined {
  const value = world.decide({ kind: name, key: `${name}#${n}` }, () =>
    world.leader({ stream: name, key: n }),
  );
  const leader = nodeNamed(world, value);
  return leader !== undefined && world.isUp(leader) ? leader : undefined;
}

/** Cuts a node off from the other nodes, both ways. @returns what heals it. */
export function cutOff(world: NemesisWorld, node: NodeId): () => void {
  const others = world.nodes.filter((other) => other !== node);
  const cuts = [world.cut([node], others), world.cut(others, [node])];
  return () => {
    for (const cut of cuts) cut.heal();
  };
}

/** A node's id from a decision's value; undefined when a hand-edited list names no node of this run. */
export function nodeNamed(world: NemesisWorld, name: string | undefined): NodeId | undefined {
  return world.nodes.find((node) => node === name);
}
