import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

const downMin = 10 * millisecond;
const downMax = 3_000 * millisecond;

/**
 * A voter's directory is emptied while its process is down, as by a disk that was replaced; it starts again with nothing.
 * Half of the time it is the leader's. The budget allows a minority of the voters, each as often as it comes.
 */
export function wipeSomeone(world: NemesisWorld, every: Every): void {
  const name = "wipe";
  const wiped = new Set<string>();
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      // A directory that no voter remembers may be made anew: only members have anything to lose.
      const voters = world.nodes.filter(
        (node) => world.mayHarm(node) && (world.isMember(node) || wiped.has(node)),
      );
      const anyone = pick(world, { stream: `${name}.who`, key: n }, voters);
      const leader = world.leader({ stream: name, key: n });
      const led =
        leader !== undefined && voters.includes(leader) && world.draw(`${name}.leader`, n) % 2 === 0;
      return led ? leader : anyone;
    });
    const node = nodeNamed(world, value);
    if (node === undefined) return;
    world.crash(node, { how: world.draw(`${name}.how`, n) % 2 === 0 ? "kill" : "power" });
    if (world.wipe(node)) wiped.add(node);
    const downFor = within(world, { stream: `${name}.down`, key: n }, { low: downMin, high: downMax });
    world.after(downFor, () => world.restart(node));
  });
}
