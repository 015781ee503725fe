import { expect } from "chai";
import { endOfAll, makeEntries, recordOf, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { DiskFault } from "#core/io/disk";

const options = { ...smallOptions, segmentBytes: 65_536, reserveBytes: 16_384, aheadBytes: 4_096 };
const unfinished = (disk: MemoryDisk): string | undefined =>
  disk.files().find((name) => name.endsWith(".new"));

describe("the segment that is written ahead", () => {
  it("is zeroed bit by bit, and there before clients have used up their room", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    disk.run();
    const all: Entry[] = [];
    const ahead: { used: number; zeros: number }[] = [];
    for (let used = 4_096; used < 46_000; ) {
      const entries = makeEntries(endOfAll(all, emptyLogEnd), 1, [900]);
      all.push(...entries);
      log.store.append(entries);
      disk.run();
      used += 1_024;
      const name = unfinished(disk);
      ahead.push({ used, zeros: name === undefined ? 65_536 : disk.content(name).length });
    }
    expect(ahead[0]?.zeros, "little at first").to.be.lessThan(20_000);
    for (const [at, { zeros }] of ahead.entries())
      expect(zeros - (ahead[at - 1]?.zeros ?? zeros), "little at a time").to.be.lessThan(12_289);
    // 7/8 of what lies before the reserve.
    for (const { used, zeros } of ahead) if (used > 44_000) expect(zeros).to.equal(65_536);
    expect(log.failures).to.deep.equal([]);
  });

  it("is waited for in full by what needs it at once, however far it was", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    disk.run();
    expect(unfinished(disk)).not.to.equal(undefined);
    const all = makeEntries(emptyLogEnd, 1, [100, 70_000, 100]);
    log.store.append(all);
    disk.run();
    expect(log.synced).to.deep.equal([0, 1, 2]);
    log.store.truncate(1);
    disk.run();
    expect(log.store.end.index).to.equal(0);
    log.close();
  });

  it("is given up, and not written to its end, when a cut takes the segment before it", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, { ...options, segmentBytes: 1 << 20, batchBytesMax: 65_536 });
    const all: Entry[] = [];
    for (let n = 0; n < 20; n++) {
      const entries = makeEntries(endOfAll(all, emptyLogEnd), 1, [60_000]);
      all.push(...entries);
      log.store.append(entries);
      disk.run();
    }
    expect(unfinished(disk)).to.equal("g0/segment-0000000002.new");
    disk.done.length = 0;
    log.store.truncate(3, endOfAll(all.slice(0, 3), emptyLogEnd));
    disk.run();
    const zeros = disk.done.filter(
      ({ kind, path }) => kind === "write" && path === "g0/segment-0000000002.new",
    );
    expect(zeros).to.deep.equal([]);
    expect(unfinished(disk)).to.equal("g0/segment-0000000001.new");
    log.store.append(all.slice(3));
    disk.run();
    expect(log.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
    expect(log.failures).to.deep.equal([]);
  });

  it("is given up when the log is closed, and made anew by the next opening", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    const all = makeEntries(emptyLogEnd, 1, [100, 200]);
    log.store.append(all);
    disk.run();
    expect(unfinished(disk)).not.to.equal(undefined);
    disk.done.length = 0;
    log.close();
    expect(log.failures).to.deep.equal([]);
    const writes = disk.done.filter(
      ({ kind, path }) => kind === "write" && path === "g0/segment-0000000001.new",
    );
    expect(writes).to.deep.equal([]);
    const again = new TestLog(
      disk.crashed(() => 0),
      options,
    );
    expect(again.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
    again.disk.run();
    expect(again.failures).to.deep.equal([]);
  });

  it("fails the log when a full disk refuses even to take its name away: what is before it may not be cut then", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const all = makeEntries(emptyLogEnd, 1, [100, 3_000, 3_000]);
    const next = "g0/segment-0000000002";
    let refused = 0;
    disk.fault = ({ kind, path }) => {
      const syncsName = kind === "sync-directory" && disk.files().includes(next);
      if (!(syncsName && refused === 0) && !(kind === "remove" && path === next)) return undefined;
      refused += 1;
      return new DiskFault("full", "no room");
    };
    log.store.append(all);
    log.store.truncate(1);
    disk.run();
    expect(refused).to.equal(2);
    expect(log.failures).to.have.lengthOf(1);
    for (const after of [disk.killed(), disk.crashed(() => 0), disk.crashed((choices) => choices - 1)])
      expect(new TestLog(after).recovered.damage).to.deep.equal([]);
  });
});
