import { expect } from "chai";
import type { NodeId } from "#core/base/brand";
import { DiskFault } from "#core/io/disk";
import { ReadPatience } from "#core/node/read-patience";
import { SimRun } from "#sim/run";
import type { Scenario } from "#sim/scenario";
import { ordinaryLoad } from "#sim/workload/loads";

const second = 1_000_000;

describe("the patience with a disk that fails reads", () => {
  const broken = new DiskFault("io", "EIO");

  /** Fails every `step` until patience ends. @returns when it does; undefined if not within a minute. */
  function endOf(patience: ReadPatience, step: number, act: (at: number) => void = () => undefined) {
    for (let at = 0; at < 60 * second; at += step) {
      act(at);
      if (patience.failed("n1", broken, at)) return at;
    }
    return undefined;
  }

  it("ends after five seconds, and not before ten tries", () => {
    expect(endOf(new ReadPatience(), 0.2 * second)).to.equal(5 * second);
    expect(endOf(new ReadPatience(), 2 * second)).to.equal(18 * second);
  });

  it("begins anew with each read of the same reader that succeeds", () => {
    const patience = new ReadPatience();
    const read = (reader: string) => (at: number) => at % (4 * second) === 0 && patience.worked(reader);
    expect(endOf(patience, 0.2 * second, read("n1"))).to.equal(undefined);
    expect(endOf(new ReadPatience(), 0.2 * second, read("the applier"))).to.equal(5 * second);
  });

  it("does not count what is no failure of the disk", () => {
    const patience = new ReadPatience();
    for (let at = 0; at < 60 * second; at += second)
      expect(patience.failed("the applier", new Error("the entry is not on the disk yet"), at)).to.equal(
        false,
      );
  });
});

const scenario: Scenario = {
  name: "unreadable",
  summary: "a leader's disk gives nothing back any more",
  nodes: [3],
  duration: 17 * second,
  budget: "unrestricted",
  // A second of it is more than a node keeps in memory: a follower that was away longer gets it from the disk.
  workload: {
    ...ordinaryLoad,
    clients: 2,
    appendsPerSecond: 12,
    tails: 0,
    payloadBytesMin: 4_000,
    payloadBytesMax: 8_000,
  },
  faults: {},
  nemesis: () => undefined,
};

describe("a leader that cannot read what a follower needs", () => {
  it("gives up, says why, and another leads; transient errors make nobody give up", () => {
    let leader = "";
    const failed: { node: string; reason: string; at: number }[] = [];
    const run = new SimRun(scenario, 7, {
      listener: ({ at, event }) => {
        if (event.kind === "role" && event.role === "leader") leader = event.node;
        if (event.kind === "standing" && event.standing === "failed")
          failed.push({ node: event.node, reason: event.reason, at });
      },
    });
    const until = (at: number): void => {
      while (!run.over && run.now < at) run.advance(200);
    };
    until(2 * second);
    const first = leader as NodeId;
    const follower = run.cluster.nodes.find((node) => node !== first) as NodeId;
    run.cluster.crash(follower, "kill");
    until(4 * second);
    expect(leader).to.equal(first);
    // For less than the patience lasts nothing can be loaded for the follower that is back.
    run.cluster.diskOf(first).readsFail = true;
    run.cluster.start(follower);
    until(7 * second);
    run.cluster.diskOf(first).readsFail = false;
    until(8 * second);
    expect(failed).to.deep.equal([]);
    run.cluster.crash(follower, "kill");
    until(10 * second);
    run.cluster.diskOf(first).readsFail = true;
    run.cluster.start(follower);
    until(16.5 * second);
    expect(failed.map(({ node }) => node)).to.deep.equal([first]);
    expect(failed[0]?.reason).to.match(/^entry \d+ cannot be read, .*failed/);
    expect(failed[0]?.at).to.be.within(15 * second, 16 * second);
    expect(leader).to.not.equal(first);
    expect(run.result().verdict).to.equal("pass");
  });
});
