import { expect } from "chai";
import fc from "fast-check";
import { endOfAll, recordOf, TestLog } from "#bench/storage/log-script";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";
import { options } from "./damaged-log.ts";
import { made, misread, misreads, places } from "./misread.ts";

/** Copies of a whole range at once, or one by one. */
function mendRange(log: TestLog, range: { first: number; last: number }, pieces: boolean): void {
  const copies = made.all.slice(range.first, range.last + 1);
  if (!pieces) {
    expect(log.mend(copies)).to.equal(true);
    return;
  }
  for (const entry of copies) {
    let placed: boolean | undefined;
    log.store.mend(
      [entry],
      (_error, result) => {
        placed = result;
      },
      endOf(entry as Entry),
    );
    log.disk.run();
    expect(placed).to.equal(true);
  }
}

describe("damage that a disk gave for a moment only", () => {
  it("is mended without harm to what is around it, however the ranges lie over each other", () => {
    let together = 0;
    const property = fc.property(misreads, fc.boolean(), fc.boolean(), (all, pieces, backwards) => {
      const log = new TestLog(
        made.disk.crashed(() => 0),
        options,
      );
      expect(log.recovered.damage).to.deep.equal([]);
      for (const one of all) misread(log, one);
      const found = log.store.damage();
      for (const [at, range] of found.entries())
        expect(range.first, "ranges are apart").to.be.greaterThan(found[at - 1]?.last ?? -1);
      if (found.length < new Set(log.damagedRanges.map(({ first }) => first)).size) together += 1;
      const order = backwards && !pieces ? [...found].reverse() : found;
      for (const range of order) mendRange(log, range, pieces);
      expect(log.store.damage()).to.deep.equal([]);
      expect(log.readAll().map(recordOf)).to.deep.equal(made.all.map(recordOf));
      const again = new TestLog(
        log.disk.crashed(() => 0),
        options,
      );
      expect(again.recovered.damage).to.deep.equal([]);
      expect(again.recovered.end).to.deep.equal(endOfAll(made.all, emptyLogEnd));
      expect(again.readAll().map(recordOf)).to.deep.equal(made.all.map(recordOf));
    });
    fc.assert(property, { numRuns: 300 });
    expect(together, "ranges that were joined").to.be.greaterThan(10);
  });

  it("is mended beside a record with a bad body, whichever read of the opening gives another header for it", () => {
    const [hurt] = [...made.all].filter(({ size, index }) => size > 150 && index > 3);
    if (hurt === undefined) throw new Error("no record is large enough");
    const { name, offset } = places[hurt.index] as (typeof places)[number];
    let reads = 1;
    for (let misread = 1; misread <= reads; misread++) {
      const disk = made.disk.crashed(() => 0);
      disk.flip(name, offset + hurt.size - 1);
      const good = disk.content(name);
      const given = good.slice();
      // The length in the record's header.
      given[offset + 7] = (given[offset + 7] as number) ^ 0x40;
      let count = 0;
      let other = false;
      disk.fault = ({ kind }) => {
        if (other) disk.overwrite(name, good);
        other = kind === "read" && ++count === misread;
        if (other) disk.overwrite(name, given);
        return undefined;
      };
      const log = new TestLog(disk, options);
      disk.fault = () => undefined;
      reads = count;
      const found = log.store.damage();
      expect(found.some(({ first, last }) => first <= hurt.index && hurt.index <= last)).to.equal(true);
      for (const range of found) mendRange(log, range, false);
      expect(log.readAll().map(recordOf), `read ${misread}`).to.deep.equal(made.all.map(recordOf));
      const again = new TestLog(
        log.disk.crashed(() => 0),
        options,
      );
      expect(again.recovered.damage).to.deep.equal([]);
      expect(again.readAll().map(recordOf)).to.deep.equal(made.all.map(recordOf));
    }
    expect(reads).to.be.greaterThan(3);
  });
});
