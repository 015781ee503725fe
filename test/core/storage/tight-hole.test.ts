import { expect } from "chai";
import type { TestLog } from "#bench/storage/log-script";
import { endOfAll, makeEntries, recordOf } from "#bench/storage/log-script";
import type { MemoryDisk } from "#bench/storage/memory-disk";
import { emptyLogEnd } from "#core/base/entry";
import { segmentHeaderBytes } from "#core/storage/format";
import { logOf, reopened } from "./damaged-log.ts";

const [first, second] = ["g0/segment-0000000000", "g0/segment-0000000001"];
/** The leader's are larger than what they take the place of, so that they need the rest of the segment. */
const others = makeEntries(emptyLogEnd, 1, [700, 700], 4);
const fresh = makeEntries(endOfAll(others, emptyLogEnd), 2, [30, 40], 5);

/** A log of one batch whose header is lost for good. */
function headless(): MemoryDisk {
  const { disk } = logOf([[[1, [40, 60, 0]]]]);
  disk.flip(first as string, segmentHeaderBytes + 5);
  return disk;
}

function cut(log: TestLog): void {
  expect(log.store.damage()).to.deep.equal([{ first: 0, last: 2 }]);
  log.store.truncate(2, endOfAll(others, emptyLogEnd));
}

function expectMended(log: TestLog): void {
  expect(log.failures).to.deep.equal([]);
  const again = reopened(log.disk);
  expect(again.store.damage()).to.deep.equal([{ first: 0, last: 1 }]);
  expect(again.mend(others), "the leader's records fit").to.equal(true);
  expect(again.readAll().map(recordOf)).to.deep.equal([...others, ...fresh].map(recordOf));
}

describe("a hole at a log's end that may need the rest of its segment", () => {
  for (const closed of [false, true]) {
    it(`has it when the log goes on after ${closed ? "it was closed in good order" : "a power failure"}`, () => {
      let log = reopened(headless());
      cut(log);
      log.disk.run();
      if (closed) log.close();
      log = reopened(log.disk);
      log.disk.run();
      expect(log.store.damage()).to.deep.equal([{ first: 0, last: 1 }]);
      log.store.append(fresh);
      log.disk.run();
      expectMended(log);
    });
  }

  it("has it when the log is closed while the entry behind it waits for a full disk", () => {
    const disk = headless();
    disk.erase(second as string);
    disk.capacityBytes = disk.usedBytes;
    let log = reopened(disk);
    log.disk.run();
    cut(log);
    log.store.append(fresh);
    log.disk.run();
    log.close();
    expect(log.store.durableIndex).to.equal(1);
    log.disk.capacityBytes = Number.POSITIVE_INFINITY;
    log = reopened(log.disk);
    log.disk.run();
    log.store.append(fresh);
    log.disk.run();
    expectMended(log);
  });
});
