import { expect } from "chai";
import type { NodeId } from "#core/base/brand";
import { SimRun } from "#sim/run";
import type { Scenario } from "#sim/scenario";
import { ordinaryLoad } from "#sim/workload/loads";

const second = 1_000_000;

/** Clients append and confirm, and read nothing: only a peer's request ever reads what is cold. */
const scenario: Scenario = {
  name: "cold",
  summary: "nobody reads",
  nodes: [3],
  duration: 60 * second,
  budget: "unrestricted",
  workload: { ...ordinaryLoad, getsPerSecond: 0, tails: 0 },
  faults: {},
  nemesis: () => undefined,
};

describe("a node that meets damage while it helps a peer", () => {
  it("says so and mends it, though nobody else reads those records", () => {
    const found: { node: string; change: string }[] = [];
    let leader: string = "";
    const run = new SimRun(scenario, 3, {
      listener: ({ event }) => {
        if (event.kind === "role" && event.role === "leader") leader = event.node;
        if (event.kind === "damage") found.push({ node: event.node, change: event.change });
      },
    });
    const until = (at: number): void => {
      while (!run.over && run.now < at) run.advance(500);
    };
    until(4 * second);
    const { decay } = run.cluster;
    // A leader reads what it sends; the two others read for each other only.
    const [n0, n1] = run.cluster.nodes.filter((node) => node !== leader) as [NodeId, NodeId];
    for (const node of [n0, n1])
      for (let value = 1; value <= 40; value++)
        decay.harm(node, "header", Math.imul(value, 0x9e3779b1) >>> 0);
    until(5 * second);
    expect(found, "nobody has read it yet").to.deep.equal([]);
    run.cluster.crash(n1, "kill");
    run.cluster.start(n1);
    until(40 * second);
    expect(found.some(({ node, change }) => node === n0 && change === "found")).to.equal(true);
    expect(found.some(({ node, change }) => node === n0 && change === "mended")).to.equal(true);
    expect([n0, n1].map((node) => decay.isWhole(node) || node === n0)).to.deep.equal([true, true]);
    expect(run.over).to.equal(false);
  });
});
