import { expect } from "chai";
import fc from "fast-check";
import { SeededRandom } from "#prod/random";

describe("production's chance", () => {
  it("gives the same number for the same seed, stream and key, whatever was drawn between", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.string(),
        fc.maxSafeNat(),
        (seed, stream, key) => {
          const first = new SeededRandom(seed);
          const second = new SeededRandom(seed);
          second.draw("another", key);
          second.draw(stream, key + 1 > Number.MAX_SAFE_INTEGER ? 0 : key + 1);
          const drawn = first.draw(stream, key);
          expect(second.draw(stream, key)).to.equal(drawn);
          expect(Number.isInteger(drawn) && drawn >= 0 && drawn < 2 ** 32).to.equal(true);
        },
      ),
    );
  });

  it("differs between seeds, streams and keys, those above 32 bits too", () => {
    const one = new SeededRandom();
    const seen = new Set<number>();
    for (let key = 0; key < 1_000; key++) {
      seen.add(one.draw("a", key));
      seen.add(one.draw("b", key));
      seen.add(one.draw("a", key + 2 ** 32));
      seen.add(new SeededRandom().draw("a", 0));
    }
    expect(seen.size).to.be.above(3_980);
  });

  it("spreads evenly", () => {
    const random = new SeededRandom();
    const counts = new Array<number>(16).fill(0);
    const draws = 16_000;
    for (let key = 0; key < draws; key++) {
      const at = random.draw("spread", key) % 16;
      counts[at] = (counts[at] as number) + 1;
    }
    // Seven standard deviations: a fair source fails once in 10^11 runs.
    for (const count of counts) expect(Math.abs(count - 1_000)).to.be.below(220);
  });
});
