import { expect } from "chai";
import { endOfAll, identity, makeEntries, recordOf, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry, LogEnd } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";

export const options = { ...smallOptions, segmentBytes: 8_192 };

export interface Made {
  readonly disk: MemoryDisk;
  readonly all: readonly Entry[];
}

/** One write: runs of records, each of a term and of the given lengths; or a mark. */
export type Written = readonly (readonly [term: number, lengths: readonly number[]])[] | "mark";

/** A log that was written so, one sync each, and marked at the end: everything is proven to be synced. */
export function logOf(written: readonly Written[], who = identity): Made {
  const disk = new MemoryDisk();
  const log = new TestLog(disk, options, who);
  const all: Entry[] = [];
  for (const one of [...written, "mark" as const]) {
    if (one === "mark") log.store.markIdle();
    else {
      const entries = entriesOf(one, endOfAll(all, emptyLogEnd));
      all.push(...entries);
      log.store.append(entries);
    }
    disk.run();
  }
  return { disk: disk.crashed(() => 0), all };
}

/** Runs of records of several terms that follow `end`. */
export function entriesOf(runs: Exclude<Written, "mark">, end: LogEnd, salt = 0): Entry[] {
  const entries: Entry[] = [];
  for (const [term, lengths] of runs)
    entries.push(...makeEntries(endOfAll(entries, end), term, lengths, salt));
  return entries;
}

/** The log as a machine finds it that starts again after it lost its power. */
export function reopened(disk: MemoryDisk): TestLog {
  return new TestLog(
    disk.crashed(() => 0),
    options,
  );
}

/** Three segments of batches. */
export function makeLog(who = identity): Made {
  return logOf(
    [
      [[1, [40, 60, 0]]],
      [[1, [200]]],
      "mark",
      [[2, [1_500]]],
      [[2, [1_600, 50]]],
      [[3, [900, 10, 10]]],
      [[3, [1_900, 300]]],
      [[5, [1_200, 30]]],
    ],
    who,
  );
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
