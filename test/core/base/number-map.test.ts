import { expect } from "chai";
import fc from "fast-check";
import { NumberMap } from "#core/base/number-map";

type Step = { readonly key: number; readonly what: "set" | "delete" };

const steps = (keys: fc.Arbitrary<number>): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ key: keys, what: fc.constantFrom("set" as const, "delete" as const) }), {
    maxLength: 300,
  });

function expectAlike(all: readonly Step[]): void {
  const known = new Map<number, number>();
  const map = new NumberMap<number>();
  for (const [at, { key, what }] of all.entries()) {
    if (what === "set") {
      known.set(key, at);
      map.set(key, at);
    } else expect(map.delete(key)).to.equal(known.delete(key));
    expect(map.size).to.equal(known.size);
    expect([map.has(key), map.get(key)]).to.deep.equal([known.has(key), known.get(key)]);
  }
  for (const [key, value] of known) expect(map.get(key)).to.equal(value);
  const ascending = [...known].sort(([a], [b]) => a - b).map(([, value]) => value);
  expect(map.values()).to.deep.equal(ascending);
}

describe("a map of numbers", () => {
  it("holds what a Map would, for numbers that crowd, lie far apart or follow each other", () => {
    for (const keys of [
      fc.nat(40),
      fc.nat(60).map((n) => n * 16),
      fc.maxSafeNat(),
      fc.nat(9).map((n) => 2 ** 32 - 5 + n),
    ])
      fc.assert(fc.property(steps(keys), expectAlike), { numRuns: 300 });
  });

  it("keeps its slots while the numbers move on", () => {
    const map = new NumberMap<number>();
    for (let key = 0; key < 100_000; key++) {
      map.set(key, -key);
      if (key >= 200) expect(map.delete(key - 200)).to.equal(true);
    }
    expect(map.size).to.equal(200);
    expect(map.get(99_999)).to.equal(-99_999);
    expect(map.get(99_799)).to.equal(undefined);
    expect((map as unknown as { keys: number[] }).keys.length).to.equal(512);
  });

  it("finds what an empty slot behind it might hide", () => {
    const map = new NumberMap<string>();
    for (const key of [0, 16, 32, 1, 15, 31]) map.set(key, `v${key}`);
    map.delete(0);
    map.delete(15);
    expect([16, 32, 1, 31].map((key) => map.get(key))).to.deep.equal(["v16", "v32", "v1", "v31"]);
    expect(map.values()).to.deep.equal(["v1", "v16", "v31", "v32"]);
  });

  it("lets go of the oldest of many without looking at the others", () => {
    const map = new NumberMap<number>();
    for (let key = 0; key < 10_000; key++) map.set(key, key);
    // What is looked at: the keys' array, told by its reads.
    const inner = map as unknown as { keys: number[] };
    let reads = 0;
    inner.keys = new Proxy(inner.keys, {
      get: (target, name) => {
        if (typeof name === "string" && /^\d+$/.test(name)) reads += 1;
        return Reflect.get(target, name) as unknown;
      },
    });
    for (let key = 0; key < 1_000; key++) {
      expect(map.get(key)).to.equal(key);
      expect(map.delete(key)).to.equal(true);
      expect(map.has(key)).to.equal(false);
    }
    expect(reads).to.be.lessThan(10_000);
  });

  it("refuses what is no whole number from 0", () => {
    for (const key of [-1, 1.5, Number.NaN, 2 ** 53])
      expect(() => new NumberMap<number>().set(key, 1)).to.throw();
  });
});
