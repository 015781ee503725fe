import { expect } from "chai";
import { endOfAll, everyChoice, identity, makeEntries, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Choose } from "#bench/storage/memory-inode";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { DiskFault } from "#core/io/disk";
import { openStore } from "#core/storage/log-store";
import { options } from "./damaged-log.ts";

/** Segments whose next one is written ahead in many steps. */
const slowly = { ...options, segmentBytes: 32_768, aheadBytes: 4_096 };
const nameOf = (number: number): string => `g0/segment-000000000${number}`;
const unfinished = (disk: MemoryDisk): string | undefined =>
  disk.files().find((name) => name.endsWith(".new"));

const events = { synced: (): void => undefined, saved: (): void => undefined, failed: (): void => undefined };

function append(log: TestLog, all: Entry[], lengths: readonly number[], term = 1): void {
  const entries = makeEntries(endOfAll(all, emptyLogEnd), term, lengths);
  all.push(...entries);
  log.store.append(entries);
  log.disk.run();
}

function without(disk: MemoryDisk, name: string): MemoryDisk {
  const robbed = disk.killed();
  robbed.erase(name);
  return robbed;
}

function expectRefused(disk: MemoryDisk, name: string, used = options): void {
  const files = disk.files();
  // Whoever starts the node again and again finds the same every time.
  for (let start = 1; start <= 3; start++) {
    expect(() => new TestLog(disk, used), `start ${start}`)
      .to.throw(LogError, `${name} is missing`)
      .with.property("code", "damaged");
  }
  expect(disk.files(), "nothing was removed").to.deep.equal(files);
}

describe("a directory of which a file is gone", () => {
  it("is not made anew once it was more than empty", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    log.store.saveIdentity({ ...identity, cluster: "c1", stage: "active" }, () => undefined);
    log.disk.run();
    log.store.saveMeta({ term: 7, votedFor: "", peers: [] });
    append(log, [], [10, 20], 7);
    const robbed = disk.crashed(() => 0);
    for (const name of robbed.files()) if (!name.endsWith("identity")) robbed.erase(name);
    expectRefused(robbed, "g0/meta");
  });

  it("is refused when it is the segment in use, from the first record in it to the last, and after a good end", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, slowly);
    const all: Entry[] = [];
    let halfMade = 0;
    let made = 0;
    let inUse = 0;
    while (inUse < 3) {
      append(log, all, [800]);
      inUse =
        disk.files().filter((name) => disk.content(name)[0] !== 0 && /segment-\d+$/.test(name)).length - 1;
      if (inUse < 1) continue;
      if (unfinished(disk) === undefined) made += 1;
      else halfMade += 1;
      expectRefused(without(disk, nameOf(inUse)), nameOf(inUse), slowly);
      expectRefused(
        without(
          disk.crashed(() => 0),
          nameOf(inUse),
        ),
        nameOf(inUse),
        slowly,
      );
    }
    expect(halfMade, "the next one is half made most of the time").to.be.greaterThan(2 * made);
    log.close();
    expect(unfinished(disk)).not.to.equal(undefined);
    expectRefused(without(disk, nameOf(inUse)), nameOf(inUse), slowly);
  });

  it("is refused when it is the one that the last cut was in", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    const all: Entry[] = [];
    for (const lengths of [[3_000], [1_000, 1_000], [3_000]]) append(log, all, lengths);
    log.store.truncate(2, endOfAll(all.slice(0, 2), emptyLogEnd));
    disk.run();
    const robbed = without(disk, nameOf(1));
    for (const name of robbed.files()) if (name.startsWith(nameOf(2))) robbed.erase(name);
    expectRefused(robbed, nameOf(1));
  });

  it("is refused when it is behind a cut, and was begun since", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    const all: Entry[] = [];
    append(log, all, [1_000, 1_000, 1_000]);
    log.store.truncate(2, endOfAll(all.slice(0, 2), emptyLogEnd));
    all.length = 2;
    // Does not fit behind the cut.
    append(log, all, [3_000], 2);
    expectRefused(without(disk, nameOf(1)), nameOf(1));
    const cutShort = disk.crashed(() => 0);
    cutShort.plant(nameOf(1), cutShort.content(nameOf(1)).slice(0, 100));
    expect(() => new TestLog(cutShort, options)).to.throw(LogError, /cut short to 100 bytes/);
  });
});

/** A log of several segments that is cut back into its first one, before the first call of the disk. */
function cutOver(used: typeof options, segments: number, closing = false): TestLog {
  const log = new TestLog(new MemoryDisk(), used);
  const all: Entry[] = [];
  append(log, all, [100]);
  for (let n = 0; n < segments; n++) append(log, all, [used.segmentBytes - 5_000]);
  append(log, all, [1_000]);
  log.store.truncate(1, endOfAll(all.slice(0, 1), emptyLogEnd));
  if (closing) log.store.close(() => undefined);
  return log;
}

/** Of bytes one choice is as good as another: names are what counts, and they are chosen first. */
function namesOnly(choose: Choose, most = 8): Choose {
  let choices = 0;
  return (count) => {
    choices += 1;
    return choices <= most ? choose(count) : 0;
  };
}

function expectOpens(disk: MemoryDisk, used: typeof options, segments: number): void {
  const log = new TestLog(disk, used);
  expect(log.recovered.end.index).to.be.oneOf([0, segments + 1]);
  expect(log.readAll()).to.have.length(log.recovered.end.index + 1);
}

describe("a cut over several segments", () => {
  for (const closing of [false, true]) {
    it(`${closing ? "of a log that is being closed " : ""}leaves no gap whenever the power fails`, () => {
      for (const used of [options, slowly]) {
        let runs = 0;
        for (let calls = 0, left = true; left; calls++) {
          runs += everyChoice((choose) => {
            const log = cutOver(used, 4, closing);
            for (let n = 0; n < calls; n++) log.disk.step();
            left = log.disk.waiting > 0;
            expectOpens(log.disk.crashed(namesOnly(choose)), used, 4);
          });
        }
        expect(runs).to.be.greaterThan(30);
      }
    });
  }

  it("takes the next one away first, though nobody makes it any more: its making failed, or the log is being closed", () => {
    for (const closing of [false, true]) {
      const log = cutOver(slowly, 2);
      const { disk } = log;
      expect(unfinished(disk)).to.equal(`${nameOf(3)}.new`);
      let failures = 0;
      disk.fault = ({ kind, path }) => {
        if (kind !== "remove" || !path.endsWith(".new") || failures > 0) return undefined;
        failures += 1;
        if (closing) log.store.close(() => undefined);
        return closing ? new DiskFault("full", "no room") : new DiskFault("io", "a bad sector");
      };
      disk.run();
      expect(failures).to.equal(1);
      expect(disk.files().filter((name) => name.includes("segment"))[0]).to.equal(nameOf(0));
      expectOpens(disk.killed(), slowly, 2);
      expectOpens(
        disk.crashed(() => 0),
        slowly,
        2,
      );
    }
  });

  it("leaves none when its process is killed, and the power fails while the next one goes on with it", () => {
    let runs = 0;
    for (let calls = 0; ; calls++) {
      const killed = cutOver(options, 2).disk;
      for (let n = 0; n < calls; n++) killed.step();
      if (killed.waiting === 0) break;
      // Killed at any other time it leaves what a power failure leaves, too.
      if (killed.done[killed.done.length - 1]?.kind !== "remove") continue;
      for (let recovery = 0, left = true; left; recovery++) {
        runs += everyChoice((choose) => {
          const disk = killed.killed();
          openStore(
            disk,
            options,
            () => identity,
            events,
            () => undefined,
          );
          for (let n = 0; n < recovery; n++) disk.step();
          left = disk.waiting > 0;
          expectOpens(disk.crashed(namesOnly(choose, 4)), options, 2);
        });
      }
    }
    expect(runs).to.be.greaterThan(100);
  });
});
