import { expect } from "chai";
import fc from "fast-check";
import { HostRandom, SeededRandom } from "#sim/random";

describe("seeded random", () => {
  it("gives one number for one (seed, stream, key), whatever was drawn before", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.string(),
        fc.nat(),
        fc.array(fc.nat(), { maxLength: 5 }),
        (seed, name, key, others) => {
          const fresh = new SeededRandom(seed).draw(name, key);
          const used = new SeededRandom(seed);
          for (const other of others) used.draw(`${name}${other}`, other);
          expect(used.draw(name, key)).to.equal(fresh);
          expect(used.draw(name, key)).to.equal(fresh);
          expect(Number.isInteger(fresh) && fresh >= 0 && fresh < 2 ** 32).to.equal(true);
        },
      ),
    );
  });

  it("means the same in every version: numbers of a few streams are pinned", () => {
    const random = new SeededRandom(42);
    const drawn = [
      random.draw("topology", 0),
      random.draw("network(n0>n1)", 17),
      random.draw("x", 2 ** 40 + 1),
    ];
    expect(drawn).to.deep.equal([4212002509, 1087806254, 4285858971]);
  });

  it("tells seeds, streams and keys apart, above 2^32 too", () => {
    const seen = new Set<number>();
    for (const seed of [1, 2]) {
      for (const stream of ["a", "b"]) {
        for (let key = 0; key < 500; key++) {
          seen.add(new SeededRandom(seed).draw(stream, key));
          seen.add(new SeededRandom(seed).draw(stream, key + 2 ** 33));
        }
      }
    }
    // Two of 4,000 draws of 32 bits are equal once in about 500 times.
    expect(seen.size).to.be.greaterThan(3_990);
  });

  it("is even: every sixteenth of the range is drawn about equally often, from consecutive keys", () => {
    const stream = new SeededRandom(7).stream("even");
    const buckets = new Array<number>(16).fill(0);
    for (let key = 0; key < 32_000; key++) {
      const bucket = stream.draw(key) >>> 28;
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const count of buckets) expect(count).to.be.within(1_800, 2_200);
  });

  it("flips about half of the bits when one bit of the key changes", () => {
    const stream = new SeededRandom(3).stream("avalanche");
    let flipped = 0;
    const trials = 2_000;
    for (let i = 0; i < trials; i++) {
      let difference = stream.draw(i) ^ stream.draw(i ^ (1 << (i % 20)));
      for (; difference !== 0; difference &= difference - 1) flipped += 1;
    }
    expect(flipped / trials).to.be.within(15, 17);
  });

  it("gives each host streams of its own", () => {
    const random = new SeededRandom(5);
    const [a, b] = [new HostRandom(random, "n0@1"), new HostRandom(random, "n1@1")];
    expect(a.draw("election", 1)).to.not.equal(b.draw("election", 1));
    expect(a.draw("election", 1)).to.equal(random.draw("n0@1:election", 1));
  });
});
