import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every, Span } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/** How long a node stays read-only, or a disk full. */
interface Spell {
  readonly every: Every;
  readonly last: Span;
}

function spell(world: NemesisWorld, name: string, n: number, { last }: Spell): number {
  return within(world, { stream: `${name}.for`, key: n }, { low: last.min, high: last.max });
}

/**
 * An operator makes a node read-only for a while, half of the time the one that leads. A third of the time the node is
 * stopped and comes back so, as one that was started read-only.
 */
export function readOnlySometimes(world: NemesisWorld, options: Spell): void {
  const name = "read-only";
  world.repeat(name, options.every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const anyone = pick(world, { stream: `${name}.who`, key: n }, world.nodes);
      if (world.draw(`${name}.leader`, n) % 2 !== 0) return anyone;
      return world.leader({ stream: name, key: n }) ?? anyone;
    });
    const node = nodeNamed(world, value);
    if (node === undefined || world.isReadOnly(node)) return;
    world.readOnly(node, true);
    if (world.draw(`${name}.restart`, n) % 3 === 0) world.shutDown(node, 200 * millisecond);
    world.after(spell(world, name, n, options), () => world.readOnly(node, false));
  });
}

/** Every node is made read-only, one after the other: somebody has to lead for the readers. */
export function allReadOnly(world: NemesisWorld, options: Spell): void {
  const name = "all-read-only";
  world.repeat(name, options.every, (n) => {
    if (world.decide({ kind: name, key: `${name}#${n}` }, () => "all") === undefined) return;
    const whole = spell(world, name, n, options);
    world.nodes.forEach((node, i) => {
      const at = within(
        world,
        { stream: `${name}.at`, key: n * 16 + i },
        { low: 0, high: 500 * millisecond },
      );
      world.after(at, () => world.readOnly(node, true));
      world.after(at + whole, () => world.readOnly(node, false));
    });
  });
}

/** Room that is left on a disk when others have filled it, at most. */
const roomMax = 80 * 1_024;

/** Disks fill up and are freed again: mostly one of them, the leader's as often as not; else a majority, or all. */
export function fullDiskSometimes(world: NemesisWorld, options: Spell): void {
  const name = "full-disk";
  world.repeat(name, options.every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => victims(world, name, n).join(","));
    for (const who of value?.split(",") ?? []) {
      const node = nodeNamed(world, who);
      if (node === undefined || world.isFull(node)) continue;
      const key = n * 16 + world.nodes.indexOf(node);
      world.fillDisk(node, within(world, { stream: `${name}.room`, key }, { low: 0, high: roomMax }));
      world.after(spell(world, name, key, options), () => world.fillDisk(node, Number.POSITIVE_INFINITY));
    }
  });
}

function victims(world: NemesisWorld, name: string, n: number): string[] {
  const { nodes } = world;
  const led = world.draw(`${name}.leader`, n) % 2 === 0;
  const first = led ? world.leader({ stream: name, key: n }) : undefined;
  const from = world.draw(`${name}.who`, n) % nodes.length;
  const start = first === undefined ? from : nodes.indexOf(first);
  const chance = world.draw(`${name}.count`, n) % 8;
  const count = chance < 4 ? 1 : chance < 7 ? Math.floor(nodes.length / 2) + 1 : nodes.length;
  return nodes.map((_, i) => nodes[(start + i) % nodes.length] as string).slice(0, count);
}
