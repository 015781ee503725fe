import { expect } from "chai";
import { endOfAll, makeEntries, recordOf, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import { AssertionError } from "#core/base/assert";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { DiskFault } from "#core/io/disk";

describe("log store", () => {
  it("gives back over many segments what was appended, with terms and places", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const one = makeEntries(emptyLogEnd, 1, [10, 0, 900, 300, 1500]);
    const two = makeEntries(endOfAll(one, emptyLogEnd), 3, [2000, 2000, 20, 2900, 3500, 7]);
    log.store.append(one);
    log.store.append(two);
    disk.run();
    const all = [...one, ...two];
    expect(log.store.durableIndex).to.equal(10);
    expect(log.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
    log.close();
    const again = new TestLog(disk.crashed(() => 0));
    expect(again.recovered.end).to.deep.equal(endOfAll(all, emptyLogEnd));
    expect(again.recovered.terms).to.deep.equal([
      { firstIndex: 0, term: 1 },
      { firstIndex: 5, term: 3 },
    ]);
    expect(again.recovered.tornBytes).to.equal(0);
    expect(again.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
    for (const entry of all) {
      const read = again.read(entry.index, 1);
      expect(read.entries.map(recordOf)).to.deep.equal([recordOf(entry)]);
      expect(read.before.pos).to.equal(entry.pos);
    }
    expect(again.read(11, 1_000)).to.deep.equal({ before: again.store.end, entries: [] });
  });

  it("writes what waits as one batch with one sync, within the batch's limit", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    disk.run();
    const all = makeEntries(emptyLogEnd, 1, [100, 100, 100, 100, 1500, 900, 10]);
    for (const entry of all) log.store.append([entry]);
    disk.done.length = 0;
    disk.run();
    const calls = disk.done.filter((call) => call.path.startsWith("g0/segment")).map((call) => call.kind);
    // The first entry went at once; the others waited: four of them, one that fills a batch, one larger.
    expect(calls).to.deep.equal(["write", "sync", "write", "sync", "write", "sync"]);
    expect(log.synced).to.deep.equal([0, 4, 6]);
  });

  it("takes an entry that is larger than a segment, and a mark behind it", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const all = makeEntries(emptyLogEnd, 1, [100, 20_000, 5, 30_000, 6]);
    log.store.append(all);
    disk.run();
    log.store.markIdle();
    disk.run();
    expect(log.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
    const again = new TestLog(disk.crashed(() => 0));
    expect(again.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
  });

  it("reports as synced only what is synced, and never what was cut meanwhile", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    disk.run();
    const old = makeEntries(emptyLogEnd, 1, [10, 10, 10, 10]);
    const fresh = makeEntries(endOfAll(old.slice(0, 2), emptyLogEnd), 2, [20, 20, 20], 1);
    log.store.append(old);
    disk.step();
    expect(log.synced).to.deep.equal([]);
    log.store.truncate(2);
    log.store.append(fresh);
    expect(log.store.durableIndex).to.equal(-1);
    disk.run();
    expect(log.synced).to.deep.equal([1, 4]);
    expect(log.readAll().map(recordOf)).to.deep.equal([...old.slice(0, 2), ...fresh].map(recordOf));
    const again = new TestLog(disk.crashed(() => 0));
    expect(again.readAll().map(recordOf)).to.deep.equal([...old.slice(0, 2), ...fresh].map(recordOf));
  });

  it("saves term and vote once for each call, in order, and keeps them", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const peers = [{ node: smallOptions.node, incarnation: "00000000000000ff" }];
    log.store.saveMeta({ term: 1, votedFor: "", peers });
    log.store.saveMeta({ term: 2, votedFor: smallOptions.node, peers });
    expect(log.saved).to.equal(0);
    disk.run();
    expect(log.saved).to.equal(2);
    const again = new TestLog(disk.crashed(() => 0));
    expect(again.recovered.meta).to.deep.equal({ term: 2, votedFor: "n0", peers });
  });

  it("remembers that its log differs from a leader's, and nothing where nothing was seen", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const meta = { term: 4, votedFor: "n1" as never, peers: [] };
    for (const saved of [meta, { ...meta, divergedAt: 0 }, { ...meta, divergedAt: 77 }]) {
      log.store.saveMeta(saved);
      disk.run();
      expect(new TestLog(disk.crashed(() => 0)).recovered.meta).to.deep.equal(saved);
    }
  });

  it("keeps term and vote when either slot rots, and stops when both do", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    log.store.saveMeta({ term: 7, votedFor: smallOptions.node, peers: [] });
    disk.run();
    for (const slot of [0, 1]) {
      const rotted = disk.crashed(() => 0);
      rotted.flip("g0/meta", slot * 4_096 + 20);
      expect(new TestLog(rotted).recovered.meta.term).to.equal(7);
      rotted.flip("g0/meta", (1 - slot) * 4_096 + 20);
      expect(new TestLog(rotted).recovered.meta.term).to.equal(7);
    }
    disk.flip("g0/meta", 20);
    disk.flip("g0/meta", 4_096 + 20);
    expect(() => new TestLog(disk))
      .to.throw(LogError, /both slots/)
      .with.property("code", "damaged");
  });

  it("acknowledges nothing after a failed write or sync, and says so once", () => {
    for (const kind of ["write", "sync"]) {
      const disk = new MemoryDisk();
      const log = new TestLog(disk);
      disk.run();
      const all = makeEntries(emptyLogEnd, 1, [10, 10]);
      log.store.append(all.slice(0, 1));
      disk.run();
      disk.fault = (call) => (call.kind === kind ? new DiskFault("io", "input/output error") : undefined);
      log.store.append(all.slice(1));
      disk.run();
      disk.fault = () => undefined;
      const calls = disk.done.length;
      log.store.append(makeEntries(endOfAll(all, emptyLogEnd), 1, [10]));
      log.store.saveMeta({ term: 1, votedFor: "", peers: [] });
      log.store.truncate(0);
      log.store.markIdle();
      disk.run();
      expect(disk.done.length, "nothing is written or synced again").to.equal(calls);
      expect(log.failures).to.deep.equal(["append: input/output error"]);
      expect(log.synced).to.deep.equal([0]);
      expect(log.saved).to.equal(0);
      log.close();
    }
  });

  it("tells at once that the segment written ahead failed, and touches nothing any more", () => {
    for (const kind of ["write", "sync"]) {
      const disk = new MemoryDisk();
      disk.fault = (call) => {
        const ahead = call.kind === kind && call.path.includes("segment-0000000001");
        return ahead ? new DiskFault("io", "input/output error") : undefined;
      };
      const log = new TestLog(disk);
      disk.run();
      expect(log.failures, kind).to.deep.equal(["write segment ahead: input/output error"]);
      expect(disk.done.some((call) => call.kind === "remove")).to.equal(false);
      log.close();
    }
  });

  it("tells of a failure once, though several writes fail", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    disk.fault = (call) => (call.kind === "write" ? new DiskFault("io", "input/output error") : undefined);
    log.store.append(makeEntries(emptyLogEnd, 1, [10]));
    log.store.saveMeta({ term: 1, votedFor: "", peers: [] });
    disk.run();
    expect(log.failures).to.have.length(1);
    expect([log.synced, log.saved]).to.deep.equal([[], 0]);
    log.close();
  });

  it("does not take a bug for a fault of the disk", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    disk.run();
    const wrong = makeEntries({ index: -1, term: 0, chainCrc: 0, pos: 9 }, 1, [10]);
    expect(() => log.store.append(wrong)).to.throw(AssertionError, "continues the log");
    const peers = Array.from({ length: 17 }, () => ({ node: smallOptions.node, incarnation: "00" }));
    expect(() => log.store.saveMeta({ term: 1, votedFor: "", peers })).to.throw(AssertionError, "peers fit");
    expect(log.failures).to.deep.equal([]);
  });

  it("reads beside appends, but cuts only once a reading is over", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const all = makeEntries(emptyLogEnd, 1, [1_900, 1_900, 1_900, 1_900, 1_900, 1_900]);
    log.store.append(all);
    disk.run();
    const got: string[][] = [];
    const read = (first: number): void =>
      log.store.read(first, { last: 100, bytesMax: 100_000 }, (error, value) => {
        got.push(error === undefined ? value.entries.map(recordOf) : [error.message]);
      });
    read(0);
    log.store.truncate(1);
    read(0);
    const fresh = makeEntries(endOfAll(all.slice(0, 1), emptyLogEnd), 2, [5, 5]);
    log.store.append(fresh);
    read(2);
    expect(got, "never inside the call").to.deep.equal([]);
    disk.run();
    expect(got[0]).to.deep.equal(all.map(recordOf));
    expect(got[1]).to.deep.equal(
      [all[0], ...fresh].slice(0, got[1]?.length).map((entry) => recordOf(entry as Entry)),
    );
    expect(got[2]).to.deep.equal(fresh.slice(1).map(recordOf));
  });

  it("has no more than sixteen readings under way, however many are asked for, and ends them all", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const all = makeEntries(emptyLogEnd, 1, [100, 100, 100]);
    log.store.append(all);
    disk.run();
    const idle = disk.waiting;
    let ended = 0;
    for (let n = 0; n < 100; n++) {
      log.store.read(n % 3, { last: 100, bytesMax: 1 }, (error, value) => {
        expect(error ?? value.entries.map(recordOf)).to.deep.equal([recordOf(all[n % 3] as Entry)]);
        ended += 1;
      });
    }
    for (let busy = true; busy; busy = disk.step()) expect(disk.waiting - idle).to.be.at.most(16);
    expect(ended).to.equal(100);
  });

  it("never gives a record that a cut takes away which waits behind an append", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const all = makeEntries(emptyLogEnd, 1, [100, 100, 100]);
    log.store.append(all);
    disk.run();
    const old = makeEntries(endOfAll(all, emptyLogEnd), 1, [100]);
    log.store.append(old);
    log.store.truncate(2);
    const fresh = makeEntries(endOfAll(all.slice(0, 2), emptyLogEnd), 2, [5, 5]);
    log.store.append(fresh);
    const got: string[][] = [];
    for (const first of [0, 2, 3]) {
      log.store.read(first, { last: 100, bytesMax: 100_000 }, (error, value) => {
        got.push(error === undefined ? value.entries.map(recordOf) : [error.message]);
      });
    }
    disk.run();
    const [before, ...behind] = got;
    expect(before).to.deep.equal(all.slice(0, 2).map(recordOf));
    expect(behind).to.deep.equal([fresh.map(recordOf), fresh.slice(1).map(recordOf)]);
  });

  it("writes the next segment ahead, and syncs its first name, it, and its name before it is used", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    disk.done.length = 0;
    disk.run();
    const ahead = disk.done.filter(({ path }) => path === "g0" || path.startsWith("g0/segment-0000000001"));
    expect(ahead.map((call) => call.kind)).to.deep.equal([
      "open",
      "sync-directory",
      "write",
      "sync",
      "rename",
      "sync-directory",
    ]);
    expect(disk.content("g0/segment-0000000001")).to.deep.equal(new Uint8Array(8_192));
    log.close();
  });

  it("goes on with segments of another size", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const all = makeEntries(emptyLogEnd, 1, [3_000, 3_000, 3_000]);
    log.store.append(all);
    disk.run();
    log.close();
    for (const segmentBytes of [16_384, 8_192]) {
      const next = new TestLog(disk, { ...smallOptions, segmentBytes });
      const more = makeEntries(next.store.end, 1, [3_000, 3_000, 6_000, 3_000]);
      all.push(...more);
      next.store.append(more);
      disk.run();
      expect(next.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
      next.close();
    }
    expect(disk.content("g0/segment-0000000000")).to.have.length(8_192);
    expect(new TestLog(disk.crashed(() => 0)).readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
  });

  it("closes though an append waits for room on a full disk", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    disk.run();
    disk.capacityBytes = disk.usedBytes;
    log.store.append(makeEntries(emptyLogEnd, 1, [1_500, 1_500, 1_500, 1_500, 1_500, 1_500, 1_500]));
    disk.run();
    expect(log.store.durableIndex).to.be.lessThan(6);
    log.close();
    expect(log.failures).to.deep.equal([]);
  });
});
