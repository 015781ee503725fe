import { expect } from "chai";
import fc from "fast-check";
import { endOfAll, makeEntries, recordOf, TestLog } from "#bench/storage/log-script";
import { emptyLogEnd } from "#core/base/entry";
import { options } from "./damaged-log.ts";
import type { Misread } from "./misread.ts";
import { made, misread, misreads, places } from "./misread.ts";

/** What the disk gives at the first reads of a cut, around a record so far from where the cut begins. */
interface During {
  readonly away: number;
  readonly before: number;
  readonly behind: number;
}

const during = fc.option(
  fc.record<During>({
    away: fc.integer({ min: -3, max: 3 }),
    before: fc.nat(300),
    behind: fc.nat(500),
  }),
);

/** Cuts the log before `from`; until the cut first writes, its reads are misled. @returns the disk's honesty. */
function cut(log: TestLog, from: number, misled: During | null): void {
  const kept = made.all.slice(0, from);
  let honest = (): void => undefined;
  if (misled !== null) {
    const { away, before, behind } = misled;
    const at = Math.min(made.all.length - 1, Math.max(0, from + away));
    const { name, offset } = places[at] as (typeof places)[number];
    const good = log.disk.content(name);
    const given = good.slice();
    given.fill(0x5a, Math.max(4_096, offset - before), offset + behind);
    log.disk.overwrite(name, given);
    honest = (): void => {
      log.disk.overwrite(name, good);
      log.disk.fault = () => undefined;
    };
    log.disk.fault = ({ kind }) => {
      if (kind !== "read") honest();
      return undefined;
    };
  }
  log.store.truncate(from, endOfAll(kept, emptyLogEnd));
  log.disk.run();
  log.disk.fault = () => undefined;
}

describe("a cut of a log whose disk misreads", () => {
  it("goes where it should, and what comes behind it stands, whatever the disk gave before and meanwhile", () => {
    const property = fc.property(misreads, fc.nat(6), during, (all, ahead, misled) => {
      const log = new TestLog(
        made.disk.crashed(() => 0),
        options,
      );
      for (const one of all) misread(log, one);
      const near = (all[0] as Misread).index;
      const from = Math.min(made.all.length - 1, Math.max(1, near - 2 + ahead));
      const kept = made.all.slice(0, from);
      cut(log, from, misled);
      expect(log.failures).to.deep.equal([]);
      expect(log.store.end).to.deep.equal(endOfAll(kept, emptyLogEnd));
      const more = makeEntries(endOfAll(kept, emptyLogEnd), 99, [10, 20, 30], 5);
      log.store.append(more);
      log.disk.run();
      const wanted = [...kept, ...more];
      for (let turn = 0; log.store.damage().length > 0; turn++) {
        expect(turn, "mending ends").to.be.lessThan(9);
        const [range] = log.store.damage();
        if (range !== undefined) expect(log.mend(wanted.slice(range.first, range.last + 1))).to.equal(true);
      }
      expect(log.readAll().map(recordOf)).to.deep.equal(wanted.map(recordOf));
      const again = new TestLog(
        log.disk.crashed(() => 0),
        options,
      );
      expect(again.recovered.damage).to.deep.equal([]);
      expect(again.readAll().map(recordOf)).to.deep.equal(wanted.map(recordOf));
    });
    fc.assert(property, { numRuns: 400 });
  });
});
