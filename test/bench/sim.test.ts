import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { expect } from "chai";
import { parseOptions } from "#bench/sim/options";
import { pingPong } from "#bench/sim/ping-pong";
import { raftBatch, raftCore } from "#bench/sim/raft-core";
import { textOf } from "#bench/sim/report";
import { decodeSmall, encodeSmall, smallMessageBytes } from "#bench/sim/small-message";
import { ByteWriter } from "#core/base/bytes";
import { projectRoot } from "../support/sources.ts";

describe("bench", () => {
  it("tells what there is, and each benchmark its options, with --help", () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [path.join(projectRoot, "dist/bench/main.js"), ...args], {
        encoding: "utf8",
      });
    for (const [args, told] of [
      [["--help"], /^Usage: npm run bench -- NAME[\s\S]*\n {2}append\n {2}sim\n/],
      [["sim", "--help"], /^Usage: npm run bench -- sim[\s\S]*--rounds N/],
      [["append", "--help"], /^Usage: npm run bench -- append[\s\S]*--/],
    ] as const) {
      const { status, stdout, stderr } = run(...args);
      expect([status, stderr], args.join(" ")).to.deep.equal([0, ""]);
      expect(stdout).to.match(told);
    }
    expect(run("smi").status).to.equal(64);
  });
});

describe("bench: sim", () => {
  it("sends messages of 64 bytes, as the other simulators do", () => {
    const frame = encodeSmall(new ByteWriter(), 3, 1_000_000);
    expect(frame).to.have.lengthOf(smallMessageBytes);
    expect(decodeSmall(frame)).to.include({ prevPos: 3, prevIndex: 1_000_000 });
  });

  it("plays the same ping-pong every time", () => {
    expect(pingPong(3_000)).to.equal(pingPong(3_000));
    expect(pingPong(3_000)).not.to.equal(pingPong(3_001));
  });

  it("takes eight messages for a proposal, and as many for a whole batch", () => {
    const proposals = 4 * raftBatch;
    expect(raftCore(proposals, false) / proposals).to.be.closeTo(8, 0.5);
    expect(raftCore(proposals, true) / (proposals / raftBatch)).to.be.closeTo(8, 0.5);
  });

  it("says that others used the machine, and what a figure should reach", () => {
    const machine = { processors: 2, node: "v20", loadBefore: 3, loadAfter: 3 };
    const goal = { text: "half of (a)", met: false };
    const row = {
      letter: "b",
      what: "ping-pong",
      value: 12_345,
      unit: "messages/s",
      ofBare: 0.4,
      goal,
    } as const;
    const text = textOf({ machine, rounds: 5, cpu: false, rows: [row], leftOut: ["madsim"] });
    expect(text).to.match(/LOADED MACHINE/);
    expect(text).to.match(/\(b\) +ping-pong +12,345 +messages\/s +40 % +half of \(a\): NO/);
    expect(text).to.match(/!! LEFT OUT: madsim/);
  });

  it("takes letters and counts, and refuses what is none", () => {
    expect(parseOptions(["--only", "ca"]).only).to.deep.equal(["a", "c"]);
    expect(parseOptions(["--seeds", "3"])).to.include({ checkedSeeds: 3, swarmSeeds: 3, rounds: 5 });
    expect(parseOptions(["--short"])).to.include({ checkedSeeds: 1, swarmSeeds: 1, rounds: 1 });
    for (const args of [
      ["--only", "x"],
      ["--rounds", "0"],
      ["--gib", "0"],
      ["--scenario", "none"],
      ["--bytes", "1"],
    ])
      expect(() => parseOptions(args), args.join(" ")).to.throw(/allowed|there are/);
  });
});
