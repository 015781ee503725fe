import { expect } from "chai";
import { nodeId } from "#core/base/brand";
import { DiskTruth } from "#sim/disk-truth";
import { underWay } from "./support/calm.ts";

describe("what the disks hold", () => {
  it("is read from their bytes: each record with its term, and whether it waits for a sync", () => {
    const run = underWay(1);
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
