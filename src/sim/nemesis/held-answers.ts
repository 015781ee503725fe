import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { runningLeader, within } from "./names.ts";

/** So long the answers are held up before the leader stands still: those to a heartbeat or two are among them. */
const beforeMin = 30 * millisecond;
const beforeMax = 160 * millisecond;
/** Long enough for the others to elect a new leader and to acknowledge something. */
const frozenMin = 700 * millisecond;
const frozenMax = 2_000 * millisecond;
/** Each other node's frames arrive so long before the leader goes on, behind the calls that came until then. */
const earlyMax = 400 * millisecond;
const deafMax = 300 * millisecond;

/**
 * What the others last answered a leader is held up on its way, and the leader stands still. It finds that in its queue
 * behind calls that its clients made later, when another leader may have acknowledged more: the answers to rounds that were
 * begun before these calls prove nothing about them.
 */
export function holdAnswers(world: NemesisWorld, every: Every): void {
  const name = "held-answers";
  if (world.nodes.length < 3) return;
  world.repeat(name, every, (n) => {
    const leader = runningLeader(world, name, n);
    if (leader === undefined) return;
    const draw = (what: string, low: number, high: number, key = n): number =>
      within(world, { stream: `${name}.${what}`, key }, { low, high });
    const before = draw("before", beforeMin, beforeMax);
    const frozen = draw("for", frozenMin, frozenMax);
    const others = world.nodes.filter((node) => node !== leader);
    others.forEach((other, i) => {
      const early = draw("early", 0, earlyMax, n * 16 + i);
      world.clog(other, leader, world.now() + before + frozen - early);
    });
    world.after(before, () => {
      if (!world.isUp(leader)) return;
      const cut = world.cut([leader], others);
      world.pause(leader);
      world.after(frozen, () => world.resume(leader));
      world.after(frozen + draw("deaf", 0, deafMax), () => cut.heal());
    });
  });
}
