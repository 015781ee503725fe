import { expect } from "chai";
import { shortSettings } from "#bench/soak/bit-flips";
import { classify } from "#bench/soak/flips/classify";
import { ChangeTally, changed, everyFlip, everyTruncation } from "#bench/soak/flips/every-change";
import type { Region } from "#bench/soak/flips/flip-log";
import { makeFlipLog, regions } from "#bench/soak/flips/flip-log";

describe("bit flips, the short form of the soak", () => {
  const last = makeFlipLog(false);
  const rolled = makeFlipLog(true);

  it("in a segment are harmless, a torn end or damage that mends, as the place of the byte tells", () => {
    const tally = new ChangeTally();
    for (const _ of everyFlip(last, shortSettings, tally));
    expect(tally.failures).to.deep.equal([]);
    expect([...tally.byRegion.keys()]).to.have.members(regions);
    const only = (region: Region): string[] => [...(tally.byRegion.get(region)?.keys() ?? [])];
    for (const region of ["batch header", "record header", "body"] as const)
      expect(only(region), region).to.deep.equal(["damaged"]);
    for (const region of ["segment header", "padding", "mark"] as const)
      expect(only(region), region).to.deep.equal(["harmless"]);
    expect(only("unproven batch")).to.deep.equal(["torn"]);
    expect(only("zeros behind")).to.deep.equal(["cleared"]);
    expect(tally.mended).to.equal(tally.count("damaged"));
  });

  it("and truncations give no entry that was not written, and take none away unless the directory is refused", () => {
    const cut = new ChangeTally();
    for (const _ of everyTruncation(last, shortSettings, cut));
    const damaged = new ChangeTally();
    for (const _ of everyTruncation(rolled, shortSettings, damaged));
    expect([...cut.failures, ...damaged.failures]).to.deep.equal([]);
    expect(cut.count("torn")).to.equal(0);
    expect(cut.count("refused")).to.be.greaterThan(30);
    expect(cut.count("harmless", "zeros behind")).to.be.greaterThan(5);
    expect(damaged.count("refused")).to.equal(0);
    expect(damaged.count("damaged")).to.be.greaterThan(30);
    expect(damaged.count("torn")).to.equal(0);
    expect(damaged.mended).to.equal(damaged.count("damaged"));
  });

  it("are told from a store that gives what was not written", () => {
    const other = { ...last, entries: [...last.entries.slice(0, -1), ...last.entries.slice(0, 1)] };
    const disk = changed(last.disk, { kind: "flip", offset: 65_535, bit: 0 });
    expect(() => classify(other, disk, false)).to.throw(/written/);
  });
});
