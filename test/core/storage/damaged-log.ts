import { expect } from "chai";
import { endOfAll, identity, makeEntries, recordOf, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";

export const options = { ...smallOptions, segmentBytes: 8_192 };

export interface Made {
  readonly disk: MemoryDisk;
  readonly all: readonly Entry[];
}

/** Three segments of batches, marked at the end: everything is proven to be synced. */
export function makeLog(who = identity): Made {
  const disk = new MemoryDisk();
  const log = new TestLog(disk, options, who);
  const all: Entry[] = [];
  const append = (term: number, lengths: readonly number[]): void => {
    const entries = makeEntries(endOfAll(all, emptyLogEnd), term, lengths);
    all.push(...entries);
    log.store.append(entries);
    disk.run();
  };
  append(1, [40, 60, 0]);
  append(1, [200]);
  log.store.markIdle();
  disk.run();
  append(2, [1_500]);
  append(2, [1_600, 50]);
  append(3, [900, 10, 10]);
  append(3, [1_900, 300]);
  append(5, [1_200, 30]);
  log.store.markIdle();
  disk.run();
  return { disk: disk.crashed(() => 0), all };
}

/**
 * Recovers a log that something happened to, and checks that only what is reported as damaged is lost.
 * @param zerosLost the end of a file may have been lost: if it was zeros, it is whole again once it has its length back.
 */
export function recoverDamaged(disk: MemoryDisk, all: readonly Entry[], zerosLost = false): TestLog {
  const log = new TestLog(disk, options);
  const { recovered } = log;
  expect(recovered.end, "damage is never cut").to.deep.equal(endOfAll(all, emptyLogEnd));
  const lost = (index: number): boolean => recovered.damage.some((d) => d.first <= index && index <= d.last);
  for (const entry of all) {
    if (lost(entry.index) && zerosLost) expectDamagedOrWhole(log, entry);
    else if (lost(entry.index)) {
      expect(() => log.read(entry.index, 1))
        .to.throw(LogError)
        .with.property("code", "damaged");
    } else {
      const { entries, before } = log.read(entry.index, 1);
      expect(entries.map(recordOf)).to.deep.equal([recordOf(entry)]);
      expect(before.pos).to.equal(entry.pos);
    }
  }
  expect(log.store.damage()).to.deep.equal(recovered.damage);
  return log;
}

export function expectDamagedOrWhole(log: TestLog, entry: Entry): void {
  let got: string[] = [];
  try {
    got = log.read(entry.index, 1).entries.map(recordOf);
  } catch (error) {
    expect(error).to.be.instanceOf(LogError).with.property("code", "damaged");
    return;
  }
  expect(got).to.deep.equal([recordOf(entry)]);
}

/** Mends with a peer's copies and checks that the log is what it was, now and after a crash. */
export function mendAll(log: TestLog, all: readonly Entry[]): void {
  for (const { first, last } of log.recovered.damage) {
    expect(log.mend(all.slice(first, last + 1))).to.equal(true);
  }
  expect(log.store.damage()).to.deep.equal([]);
  expect(log.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
  const again = new TestLog(
    log.disk.crashed(() => 0),
    options,
  );
  expect(again.recovered.damage).to.deep.equal([]);
  expect(again.recovered.end).to.deep.equal(endOfAll(all, emptyLogEnd));
  expect(again.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
}

export function segmentsOf(disk: MemoryDisk): string[] {
  return disk.files().filter((name) => name.includes("segment"));
}

export function usedBytes(content: Uint8Array): number {
  let used = content.length;
  while (used > 0 && content[used - 1] === 0) used -= 1;
  return used;
}
