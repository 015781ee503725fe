import { expect } from "chai";
import fc from "fast-check";
import { placeOf } from "#core/storage/format";
import { SparseIndex } from "#core/storage/sparse-index";

/** Batches as distances from one to the next, some of them first behind damage. */
const batches = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 40 }), always: fc.boolean() }), {
  minLength: 1,
  maxLength: 200,
});

describe("sparse index", () => {
  it("remembers a bounded number of batches, and finds one at or before any index", () => {
    fc.assert(
      fc.property(batches, fc.integer({ min: 2, max: 12 }), (list, max) => {
        const index = new SparseIndex(8, max);
        const pinned = list.filter(({ always }, i) => always && i % 9 === 0).length;
        const positions: number[] = [];
        let position = 64;
        for (const [i, { bytes, always }] of list.entries()) {
          position += bytes * 64;
          positions.push(position);
          index.add(i, position, always && i % 9 === 0);
        }
        expect(index.size).to.be.at.most(max + pinned);
        for (let i = 0; i < list.length; i++) {
          const place = index.find(i);
          expect(place, "the first batch is never forgotten").not.to.equal(undefined);
          const known = positions.map(placeOf);
          const at = known.findIndex((one) => one.segment === place?.segment && one.offset === place.offset);
          expect(at).to.be.within(0, i);
          if (list[i]?.always && i % 9 === 0) expect(at, "a pinned batch is found itself").to.equal(i);
        }
      }),
    );
  });

  it("forgets what is cut, and goes on", () => {
    const index = new SparseIndex(1, 4);
    for (let i = 0; i < 10; i++) index.add(i, (i + 1) * 4_096, i === 6);
    index.cut(5 * 4_096);
    expect(index.find(9)).to.deep.equal(index.find(3));
    index.add(4, 5 * 4_096);
    expect(index.size).to.be.at.most(5);
  });
});
