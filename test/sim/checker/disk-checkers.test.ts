import { expect } from "chai";
import { emptyLogEnd } from "#core/base/entry";
import type { LogOnDisk } from "#sim/checker/honest-sync";
import { dataEntries, lastOf, nodeOf, noOp, Trace } from "./trace-builder.ts";

const first = noOp(emptyLogEnd, 1);
const old = dataEntries(lastOf(first), 1, [1, 2, 3]);
const other = noOp(lastOf(first), 2);

/** n1 cuts what it alone has of term 1, and calls what took its place synced. */
function cutAndSynced(disk: LogOnDisk, before: (trace: Trace) => void = () => undefined): Trace {
  const disks = { look: (): LogOnDisk => disk };
  const trace = new Trace(3, false, disks)
    .elect(0, 1, [0, 1])
    .replicate([0, 1, 2], 1, first)
    .append(1, 1, old)
    .elect(2, 2, [0, 2])
    .append(2, 2, other);
  before(trace);
  return trace.hardState(1, 2, "").role(1, 2, "follower").truncate(1, 1).append(1, 2, other).sync(1, 1);
}

describe("honest-sync", () => {
  const held = { isUncut: false, record: { term: 2, settled: true } };

  it("passes what the disk holds as the node says", () => {
    expect(cutAndSynced(held).violation).to.equal(undefined);
  });

  it("fails on an entry that the disk has of another term, has not synced, or has not at all", () => {
    const records = [{ term: 1, settled: true }, { term: 2, settled: false }, undefined];
    for (const record of records) {
      const { violation } = cutAndSynced({ isUncut: false, record });
      expect(violation?.checker).to.equal("honest-sync");
      expect(violation?.message).to.contain("n1 calls index 1 of g0 synced");
    }
  });

  it("fails when something of what was cut is left", () => {
    const { violation } = cutAndSynced({ ...held, isUncut: true });
    expect(violation?.checker).to.equal("honest-sync");
    expect(violation?.message).to.contain("some of what was cut is on its disk still");
  });

  it("says nothing of a disk that was harmed", () => {
    const harmed = (trace: Trace): void => {
      trace.emit({ kind: "fault", node: nodeOf(1), fault: "damage", detail: "g0 0..0 sector" });
    };
    expect(cutAndSynced({ isUncut: true, record: undefined }, harmed).violation).to.equal(undefined);
  });
});

describe("synced-files-have-names", () => {
  it("fails on a sync of a file whose name is gone", () => {
    const trace = new Trace().emit({
      kind: "fault",
      node: nodeOf(2),
      fault: "nameless-sync",
      detail: "g0/0000000001.seg",
    });
    expect(trace.verdict).to.equal("synced-files-have-names");
    expect(trace.violation?.message).to.contain("n2 synced a file that has no name");
  });
});
