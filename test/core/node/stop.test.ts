import { expect } from "chai";
import type { NodeId } from "#core/base/brand";
import { coreNode } from "#sim/core-node";
import { SimRun } from "#sim/run";
import type { SimNode } from "#sim/scenario";
import { calm, second } from "../../sim/support/calm.ts";

describe("a node that is asked to stop again while it hands leadership over", () => {
  it("tells both when it has ended, and neither before", () => {
    const nodes = new Map<NodeId, SimNode>();
    let leader: NodeId | undefined;
    const run = new SimRun(calm, 3, {
      createNode: (spec, ports) => {
        const node = coreNode(spec, ports);
        nodes.set(spec.node, node);
        return node;
      },
      listener: ({ event }) => {
        if (event.kind === "role" && event.role === "leader") leader = event.node;
      },
    });
    while (run.now < 4 * second) run.advance(200);
    const node = nodes.get(leader as NodeId);
    if (node === undefined) throw new Error("somebody leads");
    const ended: number[] = [];
    const asked = run.now;
    const { scheduler } = run.world;
    for (const n of [1, 2, 3]) {
      const wait = n === 3 ? 3 * second : n;
      scheduler.call(asked + wait, () => node.stop(() => ended.push(n)));
    }
    while (run.now < asked + second) run.advance(50);
    expect(ended).to.deep.equal([1, 2]);
    while (run.now < asked + 4 * second) run.advance(200);
    expect(ended).to.deep.equal([1, 2, 3]);
  });
});
