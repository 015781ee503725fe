import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { endOfAll, TestLog } from "../../storage/log-script.ts";
import type { MemoryDisk } from "../../storage/memory-disk.ts";
import type { FlipLog } from "./flip-log.ts";
import { flipOptions, segmentBytes } from "./flip-log.ts";

/**
 * What the store made of a changed disk.
 * - harmless: every entry is there as it was; the byte carries nothing, or what it carried stands elsewhere too.
 * - cleared: every entry is there, and bytes that are no entry's were cut as a torn tail: zeros behind the end, a mark.
 * - torn: entries at the end were cut, none that anything proves to be synced unless the proof itself is gone.
 * - damaged: entries are reported as damaged, and refused until they are mended.
 * - refused: the directory was not opened, with a typed error.
 */
export type Verdict = "harmless" | "cleared" | "torn" | "damaged" | "refused";
export const verdicts: readonly Verdict[] = ["harmless", "cleared", "torn", "damaged", "refused"];

export interface Classified {
  readonly verdict: Verdict;
  /** Entries that were cut. */
  readonly lost: number;
  /** The copies of a peer made the log whole again. */
  readonly mended: boolean;
}

function fail(sentence: string): never {
  throw new Error(sentence);
}

/**
 * Opens a changed disk, which is used up, and reads everything that it gives.
 * @throws Error when anything is given that was not written, or damage does not mend.
 */
export function classify(made: FlipLog, disk: MemoryDisk, mend: boolean): Classified {
  const { entries } = made;
  let log: TestLog;
  try {
    log = new TestLog(disk, flipOptions);
  } catch (error) {
    if (error instanceof LogError && error.code === "damaged")
      return { verdict: "refused", lost: 0, mended: false };
    throw error;
  }
  const { damage, end, tornBytes } = log.recovered;
  if (damage.length > 0) {
    readAround(log, entries);
    if (end.index !== entries.length - 1) fail("damage was cut");
    if (mend) mendAll(log, entries);
    return { verdict: "damaged", lost: 0, mended: mend };
  }
  const kept = log.readAll();
  if (kept.length !== end.index + 1) fail("the log cannot be read to its end");
  expectSame(kept, entries.slice(0, kept.length));
  if (kept.length === entries.length)
    return { verdict: tornBytes > 0 ? "cleared" : "harmless", lost: 0, mended: false };
  return { verdict: "torn", lost: entries.length - kept.length, mended: false };
}

/** Every entry outside the damage is as it was; one within is refused, or is as it was (only zeros of it were lost). */
function readAround(log: TestLog, entries: readonly Entry[]): void {
  let next = 0;
  for (const { first, last } of log.recovered.damage) {
    if (first < next || last < first || last >= entries.length)
      fail(`${first} to ${last} is no damage of this log`);
    readRun(log, entries, { first: next, last: first - 1 });
    for (let index = first; index <= last; index++) readDamaged(log, entries, index);
    next = last + 1;
  }
  readRun(log, entries, { first: next, last: entries.length - 1 });
}

function readRun(
  log: TestLog,
  entries: readonly Entry[],
  run: { readonly first: number; readonly last: number },
): void {
  for (let index = run.first; index <= run.last; ) {
    const got = log.read(index, segmentBytes, run.last).entries;
    if (got.length === 0) fail(`nothing is read at ${index}`);
    expectSame(got, entries.slice(index, index + got.length));
    index += got.length;
  }
}

function readDamaged(log: TestLog, entries: readonly Entry[], index: number): void {
  try {
    expectSame(log.read(index, 1, index).entries, entries.slice(index, index + 1));
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "damaged") throw error;
  }
}

function mendAll(log: TestLog, entries: readonly Entry[]): void {
  for (const { first, last } of log.recovered.damage) {
    if (!log.mend(entries.slice(first, last + 1))) fail(`${first} to ${last} do not mend`);
  }
  if (log.store.damage().length > 0) fail("there is damage after it was mended");
  expectWhole(log, entries);
  const again = new TestLog(
    log.disk.crashed(() => 0),
    flipOptions,
  );
  if (again.recovered.damage.length > 0) fail("damage is back after a crash");
  expectWhole(again, entries);
}

function expectWhole(log: TestLog, entries: readonly Entry[]): void {
  const got = log.readAll();
  const end = endOfAll(got, emptyLogEnd);
  if (got.length !== entries.length || end.chainCrc !== endOfAll(entries, emptyLogEnd).chainCrc)
    fail("the log is not whole again");
  expectSame(got, entries);
}

/** Compares the records byte by byte. */
function expectSame(got: readonly Entry[], written: readonly Entry[]): void {
  for (const [n, entry] of got.entries()) {
    const other = written[n];
    if (other === undefined || entry.size !== other.size) fail(`entry ${entry.index} was never written`);
    const a = Buffer.from(entry.block.buffer, entry.block.byteOffset + entry.offset, entry.size);
    const b = Buffer.from(other.block.buffer, other.block.byteOffset + other.offset, other.size);
    if (!a.equals(b)) fail(`entry ${entry.index} is given with other bytes than were written`);
  }
}
