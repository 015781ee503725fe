import { expect } from "chai";
import fc from "fast-check";
import { parseOverrides } from "#sim/overrides";
import { SeededRandom } from "#sim/random";
import {
  calmSettings,
  drawSettings,
  formatKnob,
  healSettings,
  knobPaths,
  knobs,
  parseKnob,
  parseMicros,
} from "#sim/settings";

describe("fault settings", () => {
  it("print every value as it is read", () => {
    fc.assert(
      fc.property(fc.constantFrom(...knobPaths), fc.nat(), (path, draw) => {
        const { unit, max } = knobs[path];
        const value = unit === "probability" ? (draw % 10_001) / 10_000 : draw % (max + 1);
        expect(parseKnob(path, formatKnob(path, value))).to.equal(value);
      }),
    );
  });

  it("read times with their units, and nothing without", () => {
    expect(["60s", "250ms", "1.5s", "2m", "1h", "7us"].map(parseMicros)).to.deep.equal([
      60_000_000, 250_000, 1_500_000, 120_000_000, 3_600_000_000, 7,
    ]);
    for (const text of ["60", "", "s", "-1s", "1 s", "1e3s", "1d"])
      expect(parseMicros(text), text).to.equal(undefined);
  });

  it("refuse values outside what is allowed, and say what is", () => {
    expect(parseKnob("network.loss", "1.01")).to.contain("probability from 0 to 1");
    expect(parseKnob("network.loss", "-0.1")).to.contain("probability from 0 to 1");
    expect(parseKnob("network.latencyMax", "5")).to.contain("a time such as");
    expect(parseKnob("nemesis.crashLeader", "0")).to.equal(0);
    expect(parseKnob("disk.capacityBytes", "1MB")).to.contain("a size such as");
    expect(parseKnob("clock.driftMax", "1000001")).to.contain("at most");
    expect(parseOverrides({ "network.loss": ".5", "disk.capacityBytes": "2MiB" })).to.deep.equal({
      "network.loss": 0.5,
      "disk.capacityBytes": 2 * 1_024 * 1_024,
    });
  });

  it("are drawn within the scenario's ranges, the same for one seed, each seed with its own mix", () => {
    const ranges = {
      "network.loss": [0, 0.1],
      "disk.syncMax": [1_000, 9_000],
      "network.slow": 0.25,
    } as const;
    let without = 0;
    const losses = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const settings = drawSettings(ranges, new SeededRandom(seed), {});
      expect(settings).to.deep.equal(drawSettings(ranges, new SeededRandom(seed), {}));
      expect(settings["network.loss"]).to.be.within(0, 0.1);
      expect(settings["disk.syncMax"]).to.be.within(1_000, 9_000);
      expect(settings["network.slow"]).to.equal(0.25);
      expect(settings["network.duplicate"]).to.equal(0);
      losses.add(settings["network.loss"]);
      if (settings["network.loss"] === 0) without += 1;
    }
    expect(losses.size).to.be.greaterThan(100);
    expect(without, "a fault is left out in some runs").to.be.within(20, 90);
  });

  it("are drawn over all powers of two of a scale, in a share of the runs", () => {
    const ranges = { "network.bufferFrames": { oneIn: 3, low: 2, high: 1_024 } } as const;
    const below = new Map([2, 4, 8, 64, 1_024].map((limit) => [limit, 0]));
    let calm = 0;
    for (let seed = 0; seed < 900; seed++) {
      const { "network.bufferFrames": drawn } = drawSettings(ranges, new SeededRandom(seed), {});
      if (drawn === 1_024) calm += 1;
      expect(drawn).to.be.within(2, 1_024);
      for (const [limit, count] of below) if (drawn <= limit) below.set(limit, count + 1);
    }
    expect(calm).to.be.within(500, 700);
    expect([...below.values()].every((count) => count >= 10)).to.equal(true);
  });

  it("never leave a largest value below its smallest", () => {
    const settings = drawSettings({}, new SeededRandom(1), { "network.latencyMin": 9_000 });
    expect(settings["network.latencyMax"]).to.equal(9_000);
  });

  it("heal to a world without faults", () => {
    const settings = {
      ...calmSettings(),
      "network.loss": 0.5,
      "disk.ioError": 0.1,
      "disk.capacityBytes": 10,
    };
    healSettings(settings);
    expect(settings).to.deep.equal(calmSettings());
  });
});
