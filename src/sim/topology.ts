import type { SeededRandom } from "./random.ts";
import type { NodeCount, Scenario } from "./scenario.ts";

/** The number of groups of a run. */
export function drawGroups({ groups = 1 }: Scenario, random: SeededRandom): number {
  if (typeof groups === "number") return groups;
  return groups[random.draw("topology", 1) % groups.length] ?? 1;
}

/** Three nodes show most of what larger clusters do, and sooner: they are drawn the most often. */
const weights: { readonly [nodes in NodeCount]: number } = { 1: 1, 2: 2, 3: 6, 5: 3, 7: 1 };

/** The size of the group: one of those that the scenario declares. */
export function drawNodes({ nodes }: Scenario, random: SeededRandom): NodeCount {
  const urn = nodes.flatMap((count) => new Array<NodeCount>(weights[count]).fill(count));
  return urn[random.draw("topology", 0) % urn.length] ?? 3;
}
