import type { NodeId } from "../../core/base/brand.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every, Span } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/** A crash comes up to this many turns after its moment, so that it falls between any two events of a burst. */
const turnsMax = 24;

function downFor(world: NemesisWorld, name: string, n: number): number {
  const { settings } = world;
  return within(
    world,
    { stream: `${name}.down`, key: n },
    { low: settings["process.downMin"], high: settings["process.downMax"] },
  );
}

/** Crashes one node; it starts again after the drawn down-time. */
function crashOne(
  world: NemesisWorld,
  node: NodeId,
  at: { readonly name: string; readonly n: number; readonly how: "kill" | "power" },
): void {
  const afterTurns = within(world, { stream: `${at.name}.turns`, key: at.n }, { low: 0, high: turnsMax });
  world.crash(node, { how: at.how, afterTurns, downFor: downFor(world, at.name, at.n) });
}

/** Whether a crash is of the machine; the setting says how often. */
function crashKind(world: NemesisWorld, name: string, n: number): "kill" | "power" {
  return world.draw(`${name}.how`, n) < world.settings["process.powerLoss"] * 0x1_0000_0000
    ? "power"
    : "kill";
}

interface Crash {
  readonly name: string;
  readonly every: Every;
  /** The node to crash at occurrence n; undefined for none. */
  readonly choose: (n: number) => NodeId | undefined;
}

function crashRepeatedly(world: NemesisWorld, { name, every, choose }: Crash): void {
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const node = choose(n);
      return node === undefined || !world.isUp(node) ? undefined : `${node} ${crashKind(world, name, n)}`;
    });
    const [who, how] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    if (node !== undefined) crashOne(world, node, { name, n, how: how === "power" ? "power" : "kill" });
  });
}

const leading = (n: number) => ({ stream: "crash-leader", key: n });

/** Whoever leads crashes, again and again. */
export function crashLeader(world: NemesisWorld, every: Every): void {
  crashRepeatedly(world, { name: "crash-leader", every, choose: (n) => world.leader(leading(n)) });
}

/** Any node crashes, again and again. */
export function crashAnyone(world: NemesisWorld, every: Every): void {
  crashRepeatedly(world, {
    name: "crash-node",
    every,
    choose: (n) => pick(world, { stream: "crash-node.who", key: n }, world.nodes),
  });
}

/** The leader crashes once, about `at`. */
export function crashLeaderOnce(world: NemesisWorld, at: Span): void {
  let done = false;
  crashRepeatedly(world, {
    name: "crash-leader",
    // The distances after the first pass the end of the run.
    every: { min: at.min, max: at.max },
    choose: (n) => {
      if (done) return undefined;
      const leader = world.leader(leading(n));
      done = leader !== undefined;
      return leader;
    },
  });
}

/** All nodes lose their power within a moment, and come back one by one. */
export function powerLossOfAll(world: NemesisWorld, every: Every): void {
  const name = "power-loss";
  world.repeat(name, every, (n) => {
    if (world.decide({ kind: name, key: `${name}#${n}` }, () => "all") === undefined) return;
    world.nodes.forEach((node, i) => {
      const key = n * 16 + i;
      const afterTurns = within(world, { stream: `${name}.turns`, key }, { low: 0, high: 2 });
      world.crash(node, { how: "power", afterTurns, downFor: downFor(world, name, key) });
    });
  });
}

/** A node is stopped in good order, as by an operator, and started again. */
export function orderlyRestart(world: NemesisWorld, every: Every): void {
  const name = "orderly-restart";
  world.repeat(name, every, (n) => {
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const node = pick(world, { stream: `${name}.who`, key: n }, world.nodes);
      return node === undefined || !world.isUp(node) ? undefined : node;
    });
    const node = nodeNamed(world, value);
    if (node === undefined) return;
    world.shutDown(node, downFor(world, name, n));
  });
}
