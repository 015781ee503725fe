import { expect } from "chai";
import type { NodeId } from "#core/base/brand";
import type { TraceEvent } from "#core/io/trace";
import { SimRun } from "#sim/run";
import type { Scenario } from "#sim/scenario";
import { ordinaryLoad } from "#sim/workload/loads";

const second = 1_000_000;

const scenario: Scenario = {
  name: "mended",
  summary: "a log is mended and opened anew",
  nodes: [3],
  duration: 30 * second,
  budget: "unrestricted",
  workload: ordinaryLoad,
  faults: {},
  nemesis: () => undefined,
};

/** What one node tells of its log after its damage was mended; at the last mending its disk may fail the next sync. */
function mendedNode(failing: boolean): TraceEvent["kind"][] {
  const told: TraceEvent["kind"][] = [];
  let leader = "";
  let victim: NodeId | undefined;
  const run = new SimRun(scenario, 7, {
    listener: ({ event }) => {
      if (event.kind === "role" && event.role === "leader") leader = event.node;
      if (victim === undefined || event.kind === "fault" || event.node !== victim) return;
      if (event.kind === "damage" && event.change === "mended") {
        told.length = 0;
        if (failing) run.cluster.diskOf(victim).failNext = "sync";
      } else if (event.kind === "recovered" || event.kind === "standing") told.push(event.kind);
    },
  });
  const until = (at: number): void => {
    while (!run.over && run.now < at) run.advance(200);
  };
  until(4 * second);
  const node = run.cluster.nodes.find((one) => one !== leader) as NodeId;
  run.cluster.crash(node, "kill");
  for (let value = 1; value <= 3; value++) run.cluster.decay.harm(node, "headers", value);
  run.cluster.start(node);
  victim = node;
  until(4.9 * second);
  expect(run.result().verdict).to.equal("pass");
  return told;
}

describe("a log that was mended", () => {
  it("is opened anew, for its terms were guessed", () => {
    expect(mendedNode(false)).to.include("recovered");
  });

  it("is not opened anew in the same life when its disk fails while it is closed", () => {
    expect(mendedNode(true)).to.deep.equal(["standing"]);
  });
});
