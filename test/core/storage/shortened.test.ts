import { expect } from "chai";
import {
  endOfAll,
  everyChoice,
  identity,
  makeEntries,
  recordOf,
  smallOptions,
  TestLog,
} from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { directorySeed } from "#core/storage/batch";
import { decodeSegmentHeader } from "#core/storage/segment";

const nameOf = (number: number): string => `g0/segment-000000000${number}`;

function made(lengths: readonly number[]): { readonly disk: MemoryDisk; readonly all: readonly Entry[] } {
  const disk = new MemoryDisk();
  const log = new TestLog(disk);
  const all: Entry[] = [];
  for (const length of lengths) {
    const entries = makeEntries(endOfAll(all, emptyLogEnd), 1, [length]);
    all.push(...entries);
    log.store.append(entries);
    disk.run();
  }
  return { disk: disk.crashed(() => 0), all };
}

function cutShort(disk: MemoryDisk, name: string, length: number): MemoryDisk {
  const copy = disk.crashed(() => 0);
  copy.plant(name, disk.content(name).slice(0, length));
  return copy;
}

/** @returns undefined when the directory is refused as damaged. */
function opened(disk: MemoryDisk): TestLog | undefined {
  try {
    return new TestLog(disk);
  } catch (error) {
    expect(error).to.be.instanceOf(LogError).with.property("code", "damaged");
    expect(String(error)).to.match(/cut short to \d+ bytes/);
    return undefined;
  }
}

function toldLength(disk: MemoryDisk, number: number): number | undefined {
  const seed = directorySeed(identity.incarnation);
  return decodeSegmentHeader(disk.content(nameOf(number)), 0, seed, number)?.fileBytes;
}

/** Cuts a segment to every length: each is refused, or every record is there, the file has its length, and the log goes on. */
function cutEverywhere(disk: MemoryDisk, all: readonly Entry[], number: number): { refused: number } {
  const { length } = disk.content(nameOf(number));
  let refused = 0;
  for (let to = 0; to < length; to += to < 64 || (to > 4_000 && to < 5_800) ? 19 : 331) {
    const log = opened(cutShort(disk, nameOf(number), to));
    if (log === undefined) {
      refused += 1;
      continue;
    }
    expect(log.readAll().map(recordOf), `cut to ${to}`).to.deep.equal(all.map(recordOf));
    expect(log.disk.content(nameOf(number))).to.have.length(length);
    const more = makeEntries(log.store.end, 2, [1_000, 900, 700, 800, 600]);
    log.store.append(more);
    log.disk.run();
    const again = new TestLog(log.disk.crashed(() => 0));
    expect(again.readAll().map(recordOf)).to.deep.equal([...all, ...more].map(recordOf));
  }
  return { refused };
}

describe("a segment's file that was cut short", () => {
  it("is refused wherever a record may be gone, and gets its length back where only zeros are", () => {
    const { disk, all } = made([300, 40, 900]);
    expect(toldLength(disk, 0)).to.equal(8_192);
    expect(cutEverywhere(disk, all, 0).refused).to.be.within(60, 200);
  });

  it("is told from a torn tail in a segment that grew for one entry, too", () => {
    const { disk, all } = made([9_000]);
    const { length } = disk.content(nameOf(0));
    expect(length).to.be.greaterThan(8_192);
    expect(toldLength(disk, 0)).to.equal(length);
    const log = opened(cutShort(disk, nameOf(0), length - 1));
    expect(log?.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
    for (const to of [0, 4_000, 4_096, 8_192, 9_000])
      expect(opened(cutShort(disk, nameOf(0), to))).to.equal(undefined);
  });

  it("is told so after the log was cut back to the segment's beginning and grew there", () => {
    const { disk } = made([300, 40]);
    const log = new TestLog(disk);
    log.store.truncate(0);
    log.store.append(makeEntries(emptyLogEnd, 2, [9_000]));
    log.disk.run();
    expect(log.failures).to.deep.equal([]);
    const { length } = log.disk.content(nameOf(0));
    expect(toldLength(log.disk, 0)).to.equal(length);
    expect(
      opened(
        cutShort(
          log.disk.crashed(() => 0),
          nameOf(0),
          8_192,
        ),
      ),
    ).to.equal(undefined);
  });

  it("and is the one in use is not taken for one that is being made", () => {
    const { disk } = made([3_000, 3_000]);
    expect(toldLength(disk, 1)).to.equal(8_192);
    for (const to of [0, 1, 4_095]) expect(opened(cutShort(disk, nameOf(1), to))).to.equal(undefined);
    const robbed = cutShort(disk, nameOf(1), 100);
    robbed.erase(nameOf(2));
    expect(opened(robbed)).to.equal(undefined);
  });

  it("before the last one is damage only where records were, and has its length again when it is the last", () => {
    const { disk, all } = made([2_000, 600, 2_900, 3_000]);
    const used = 4_096 + 64 + 2_112 + 64 + 704;
    const log = new TestLog(cutShort(disk, nameOf(0), used));
    expect(log.recovered.damage).to.deep.equal([]);
    expect(log.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
    expect(log.disk.content(nameOf(0))).to.have.length(8_192);
    log.store.truncate(2);
    const more = makeEntries(endOfAll(all.slice(0, 2), emptyLogEnd), 3, [700]);
    log.store.append(more);
    log.disk.run();
    const again = new TestLog(log.disk.crashed(() => 0));
    expect(again.readAll().map(recordOf)).to.deep.equal([...all.slice(0, 2), ...more].map(recordOf));
  });

  it("is never what a crash leaves, at any moment of making a segment, beginning it, and making it grow", () => {
    let runs = 0;
    for (let calls = 0, left = true; left; calls++) {
      runs += everyChoice((choose) => {
        const disk = new MemoryDisk();
        const log = new TestLog(disk, { ...smallOptions, segmentBytes: 8_192 });
        const first = makeEntries(emptyLogEnd, 1, [3_900]);
        log.store.append(first);
        disk.run();
        const second = makeEntries(endOfAll(first, emptyLogEnd), 1, [4_100]);
        log.store.append(second);
        for (let n = 0; n < calls; n++) disk.step();
        left = disk.waiting > 0;
        const synced = log.synced[log.synced.length - 1] ?? -1;
        // One choice of sectors is as good as another: lengths and names are what counts.
        let choices = 0;
        const after = disk.crashed((count) => {
          choices += 1;
          return choices < 9 ? choose(count) : 0;
        });
        const again = new TestLog(after);
        expect(again.recovered.damage).to.deep.equal([]);
        expect(again.recovered.end.index).to.be.within(synced, 1);
      });
    }
    expect(runs).to.be.greaterThan(40);
  });
});
