import { expect } from "chai";
import { endOfAll, makeEntries, recordOf, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";

describe("a log on a full disk", () => {
  it("goes on in preallocated room on a full disk, tells how much is left, and makes the next segment once there is room", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    disk.run();
    expect(log.store.space().clientBytes).to.equal(Number.MAX_SAFE_INTEGER);
    disk.capacityBytes = disk.usedBytes;
    let end = emptyLogEnd;
    const append = (length: number): void => {
      const entries = makeEntries(end, 1, [length]);
      end = endOfAll(entries, end);
      log.store.append(entries);
      disk.run();
    };
    for (let n = 0; n < 3; n++) append(1_500);
    expect(log.synced[log.synced.length - 1]).to.equal(2);
    const { clientBytes, reserveBytes } = log.store.space();
    expect(clientBytes).to.be.within(0, 8_192);
    expect(reserveBytes).to.equal(1_024);
    for (let n = 0; n < 3; n++) append(1_500);
    expect(log.store.space().clientBytes).to.equal(0);
    expect(log.failures).to.deep.equal([]);
    const before = log.store.durableIndex;
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    log.store.lookForRoom();
    disk.run();
    expect(log.store.durableIndex).to.equal(5);
    expect(before).to.be.at.most(5);
    expect(log.store.space().clientBytes).to.equal(Number.MAX_SAFE_INTEGER);
    log.close();
    expect(new TestLog(disk).store.end.index).to.equal(5);
  });

  it("proves its last batch before it waits for room: what rots while the disk is full is damage, no torn tail", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const all = makeEntries(emptyLogEnd, 1, [3_000]);
    log.store.append(all);
    disk.run();
    disk.capacityBytes = disk.usedBytes;
    // Rolls into the spare, for which no other can be made; then there is no segment to roll into.
    const more = makeEntries(endOfAll(all, emptyLogEnd), 1, [3_000, 3_000, 3_000]);
    for (const entry of more) {
      log.store.append([entry]);
      disk.run();
    }
    expect(log.store.durableIndex, "the others wait").to.equal(1);
    const rotten = disk.killed();
    rotten.flip("g0/segment-0000000001", 4_096 + 5);
    rotten.capacityBytes = Number.POSITIVE_INFINITY;
    expect(new TestLog(rotten).recovered.damage).to.deep.equal([{ first: 1, last: 1 }]);
  });

  for (const then of ["is closed", "has room"]) {
    it(`stays full while an entry larger than a segment waits, though there is room for the next segment, until it ${then}`, () => {
      const disk = new MemoryDisk();
      const log = new TestLog(disk);
      disk.run();
      disk.capacityBytes = disk.usedBytes + 9_000;
      const [first, large] = makeEntries(emptyLogEnd, 1, [1_000, 20_000]) as [Entry, Entry];
      log.store.append([first]);
      log.store.append([large]);
      disk.run();
      expect(log.store.durableIndex, "the large one waits").to.equal(0);
      expect(log.store.space().clientBytes).to.be.lessThan(20_000);
      let ended = (): boolean => log.store.durableIndex === 1;
      if (then === "is closed") {
        let closed = false;
        ended = () => closed;
        log.store.close(() => {
          closed = true;
        });
      } else disk.capacityBytes = Number.POSITIVE_INFINITY;
      log.store.lookForRoom();
      disk.run();
      expect(log.failures).to.deep.equal([]);
      expect(ended()).to.equal(true);
    });
  }

  it("leaves its mark when it is closed while an append waits for room", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    log.store.append(makeEntries(emptyLogEnd, 1, [1_000]));
    disk.run();
    disk.capacityBytes = disk.usedBytes;
    // One that needs a segment of its own: it goes into the spare, the next one waits for another.
    const all = makeEntries(emptyLogEnd, 1, [1_000, 3_000, 3_000]);
    for (const entry of all.slice(1)) log.store.append([entry]);
    disk.run();
    expect(log.store.durableIndex, "the last one waits").to.equal(1);
    log.close();
    expect(log.failures).to.deep.equal([]);
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    for (const index of [0, 1]) {
      const rotten = disk.crashed(() => 0);
      const record = Buffer.from(recordOf(all[index] as Entry), "hex");
      for (const name of rotten.files().filter((file) => file.includes("segment"))) {
        const at = Buffer.from(rotten.content(name)).indexOf(record);
        if (at >= 0) rotten.flip(name, at + record.length - 1);
      }
      const { damage, end } = new TestLog(rotten).recovered;
      expect([damage, end.index]).to.deep.equal([[{ first: index, last: index }], 1]);
    }
  });
});
