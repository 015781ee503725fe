import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/** A process stands still for a while: nothing of it runs, and what comes for it waits. Half of the time the leader. */
export function pauseSomeone(world: NemesisWorld, every: Every): void {
  const name = "pause";
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const anyone = pick(world, { stream: `${name}.who`, key: n }, world.nodes);
      const led = world.draw(`${name}.leader`, n) % 2 === 0;
      const node = (led ? world.leader({ stream: name, key: n }) : undefined) ?? anyone;
      return node !== undefined && world.isUp(node) ? node : undefined;
    });
    const node = nodeNamed(world, value);
    if (node === undefined) return;
    const high = world.settings["process.pauseMax"];
    const pauseFor = within(
      world,
      { stream: `${name}.for`, key: n },
      { low: Math.min(high, 10 * millisecond), high },
    );
    world.pause(node);
    world.after(pauseFor, () => world.resume(node));
  });
}

/** One disk becomes many times slower for a while. */
export function slowDiskSometimes(world: NemesisWorld, every: Every): void {
  const name = "slow-disk";
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const node = pick(world, { stream: `${name}.who`, key: n }, world.nodes);
      const factor = within(world, { stream: `${name}.factor`, key: n }, { low: 2, high: 100 });
      return node === undefined ? undefined : `${node} ${factor}`;
    });
    const [who, factor] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    if (node === undefined) return;
    world.slowDisk(node, Math.max(1, Number(factor) | 0));
    const slowFor = within(
      world,
      { stream: `${name}.for`, key: n },
      { low: 100 * millisecond, high: 3_000 * millisecond },
    );
    world.after(slowFor, () => world.slowDisk(node, 1));
  });
}
