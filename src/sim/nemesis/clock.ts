import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick } from "./names.ts";

/** A wall clock jumps, forwards or back, by up to the knob; a monotonic clock never does. */
export function jumpClocks(world: NemesisWorld, every: Every): void {
  const name = "clock-jump";
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const node = pick(world, { stream: `${name}.who`, key: n }, world.nodes);
      const most = world.settings["clock.jumpMax"];
      if (node === undefined || most === 0) return undefined;
      return `${node} ${(world.draw(`${name}.by`, n) % (2 * most + 1)) - most}`;
    });
    const [who, by] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    const micros = Math.trunc(Number(by));
    if (node !== undefined && Number.isSafeInteger(micros)) world.jumpClock(node, micros);
  });
}
