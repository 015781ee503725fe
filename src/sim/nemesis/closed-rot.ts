import type { NodeId } from "../../core/base/brand.ts";
import { millisecond } from "../../core/base/units.ts";
import type { NemesisWorld } from "../scenario.ts";
import { orderlyStop } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/** A life in which nothing, or little, is appended: long enough to start, and to be greeted by the others. */
const lifeMin = 80 * millisecond;
const lifeMax = 300 * millisecond;
const downMax = 500 * millisecond;

/**
 * A node is stopped in good order, half of the time soon after a crash, and the last batch of its log rots while it is down.
 * Nothing was appended behind that batch; what proves that it was synced is the mark that a log leaves when it is closed.
 */
export function rotClosedLog(world: NemesisWorld, every: Every): void {
  const name = "closed-rot";
  const closing = new Map<NodeId, number>();
  const close = (node: NodeId, n: number): void => {
    // A log that was not opened yet leaves no mark.
    if (!world.hasStarted(node) || world.isPaused(node) || !world.isMember(node)) return;
    closing.set(node, n);
    world.shutDown(node, within(world, { stream: `${name}.down`, key: n }, { low: 0, high: downMax }));
  };
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const able = world.nodes.filter(
        (node) => world.isUp(node) && world.isMember(node) && world.mayHarm(node),
      );
      return pick(world, { stream: `${name}.who`, key: n }, able);
    });
    const node = nodeNamed(world, value);
    if (node === undefined) return;
    if (world.draw(`${name}.anew`, n) % 2 === 0) return close(node, n);
    world.crash(node, { how: "kill", downFor: 0 });
    world.after(within(world, { stream: `${name}.life`, key: n }, { low: lifeMin, high: lifeMax }), () =>
      close(node, n),
    );
  });
  world.watch(["fault", "disk"], (event) => {
    if (event.kind === "disk") {
      // It may have failed to write its mark.
      closing.delete(event.node);
      return;
    }
    if (event.kind !== "fault" || event.fault !== "crash" || event.node === "") return;
    const n = closing.get(event.node);
    closing.delete(event.node);
    if (n !== undefined && event.detail === orderlyStop)
      world.damage(event.node, "tail", world.draw(`${name}.where`, n));
  });
}
