import { expect } from "chai";
import fc from "fast-check";
import { AssertionError } from "#core/base/assert";
import { failuresTolerated, majority, quorumValue } from "#core/base/quorum";

describe("quorum arithmetic", () => {
  it("knows the majorities of the sizes that groups have", () => {
    expect([1, 2, 3, 4, 5, 6, 7].map(majority)).to.deep.equal([1, 2, 2, 3, 3, 4, 4]);
    expect([1, 2, 3, 4, 5, 6, 7].map(failuresTolerated)).to.deep.equal([0, 0, 1, 1, 2, 2, 3]);
  });

  it("makes any two majorities share a voter, and no smaller sets do so always", () => {
    for (let voters = 1; voters <= 7; voters++) {
      const sets = Array.from({ length: 2 ** voters }, (_, bits) => bits);
      const count = (bits: number): number => [...bits.toString(2)].filter((bit) => bit === "1").length;
      const size = majority(voters);
      const quorums = sets.filter((bits) => count(bits) === size);
      for (const a of quorums) for (const b of quorums) expect(a & b, `${voters} voters`).to.not.equal(0);
      const smaller = sets.filter((bits) => count(bits) === size - 1);
      expect(smaller.some((a) => smaller.some((b) => (a & b) === 0))).to.equal(true);
    }
  });

  it("leaves a majority when as many fail as are tolerated, and none when one more does", () => {
    for (let voters = 1; voters <= 50; voters++) {
      expect(voters - failuresTolerated(voters)).to.be.at.least(majority(voters));
      expect(voters - failuresTolerated(voters) - 1).to.be.lessThan(majority(voters));
    }
  });

  it("finds the highest value that a majority reached", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 9 }), (reached) => {
        const least = (value: number): number => reached.filter((one) => one >= value).length;
        const value = quorumValue(reached.slice());
        expect(least(value)).to.be.at.least(majority(reached.length));
        expect(least(value + 1)).to.be.lessThan(majority(reached.length));
      }),
    );
  });

  it("has no meaning for a group without voters", () => {
    expect(() => majority(0)).to.throw(AssertionError);
    expect(() => quorumValue([])).to.throw(AssertionError);
  });
});
