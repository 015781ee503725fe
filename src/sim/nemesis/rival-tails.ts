import type { NodeId } from "../../core/base/brand.ts";
import { millisecond, second } from "../../core/base/units.ts";
import type { HarmKind } from "../harm.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { cutOff, drawsOf, nodeNamed, pick } from "./names.ts";

const kinds: readonly HarmKind[] = ["headers", "headers", "header", "record", "body", "sector"];
/** Long enough for some batches that nobody else gets. */
const aloneMin = 100 * millisecond;
const aloneMax = 700 * millisecond;
const downMax = 200 * millisecond;
/** Started again, the first one is alone with its damage for so long. */
const lonelyMax = 150 * millisecond;
/** What passes does so as early as while the log is opened, or when the second one's entries have come. */
const hiddenMax = 800 * millisecond;
const giveUpAfter = 6 * second;

interface Rivals {
  readonly n: number;
  readonly first: NodeId;
  second: NodeId | undefined;
  heal: { first: () => void; second: () => void };
}

/**
 * The figure in which a leader's entries of an old term are on several nodes and yet are cut: a leader appends alone, a second
 * one in a later term too, the first one leads again and appends alone, and the second one's entries win. So the first one's tail
 * has several terms, and its rival's terms lie between them. Part of that tail is not given by its disk when it starts.
 * Source: Raft §5.4.2, figure 8, without the step that must not happen.
 */
export function rivalTails(world: NemesisWorld, every: Every): void {
  const name = "rival-tails";
  // Of more nodes the rest would elect a third leader.
  if (world.nodes.length !== 3) return;
  let rivals: Rivals | undefined;
  let wanted: number | undefined;
  world.repeat(name, every, (n) => {
    wanted = n;
    const leader = world.leader({ stream: name, key: n });
    if (leader !== undefined) begin(leader);
  });
  const begin = (leader: NodeId): void => {
    if (wanted === undefined || rivals !== undefined) return;
    const n = wanted;
    wanted = undefined;
    const first = nodeNamed(
      world,
      world.decide({ kind: name, key: `${name}#${n}` }, () => leader),
    );
    if (first === undefined || !world.isUp(first)) return;
    rivals = { n, first, second: undefined, heal: { first: cutOff(world, first), second: () => undefined } };
    world.after(giveUpAfter, () => end(n));
  };
  const end = (n: number): void => {
    if (rivals?.n !== n) return;
    rivals.heal.first();
    rivals.heal.second();
    rivals = undefined;
  };
  world.watch(["role"], (event) => {
    if (event.kind !== "role" || event.role !== "leader") return;
    begin(event.node);
    if (rivals === undefined) return;
    const { n, first, second: rival, heal } = rivals;
    const draw = drawsOf(world, name, n);
    if (rival === undefined && event.node !== first) {
      rivals.second = event.node;
      heal.second = cutOff(world, event.node);
      const { first: healFirst } = heal;
      world.after(draw("second", aloneMin, aloneMax), healFirst);
    } else if (rival !== undefined && event.node === first) {
      heal.first = cutOff(world, first);
      world.after(draw("first", aloneMin, aloneMax), () => {
        if (rivals?.n === n) strike(world, name, rivals);
      });
    }
  });
}

/** The first one starts with a tail of several terms, part of which cannot be read, while the second one comes to lead. */
function strike(world: NemesisWorld, name: string, { n, first, heal }: Rivals): void {
  const draw = drawsOf(world, name, n);
  const kind = pick(world, { stream: `${name}.kind`, key: n }, kinds);
  const where = world.draw(`${name}.where`, n);
  world.crash(first, { how: "kill" });
  const down = draw("down", 0, downMax);
  const hidden = draw("passes", 0, 3) === 0 ? undefined : draw("hidden", down, down + hiddenMax);
  if (kind !== undefined) {
    if (hidden === undefined) world.damage(first, kind, where);
    else world.hide(first, kind, where, hidden);
  }
  heal.second();
  world.after(down, () => world.restart(first));
  world.after(down + draw("lonely", 0, lonelyMax), heal.first);
}
