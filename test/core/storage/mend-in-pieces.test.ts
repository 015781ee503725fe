import { expect } from "chai";
import fc from "fast-check";
import { endOfAll, makeEntries, recordOf, TestLog } from "#bench/storage/log-script";
import type { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry, LogEnd } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";
import { logOf, options, segmentsOf } from "./damaged-log.ts";

/** Six segments of batches, some as large as what a segment holds. */
const made = logOf([
  [[1, [40, 60, 0, 17]]],
  [[1, [1_500, 30]]],
  [[2, [1_900]]],
  [[2, [600, 600, 600, 100]]],
  [[3, [9_000]]],
  [[3, [900, 10, 10, 700]]],
  [[5, [1_000, 1_000, 1_000, 1_000]]],
  [[6, [5, 5, 5, 5, 5, 5, 5, 5]]],
  [[6, [3_700]]],
  [[7, [300, 20]]],
]);
const names = segmentsOf(made.disk);

/** @returns undefined unless the piece was taken. */
function place(log: TestLog, entries: readonly Entry[], upTo: LogEnd): boolean {
  let result: boolean | undefined;
  const done = (error: Error | undefined, placed: boolean): void => {
    if (error !== undefined) throw error;
    result = placed;
  };
  log.store.mend(entries, done, upTo);
  log.disk.run();
  if (result === undefined) throw new Error("a piece was not answered");
  return result;
}

function reopened(disk: MemoryDisk): TestLog {
  const log = new TestLog(disk, options);
  expect(log.recovered.end).to.deep.equal(endOfAll(made.all, emptyLogEnd));
  return log;
}

function expectWhole(log: TestLog): void {
  expect(log.store.damage()).to.deep.equal([]);
  expect(log.readAll().map(recordOf)).to.deep.equal(made.all.map(recordOf));
}

const hurts = fc.array(
  fc.record({
    segment: fc.nat(names.length - 3),
    from: fc.integer({ min: 4_000, max: 8_191 }),
    length: fc.oneof(fc.nat(100), fc.nat(6_000)),
    how: fc.constantFrom("zero" as const, "noise" as const, "remove" as const),
  }),
  { minLength: 1, maxLength: 3 },
);

function hurt(disk: MemoryDisk, how: typeof hurts extends fc.Arbitrary<infer T> ? T : never): void {
  for (const { segment, from, length, how: kind } of how) {
    const name = names[segment] as string;
    if (!disk.files().includes(name)) continue;
    const content = disk.content(name);
    if (kind === "remove") disk.erase(name);
    else {
      for (let at = from; at < Math.min(from + length, content.length); at++)
        content[at] = kind === "zero" ? 0 : (at * 131 + 7) & 255;
      disk.plant(name, content);
    }
  }
}

describe("damage that is mended in pieces", () => {
  it("is whole in the end, whatever the pieces are and wherever in them the power fails", () => {
    let largest = 0;
    const property = fc.property(
      hurts,
      fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 9 }),
      fc.array(fc.nat(12), { maxLength: 6 }),
      fc.nat(),
      (how, sizes, crashes, seed) => {
        const disk = made.disk.crashed(() => 0);
        hurt(disk, how);
        let log = reopened(disk);
        let key = seed;
        let turn = 0;
        const crashesLeft = crashes.slice();
        for (let next = -1; log.store.hole() !== undefined; turn++) {
          expect(turn, "it ends").to.be.lessThan(500);
          const { before, after } = log.store.hole() as { before: LogEnd; after: LogEnd };
          largest = Math.max(largest, after.index - before.index);
          const from = Math.max(next, before.index + 1);
          const to = Math.min(after.index + 1, from + (sizes[turn % sizes.length] ?? 1));
          const piece = made.all.slice(from, to);
          const crash = crashesLeft.shift();
          if (crash === undefined) {
            expect(place(log, piece, endOf(piece[piece.length - 1] as Entry))).to.equal(true);
            next = to;
            continue;
          }
          log.disk.run();
          log.store.mend(piece, () => undefined, endOf(piece[piece.length - 1] as Entry));
          for (let calls = crash; calls > 0; calls--) log.disk.step();
          log = reopened(
            log.disk.crashed((choices) => {
              key = (Math.imul(key, 1_103_515_245) + 12_345) & 0x7fffffff;
              return (key >>> 8) % choices;
            }),
          );
          next = -1;
        }
        expectWhole(log);
        const again = reopened(log.disk.crashed(() => 0));
        expect(again.recovered.damage).to.deep.equal([]);
        expectWhole(again);
      },
    );
    fc.assert(property, { numRuns: 300 });
    expect(largest).to.be.greaterThan(10);
  });

  it("counts in a good batch at once, elsewhere with the last record that its place in the files takes", () => {
    const disk = made.disk.crashed(() => 0);
    // The second record's header: its batch's header is good.
    disk.flip(names[0] as string, 4_096 + 64 + 88 + 5);
    const inBatch = reopened(disk);
    expect(inBatch.recovered.damage).to.deep.equal([{ first: 1, last: 3 }]);
    expect(place(inBatch, made.all.slice(1, 2), endOf(made.all[1] as Entry))).to.equal(true);
    expect(inBatch.store.damage()).to.deep.equal([{ first: 2, last: 3 }]);
    const lost = made.disk.crashed(() => 0);
    lost.flip(names[0] as string, 4_096 + 5);
    const log = reopened(lost);
    expect(log.recovered.damage).to.deep.equal([{ first: 0, last: 3 }]);
    for (const index of [0, 1, 2]) {
      const entry = made.all[index] as Entry;
      expect(place(log, [entry], endOf(entry))).to.equal(true);
      expect(log.store.damage()).to.deep.equal([{ first: 0, last: 3 }]);
    }
    expect(place(log, made.all.slice(3, 4), endOf(made.all[3] as Entry))).to.equal(true);
    expectWhole(log);
  });

  it("takes no piece that does not chain into its end, leaves one out, or comes from another log", () => {
    const disk = made.disk.crashed(() => 0);
    disk.flip(names[0] as string, 4_096 + 5);
    const log = reopened(disk);
    const [a, b] = made.all as [Entry, Entry];
    const other = makeEntries(emptyLogEnd, 1, [40, 60, 0, 17], 9);
    const beyond = made.all.slice(0, 6);
    expect(place(log, other.slice(0, 2), endOf(b))).to.equal(false);
    expect(place(log, [a], endOf(b))).to.equal(false);
    expect(place(log, [b], endOf(b)), "the first is missing").to.equal(false);
    expect(place(log, beyond, endOf(beyond[5] as Entry)), "more than the hole").to.equal(false);
    expect(place(log, other, endOf(other[3] as Entry)), "a chain into something else").to.equal(false);
    expect(log.store.damage()).to.deep.equal([{ first: 0, last: 3 }]);
    expect(place(log, [a], endOf(a))).to.equal(true);
    expect(place(log, [a], endOf(a)), "begun anew").to.equal(true);
    expect(place(log, made.all.slice(1, 4), endOf(made.all[3] as Entry))).to.equal(true);
    expectWhole(log);
  });

  it("is begun anew when the log is cut within it", () => {
    const disk = made.disk.crashed(() => 0);
    disk.flip(names[0] as string, 4_096 + 5);
    const log = reopened(disk);
    expect(place(log, made.all.slice(0, 1), endOf(made.all[0] as Entry))).to.equal(true);
    const kept = made.all.slice(0, 3);
    log.store.truncate(3, endOfAll(kept, emptyLogEnd));
    log.disk.run();
    expect(log.store.damage()).to.deep.equal([{ first: 0, last: 2 }]);
    expect(place(log, made.all.slice(1, 2), endOf(made.all[1] as Entry))).to.equal(false);
    for (const entry of kept) expect(place(log, [entry], endOf(entry))).to.equal(true);
    expect(log.readAll().map(recordOf)).to.deep.equal(kept.map(recordOf));
  });
});
