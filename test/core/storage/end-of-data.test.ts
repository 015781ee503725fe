import { expect } from "chai";
import fc from "fast-check";
import { endOfData } from "#core/storage/scanner";

describe("the end of data among zeros", () => {
  it("is behind the last byte that is not zero, wherever the bytes lie in their buffer", () => {
    const sparse = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(255)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(sparse, fc.nat(9), fc.nat(60), fc.nat(60), (values, offset, a, b) => {
        const buffer = new Uint8Array(offset + values.length).fill(7);
        const bytes = buffer.subarray(offset);
        bytes.set(values);
        const [from = 0, to = 0] = [a, b].map((n) => Math.min(n, values.length)).sort((x, y) => x - y);
        let expected = to;
        while (expected > from && values[expected - 1] === 0) expected -= 1;
        expect(endOfData(bytes, from, to)).to.equal(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
