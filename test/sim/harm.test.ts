import { expect } from "chai";
import { groupId, nodeId } from "#core/base/brand";
import { directorySeed, encodeBatchHeader } from "#core/storage/batch";
import { batchHeaderBytes, positionOf } from "#core/storage/format";
import { decodeIdentity, identityName } from "#core/storage/identity";
import type { HarmKind } from "#sim/harm";
import { harmKinds } from "#sim/harm";
import { LogMap, recordsOf } from "#sim/log-map";
import { rotClosedLog } from "#sim/nemesis/closed-rot";
import { SimRun } from "#sim/run";
import { runSeed } from "#sim/run-seed";
import type { NemesisWorld } from "#sim/scenario";
import { calm, second, underWay } from "./support/calm.ts";

const n0 = nodeId("n0");
const n1 = nodeId("n1");

describe("harm to a log on a disk", () => {
  it("knows a node's log by its bytes: frames without a gap, proven but for the last", () => {
    const run = underWay(1);
    const group = run.groupNames[0];
    if (group === undefined) throw new Error("a run has a group");
    const map = LogMap.of(run.cluster.diskOf(n0).tree, group);
    if (map === undefined) throw new Error("the node has a log");
    let next = 0;
    for (const frame of map.frames) {
      expect(frame.header.previous.index).to.equal(next - 1);
      const records = recordsOf(frame);
      expect(records.map(({ index }) => index - next)).to.deep.equal([...records.keys()]);
      next += frame.header.count;
    }
    expect(next).to.be.greaterThan(100);
    const unproven = map.frames.filter((frame) => !map.isProven(frame));
    expect(unproven.length).to.be.within(1, 2);
    expect(map.frames.slice(-unproven.length)).to.deep.equal(unproven);
  });

  for (const kind of harmKinds) {
    it(`of the kind ${kind} is done within the budget, and mended unless nobody needs it`, () => {
      const run = underWay(2);
      const { decay } = run.cluster;
      const harms = (node: typeof n0, count: number): number => {
        let done = 0;
        for (let value = 1; value <= count; value++)
          if (decay.harm(node, kind, Math.imul(value, 0x9e3779b1) >>> 0)) done += 1;
        return done;
      };
      if (kind === "slot") {
        expect(harms(n0, 20), "a running node's slots may be about to change").to.equal(0);
        return;
      }
      expect(harms(n0, 20)).to.be.greaterThan(5);
      if (matters(kind)) {
        expect(decay.isWhole(n0)).to.equal(false);
        expect(harms(n1, 20), "one of three is all that may be harmed at a time").to.equal(0);
      }
      run.cluster.crash(n0, "kill");
      run.cluster.start(n0);
      while (!run.over && run.now < 16 * second) run.advance(500);
      expect(run.over).to.equal(false);
      expect(decay.isWhole(n0), "mended by its peers").to.equal(true);
      expect(harms(n1, 20)).to.be.greaterThan(5);
    });
  }

  it("of the last batch of a log that was closed in good order is mended: its mark proves it", () => {
    const run = underWay(3);
    const { cluster } = run;
    let stopped = false;
    cluster.shutDown(n1, () => {
      stopped = true;
    });
    while (!stopped && !run.over) run.advance(50);
    expect(cluster.decay.harm(n1, "tail", 7)).to.equal(true);
    expect(cluster.decay.isWhole(n1)).to.equal(false);
    cluster.start(n1);
    while (!run.over && run.now < 16 * second) run.advance(500);
    expect(run.over).to.equal(false);
    expect(cluster.decay.isWhole(n1)).to.equal(true);
  });

  it("of logs that were closed comes again and again, and nothing is lost", () => {
    const nemesis = (world: NemesisWorld): void => rotClosedLog(world, { min: second, max: 3 * second });
    const { faults, verdict } = runSeed({ ...calm, nemesis }, 4);
    expect(verdict).to.equal("pass");
    expect(faults["orderly-stop"]).to.be.greaterThan(10);
    expect(faults["damage"]).to.be.greaterThan(10);
  });

  for (const knob of ["disk.staleRead", "disk.misdirectedRead"] as const) {
    it(`of a read (${knob}) shows in that read alone, within the budget, and is told`, () => {
      const told: string[] = [];
      const run = new SimRun(calm, 4, {
        overrides: { "disk.staleRead": "0.0000001" },
        listener: ({ event }) => {
          if (event.kind === "fault" && event.fault === "damage") told.push(`${event.node} ${event.detail}`);
        },
      });
      while (run.now < 4 * second) run.advance(500);
      const readBack = (node: typeof n0): boolean => {
        const disk = run.cluster.diskOf(node);
        const file = disk.tree.files().find(({ length }) => length >= 65_536);
        if (file === undefined) throw new Error("the node has a segment");
        const truth = file.read(0, file.length).slice();
        const given = disk.readBack(file, 0, file.length);
        expect(file.read(0, file.length), "the disk itself is as it was").to.deep.equal(truth);
        return given.every((byte, at) => byte === truth[at]);
      };
      expect(readBack(n0)).to.equal(true);
      run.world.settings[knob] = 1;
      expect(readBack(n0)).to.equal(false);
      expect(readBack(n1), "one of three is all that may be harmed at a time").to.equal(true);
      run.world.settings[knob] = 0;
      expect(readBack(n0), "the next one is right").to.equal(true);
      expect(told.length).to.be.within(1, 4);
      const what = knob === "disk.staleRead" ? "stale read" : "misdirected read";
      for (const line of told) expect(line).to.match(new RegExp(`^n0 g0 \\d+\\.\\.\\d+ ${what}$`));
    });
  }

  it("by a write that lands elsewhere brings no header back that a cut has replaced, for it would be a good one", () => {
    const run = underWay(4);
    const { decay } = run.cluster;
    const disk = run.cluster.diskOf(n0);
    const map = LogMap.of(disk.tree, groupId("g0"));
    const frame = map?.frames.findLast((one) => map.isProven(one) && one.header.count > 1);
    const identity = disk.tree.find(`g0/${identityName}`)?.read(0, 65_536);
    if (frame === undefined || identity === undefined) throw new Error("the node has a log");
    const { file, offset, header, segment } = frame;
    const content = file.read(offset, batchHeaderBytes).slice();
    const headerOf = (count: number): Uint8Array => {
      const seed = directorySeed(decodeIdentity(identity).incarnation);
      return encodeBatchHeader({ ...header, count }, seed, positionOf(segment, offset));
    };
    run.world.settings["disk.misdirectedWrite"] = 1;
    const isLost = (before: Uint8Array): boolean => {
      decay.written(disk, { n: 1, at: run.now, file, offset, before, content });
      decay.restarts(n0);
      return !decay.isWhole(n0);
    };
    expect(headerOf(header.count)).to.deep.equal(content);
    expect(isLost(headerOf(header.count + 1))).to.equal(false);
    expect(isLost(new Uint8Array(batchHeaderBytes))).to.equal(true);
  });

  it("that a disk hides for a while shows in every read until then, and the disk holds what it held", () => {
    const told: string[] = [];
    const run = new SimRun(calm, 4, {
      listener: ({ event }) => {
        if (event.kind === "fault" && event.fault === "damage") told.push(event.detail);
      },
    });
    while (run.now < 4 * second) run.advance(500);
    const { decay } = run.cluster;
    const disk = run.cluster.diskOf(n0);
    const misread = (): number => {
      let differ = 0;
      for (const file of disk.tree.files()) {
        const truth = file.read(0, file.length).slice();
        if (disk.readBack(file, 0, file.length).some((byte, at) => byte !== truth[at])) differ += 1;
      }
      return differ;
    };
    expect(misread()).to.equal(0);
    expect(decay.hide(n0, "header", 5, 2 * second)).to.equal(true);
    expect(decay.hide(n1, "header", 5, 2 * second), "one of three is all that may be harmed").to.equal(false);
    expect([misread(), misread()]).to.deep.equal([1, 1]);
    for (const line of told) expect(line).to.match(/misdirected read$/);
    expect(told).to.have.length(2);
    while (run.now < 6.1 * second) run.advance(500);
    expect(misread()).to.equal(0);
    expect(decay.hide(n0, "body", 7, 2 * second)).to.equal(true);
    expect(misread()).to.equal(1);
    for (const file of disk.tree.files()) decay.overwritten(file, 0, file.length);
    expect(misread(), "written over, be it by the same bytes, nothing is hidden any more").to.equal(0);
  });
});

function matters(kind: HarmKind): boolean {
  return kind !== "idle";
}
