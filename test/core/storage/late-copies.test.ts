import { expect } from "chai";
import type { TestLog } from "#bench/storage/log-script";
import { recordOf } from "#bench/storage/log-script";
import type { Entry } from "#core/base/entry";
import { endOf } from "#core/base/entry";
import { reopened } from "./damaged-log.ts";
import { flipRecord1, leaders, own, ownDisk } from "./two-logs.ts";

interface Late {
  readonly log: TestLog;
  /** Whether the cut came after the mending had been answered. */
  readonly over: boolean;
  placed: boolean | undefined;
}

/**
 * A peer's copies of a follower's own damaged records come; after so many calls to the disk the leader's conflicting entry does,
 * whose predecessor the follower takes for its own: it knows bounds of the damaged records' terms.
 */
function cutAfter(calls: number, whole: boolean): Late {
  const disk = ownDisk();
  flipRecord1(disk);
  const log = reopened(disk);
  log.disk.run();
  expect(log.store.damage()).to.deep.equal([{ first: 1, last: 4 }]);
  const copies = own.slice(1, whole ? 5 : 3);
  const late: { placed: boolean | undefined } = { placed: undefined };
  log.store.mend(
    copies,
    (_error, placed) => {
      late.placed = placed;
    },
    whole ? undefined : endOf(copies[copies.length - 1] as Entry),
  );
  for (let call = 0; call < calls; call++) log.disk.step();
  const over = late.placed !== undefined;
  if (!over) {
    log.store.truncate(3, endOf(leaders[2] as Entry));
    log.store.append(leaders.slice(3));
    const told: Entry[] = [];
    log.store.read(1, { bytesMax: 1_000, last: 2 }, (_error, result) =>
      told.push(...(result?.entries ?? [])),
    );
    log.disk.run();
    expect(told, "what is to be the leader's is not read meanwhile").to.deep.equal([]);
  }
  log.disk.run();
  return { log, over, placed: late.placed };
}

describe("copies of damaged records that a cut makes other ones", () => {
  for (const whole of [true, false]) {
    it(`are not put in place${whole ? "" : ", a piece of them neither"}, however far they have come`, () => {
      let tried = 0;
      for (; ; tried++) {
        const { log, over, placed } = cutAfter(tried, whole);
        expect(placed).to.equal(over);
        if (over) break;
        expect(log.failures).to.deep.equal([]);
        expect(log.store.damage()).to.deep.equal([{ first: 1, last: 2 }]);
        expect(log.mend(leaders.slice(1, 3)), "the leader's records fit").to.equal(true);
        expect(log.readAll().map(recordOf)).to.deep.equal(leaders.map(recordOf));
        const again = reopened(log.disk.crashed(() => 0));
        expect(again.recovered.damage).to.deep.equal([]);
        expect(again.readAll().map(recordOf)).to.deep.equal(leaders.map(recordOf));
      }
      expect(tried, "calls that a mending takes").to.be.at.least(3);
    });
  }

  it("are not put in place while a cut waits that was asked for before they came", () => {
    for (let calls = 0; ; calls++) {
      const disk = ownDisk();
      flipRecord1(disk);
      const log = reopened(disk);
      log.disk.run();
      log.store.truncate(3, endOf(leaders[2] as Entry));
      log.store.append(leaders.slice(3));
      for (let call = 0; call < calls; call++) log.disk.step();
      if (log.store.damage()[0]?.last === 2) break;
      // What is left of the hole could take the first two of these, were they the leader's.
      const placed: boolean[] = [];
      log.store.mend([...leaders.slice(1, 3), ...own.slice(3, 5)], (_error, value) => placed.push(value));
      log.disk.run();
      expect(placed).to.deep.equal([false]);
      expect(log.mend(leaders.slice(1, 3))).to.equal(true);
    }
  });
});
