import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/**
 * Moments at which a failed operation is the most dangerous: a term and a vote are on their way to the disk, entries are,
 * a cut is.
 */
type Moment = "campaign" | "append" | "cut" | "any";
const moments: readonly Moment[] = ["campaign", "append", "append", "cut", "any"];
const watched: readonly TraceKind[] = ["role", "append", "truncate", "match"];

function isMoment(moment: Moment, event: TraceEvent): boolean {
  switch (moment) {
    case "campaign":
      return event.kind === "role" && event.role !== "pre-candidate";
    case "append":
      return event.kind === "append";
    case "cut":
      return event.kind === "truncate";
    default:
      return true;
  }
}

/** The next write or sync of a disk fails, at a moment that is drawn; after the failure the machine may lose its power. */
export function failDisks(world: NemesisWorld, every: Every): void {
  const name = "disk-error";
  let wanted: { readonly moment: Moment; readonly n: number } | undefined;
  world.repeat(name, every, (n) => {
    const moment = pick(world, { stream: `${name}.moment`, key: n }, moments);
    wanted = moment === undefined ? undefined : { moment, n };
  });
  world.watch(watched, (event) => {
    if (wanted === undefined || !isMoment(wanted.moment, event)) return;
    const { n } = wanted;
    wanted = undefined;
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => {
      const work = world.draw(`${name}.work`, n) % 3 === 0 ? "write" : "sync";
      return `${event.node} ${work}`;
    });
    const [who, work] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    if (node === undefined) return;
    world.failDisk(node, work === "write" ? "write" : "sync");
  });
  crashFailed(world);
}

/** A sync fails just when damage was mended: in the middle of mending what is left of it, or soon after. */
export function failMending(world: NemesisWorld, every: Every): void {
  const name = "mending-error";
  let wanted: number | undefined;
  world.repeat(name, every, (n) => {
    wanted = n;
  });
  world.watch(["damage"], (event) => {
    if (event.kind !== "damage" || event.change !== "mended" || wanted === undefined) return;
    const n = wanted;
    wanted = undefined;
    const value = world.decide({ kind: name, key: `${name}#${n}` }, () => event.node);
    const node = nodeNamed(world, value);
    if (node !== undefined) world.failDisk(node, "sync");
  });
}

/** A node that has given up is started anew by the cluster's operator; sometimes its machine loses power before. */
function crashFailed(world: NemesisWorld): void {
  let failures = 0;
  world.watch(["standing"], (event) => {
    if (event.kind !== "standing" || event.standing !== "failed") return;
    const n = failures++;
    const value = world.decide({ kind: "failed-crash", key: `failed-crash#${n}` }, () => {
      const crash = world.draw("failed-crash", n) % 2 === 0;
      return crash
        ? `${event.node} ${world.draw("failed-crash.how", n) % 3 === 0 ? "kill" : "power"}`
        : undefined;
    });
    const [who, how] = value?.split(" ") ?? [];
    const node = nodeNamed(world, who);
    if (node === undefined) return;
    const afterTurns = within(world, { stream: "failed-crash.turns", key: n }, { low: 1, high: 20 });
    const downFor = within(world, { stream: "failed-crash.down", key: n }, { low: 0, high: 500_000 });
    world.crash(node, { how: how === "kill" ? "kill" : "power", afterTurns, downFor });
  });
}
