import { expect } from "chai";
import type { NodeId } from "#core/base/brand";
import { nodeId } from "#core/base/brand";
import { FaultBudget } from "#sim/fault-budget";
import { jumpClocks } from "#sim/nemesis/clock";
import { crashAnyone, powerLossOfAll } from "#sim/nemesis/crash";
import { lagFirstEntries, lagLane } from "#sim/nemesis/lane-lag";
import type { PartitionKind } from "#sim/nemesis/partition";
import { clogSometimes, partition } from "#sim/nemesis/partition";
import { pauseSomeone, slowDiskSometimes } from "#sim/nemesis/pause";
import { runSeed } from "#sim/run-seed";
import type { NemesisWorld, RunResult, TimedTraceEvent } from "#sim/scenario";
import { noLoad, toyNodes, toyScenario } from "./support/toy.ts";

interface Rehearsed {
  readonly result: RunResult;
  readonly events: readonly TimedTraceEvent[];
}

function rehearse(nemesis: (world: NemesisWorld) => void, nodes = 5, seed = 1): Rehearsed {
  const events: TimedTraceEvent[] = [];
  const scenario = { ...toyScenario, duration: 20_000_000, faults: {}, nemesis };
  const result = runSeed(scenario, seed, {
    createNode: toyNodes(),
    createWorkload: noLoad,
    nodes,
    decisions: "record",
    listener: (event) => events.push(event),
  });
  return { result, events };
}

const second = 1_000_000;
const every = { min: second, max: 2 * second };
const faultsOf = ({ events }: Rehearsed, fault: string) =>
  events.flatMap(({ at, event }) =>
    event.kind === "fault" && event.fault === fault ? [{ at, ...event }] : [],
  );

describe("nemesis", () => {
  it("starts every crashed node again, none of them twice, whatever the turns before the crash", () => {
    const rehearsed = rehearse((world) => {
      crashAnyone(world, { min: 100_000, max: 500_000 });
      powerLossOfAll(world, every);
    });
    const down = new Set<string>();
    let crashes = 0;
    for (const { event } of rehearsed.events) {
      if (event.kind !== "fault") continue;
      if (event.fault === "crash") {
        expect(down.has(event.node)).to.equal(false);
        down.add(event.node);
        crashes += 1;
      } else if (event.fault === "restart") expect(down.delete(event.node)).to.equal(true);
    }
    expect(crashes).to.be.greaterThan(20);
    expect(down.size).to.equal(0);
  });

  for (const kind of ["halves", "one-way", "deaf", "ring"] as const satisfies PartitionKind[]) {
    it(`cuts and heals: ${kind}`, () => {
      const last = { min: 200_000, max: 800_000 };
      const rehearsed = rehearse((world) => partition(world, { every, last, kinds: [kind] }));
      const cuts = faultsOf(rehearsed, "cut");
      expect(cuts.length).to.be.greaterThan(5);
      expect(faultsOf(rehearsed, "heal").length).to.equal(cuts.length);
      for (const { kind: decided, value } of rehearsed.result.decisions ?? []) {
        expect(decided).to.equal("partition");
        const [what, sides = ""] = String(value).split(" ");
        expect(what).to.equal(kind);
        expect([...new Set(sides.split(/[|,]/))].sort()).to.deep.equal(["n0", "n1", "n2", "n3", "n4"]);
        if (kind === "halves") expect((sides.split("|")[0] as string).split(",").length).to.be.within(1, 2);
      }
    });
  }

  it("cuts two nodes apart, and leaves a single one alone", () => {
    const last = { min: 200_000, max: 800_000 };
    const act = (world: NemesisWorld): void => partition(world, { every, last, kinds: ["halves"] });
    expect(rehearse(act, 2).result.faults["cut"]).to.be.greaterThan(5);
    expect(rehearse(act, 1).result.faults).to.deep.equal({});
  });

  it("pauses, slows and clogs for a while, and no longer than the faults last", () => {
    const rehearsed = rehearse((world) => {
      pauseSomeone(world, every);
      slowDiskSometimes(world, every);
      clogSometimes(world, every, { min: 100_000, max: 300_000 });
    });
    const { faults } = rehearsed.result;
    for (const fault of ["pause", "slow-disk", "clog"]) expect(faults[fault], fault).to.be.greaterThan(4);
    expect(faultsOf(rehearsed, "resume").length).to.equal(faults["pause"]);
    const slow = faultsOf(rehearsed, "slow-disk").at(-1);
    expect(slow?.detail, "the last word on a disk is that it is itself again").to.equal("1");
    for (const fault of ["pause", "clog", "cut"]) {
      for (const { at } of faultsOf(rehearsed, fault)) expect(at).to.be.lessThan(20 * second);
    }
  });

  it("holds up entries where votes and heartbeats pass, and now and then the other way round", () => {
    const rehearsed = rehearse((world) => {
      lagLane(world, every);
      lagFirstEntries(world, every);
    });
    const { faults } = rehearsed.result;
    for (const fault of ["clog-bulk", "clog-control"]) expect(faults[fault], fault).to.be.greaterThan(0);
    expect(faults["clog-bulk"]).to.be.greaterThan(faults["clog-control"] as number);
    expect(rehearse((world) => lagLane(world, every), 1).result.faults).to.deep.equal({});
  });

  it("empties disks of nodes that are down only, and makes wall clocks jump", () => {
    const wiped: boolean[] = [];
    const rehearsed = rehearse((world) => {
      const [node] = world.nodes as [NodeId];
      world.after(second, () => world.jumpClock(node, -3_600 * second));
      world.after(2 * second, () => wiped.push(world.wipe(node)));
      world.after(3 * second, () => world.crash(node, { how: "kill" }));
      world.after(4 * second, () => wiped.push(world.wipe(node)));
    });
    expect(wiped).to.deep.equal([false, true]);
    expect(rehearsed.result.faults).to.deep.equal({ "clock-jump": 1, crash: 1, wipe: 1 });
  });

  it("lets wall clocks jump both ways, by no more than the knob", () => {
    const events: number[] = [];
    const scenario = {
      ...toyScenario,
      duration: 20 * second,
      faults: { "clock.jumpMax": 5 * second },
      nemesis: (world: NemesisWorld) => jumpClocks(world, { min: 100_000, max: 300_000 }),
    };
    runSeed(scenario, 1, {
      createNode: toyNodes(),
      createWorkload: noLoad,
      listener: ({ event }) => {
        if (event.kind === "fault" && event.fault === "clock-jump") events.push(Number(event.detail));
      },
    });
    expect(events.length).to.be.greaterThan(50);
    expect(Math.max(...events)).to.be.within(3 * second, 5 * second);
    expect(Math.min(...events)).to.be.within(-5 * second, -3 * second);
  });

  it("damages at most a minority of voters at a time in a recoverable run, and any in an unrestricted one", () => {
    const names: NodeId[] = ["n0", "n1", "n2", "n3", "n4"].map(nodeId);
    const allowed = (kind: "recoverable" | "unrestricted"): number => {
      const budget = new FaultBudget(kind, names.length);
      return names.filter((name) => budget.mayDamage(name)).length;
    };
    expect(allowed("recoverable")).to.equal(2);
    expect(allowed("unrestricted")).to.equal(5);
    const [n1, n2] = [nodeId("n1"), nodeId("n2")];
    const again = new FaultBudget("recoverable", 3);
    expect([n1, n2, n1].map((name) => again.mayDamage(name))).to.deep.equal([true, false, true]);
  });

  it("frees the share of a voter that is whole again, and never that of one that lost its disk", () => {
    const whole = new Set<NodeId>();
    const [n0, n1, n2] = ["n0", "n1", "n2"].map(nodeId) as [NodeId, NodeId, NodeId];
    const budget = new FaultBudget("recoverable", 3, (node) => whole.has(node));
    expect(budget.mayDamage(n0)).to.equal(true);
    expect(budget.allows(n1)).to.equal(false);
    whole.add(n0);
    expect(budget.mayLose(n1)).to.equal(true);
    whole.add(n1);
    expect([n0, n2].map((node) => budget.mayDamage(node) || budget.mayLose(node))).to.deep.equal([
      false,
      false,
    ]);
    expect(budget.mayDamage(n1), "what is lost may be harmed").to.equal(true);
    expect(budget.allows(n2)).to.equal(false);
  });
});
