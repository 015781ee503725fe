import type { NodeId } from "../../core/base/brand.ts";
import type { TraceEvent, TraceKind } from "../../core/io/trace.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { Every } from "./names.ts";
import { nodeNamed, pick, within } from "./names.ts";

/**
 * Moments after which a crash hurts most:
 * - `campaign`: a node changed its term or role; term and vote are on their way to the disk.
 * - `first-append`: a leader's first entry of its term is in its log and nowhere durable.
 * - `acknowledged`: a follower has just told its leader that it holds an entry.
 * - `committed`: a leader has just committed, and its followers do not know.
 * - `truncation`: a node is cutting its log.
 * - `transfer`: leadership is on its way from one node to another.
 */
export type Danger = "campaign" | "first-append" | "acknowledged" | "committed" | "truncation" | "transfer";

export const dangerNames: readonly Danger[] = [
  "campaign",
  "first-append",
  "acknowledged",
  "committed",
  "truncation",
  "transfer",
];

const kindsOf: { readonly [danger in Danger]: readonly TraceKind[] } = {
  campaign: ["role"],
  "first-append": ["append"],
  acknowledged: ["match"],
  committed: ["commit"],
  truncation: ["truncate"],
  transfer: ["transfer"],
};

/** The crash falls within this many turns of the process after the moment. */
const turnsMax = 8;
/** Half of the aimed crashes come back quickly, before the others have gone on without the node. */
const soonDownMax = 100_000;

export interface Aim {
  /** How often the next dangerous moment of a drawn kind is waited for. */
  readonly every: Every;
  readonly dangers: readonly Danger[];
}

/** Crashes nodes at the moments at which it hurts most, and starts them again. */
export function aimedCrashes(world: NemesisWorld, { every, dangers }: Aim): void {
  let wanted: { readonly danger: Danger; readonly n: number } | undefined;
  world.repeat("aim", every, (n) => {
    const danger = pick(world, { stream: "aim.danger", key: n }, dangers);
    wanted = danger === undefined ? undefined : { danger, n };
  });
  const kinds = [...new Set(dangers.flatMap((danger) => kindsOf[danger]))];
  world.watch(kinds, (event) => {
    if (wanted === undefined) return;
    const victim = victimOf(world, event, wanted);
    if (victim === undefined) return;
    const { n } = wanted;
    wanted = undefined;
    strike(world, victim, n);
  });
}

/** Whom to crash, if the event is the moment that is waited for. */
function victimOf(
  world: NemesisWorld,
  event: TraceEvent,
  { danger, n }: { readonly danger: Danger; readonly n: number },
): NodeId | undefined {
  switch (danger) {
    case "campaign":
      return event.kind === "role" && event.role !== "pre-candidate" ? event.node : undefined;
    case "first-append":
      return event.kind === "append" && event.entries[0]?.kind === "no-op" ? event.node : undefined;
    case "acknowledged":
      return event.kind === "match" && event.index >= 0 ? event.node : undefined;
    case "committed":
      return event.kind === "commit" && event.leader ? event.node : undefined;
    case "truncation":
      return event.kind === "truncate" ? event.node : undefined;
    case "transfer":
      if (event.kind !== "transfer" || event.change !== "sent") return undefined;
      return world.draw("aim.transfer", n) % 2 === 0 ? event.node : event.to;
    default:
      return undefined;
  }
}

function strike(world: NemesisWorld, victim: NodeId, n: number): void {
  const value = world.decide({ kind: "aimed-crash", key: `aimed-crash#${n}` }, () => {
    if (!world.isUp(victim)) return undefined;
    const how = world.draw("aim.how", n) % 2 === 0 ? "power" : "kill";
    return `${victim} ${how} ${within(world, { stream: "aim.turns", key: n }, { low: 1, high: turnsMax })}`;
  });
  const [who, how, turns] = value?.split(" ") ?? [];
  const node = nodeNamed(world, who);
  if (node === undefined) return;
  const { settings } = world;
  const range =
    world.draw("aim.soon", n) % 2 === 0
      ? { low: 0, high: soonDownMax }
      : { low: settings["process.downMin"], high: settings["process.downMax"] };
  world.crash(node, {
    how: how === "power" ? "power" : "kill",
    afterTurns: Math.max(1, Number(turns) | 0),
    downFor: within(world, { stream: "aim.down", key: n }, range),
  });
}
