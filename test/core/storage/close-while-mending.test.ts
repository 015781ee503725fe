import { expect } from "chai";
import { makeEntries, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import { emptyLogEnd } from "#core/base/entry";
import { options } from "./damaged-log.ts";

describe("a mending that waits behind an append for a full disk", () => {
  it("is told that it was not done, and of no fault, when the log is closed", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    disk.run();
    disk.capacityBytes = disk.usedBytes;
    // More than the segment in use and the next one take.
    const lengths = Array.from({ length: 13 }, () => 1_500);
    log.store.append(makeEntries(emptyLogEnd, 1, lengths));
    disk.run();
    expect(log.store.durableIndex).to.be.lessThan(lengths.length - 1);
    const told: unknown[] = [];
    log.store.mend(makeEntries(emptyLogEnd, 1, [10]), (error, mended) => told.push({ error, mended }));
    disk.run();
    log.close();
    expect(told).to.deep.equal([{ error: undefined, mended: false }]);
    expect(log.failures).to.deep.equal([]);
  });
});
