import { expect } from "chai";
import { nodeId } from "#core/base/brand";
import { DiskTruth } from "#sim/disk-truth";
import { SimRun } from "#sim/run";
import type { Scenario } from "#sim/scenario";
import { ordinaryLoad } from "#sim/workload/loads";

const second = 1_000_000;

const calm: Scenario = {
  name: "calm",
  summary: "nothing goes wrong",
  nodes: [3],
  duration: 60 * second,
  budget: "recoverable",
  workload: ordinaryLoad,
  faults: {},
};

describe("what the disks hold", () => {
  it("is read from their bytes: each record with its term, and whether it waits for a sync", () => {
    const run = new SimRun(calm, 1);
    while (run.now < 4 * second) run.advance(500);
    const [group] = run.groupNames;
    if (group === undefined) throw new Error("a run has a group");
    const truth = new DiskTruth((node) => run.cluster.diskOf(node));
    const n0 = nodeId("n0");
    for (let index = 0; index < 50; index++) {
      const { isUncut, record } = truth.look(n0, group, index);
      expect(isUncut).to.equal(false);
      expect(record).to.deep.include({ settled: true });
      expect(record?.term).to.be.greaterThan(0);
    }
    expect(truth.look(n0, group, 1_000_000).record).to.equal(undefined);
  });
});
