import { expect } from "chai";
import fc from "fast-check";
import { endOfAll, makeEntries, recordOf, TestLog } from "#bench/storage/log-script";
import type { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";
import { logOf, options, reopened, segmentsOf } from "./damaged-log.ts";

/** Batches of records in two segments and a bit. */
const made = logOf(
  [[40, 60, 0], [200], [700, 50], [90, 10, 10, 30], [1_200], [300, 30, 40], [2_000], [5]].map((lengths) => [
    [1, lengths],
  ]),
);

interface Case {
  /** Where bytes are lost, in the segments as if they were one file. */
  readonly from: number;
  readonly bytes: number;
  /** Of the damaged records, how many stay, and how long the leader's are there. */
  readonly lengths: readonly number[];
  readonly fresh: readonly number[];
  readonly pieces: boolean;
  readonly reopen: boolean;
  /** Steps of the disk after which the machine goes down, and what it keeps. */
  readonly crashAfter: number;
  readonly kept: number;
}

const cases = fc.record<Case>({
  from: fc.integer({ min: 4_096, max: 2 * 8_192 }),
  bytes: fc.integer({ min: 1, max: 3_000 }),
  lengths: fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 9_000 })), {
    minLength: 1,
    maxLength: 6,
  }),
  fresh: fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 3 }),
  pieces: fc.boolean(),
  reopen: fc.boolean(),
  crashAfter: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 40 })),
  kept: fc.nat(),
});

/** The machine goes down when the next segment was just begun: its first header has to prove what is before all the same. */
const begunTwice: Case = {
  from: 4_096,
  bytes: 1,
  lengths: [209],
  fresh: [346, 690, 869],
  pieces: false,
  reopen: true,
  crashAfter: 22,
  kept: 0,
};

/** The log with some bytes of its segments lost. */
function harmed({ from, bytes }: Case): MemoryDisk {
  const disk = made.disk.crashed(() => 0);
  segmentsOf(disk).forEach((name, number) => {
    const content = disk.content(name);
    const begin = Math.max(4_096, from - number * 8_192);
    const end = Math.min(content.length, from + bytes - number * 8_192);
    if (end > begin) disk.plant(name, content.fill(0, begin, end));
  });
  return disk;
}

/** Puts copies in place, whole or one by one. */
function mend(log: TestLog, copies: readonly Entry[], pieces: boolean): void {
  let left = copies;
  while (left.length > 0 && log.store.damage().length > 0) {
    const piece = pieces ? left.slice(0, 1) : left;
    left = left.slice(piece.length);
    let placed: boolean | undefined;
    const done = (error: Error | undefined, value: boolean): void => {
      if (error !== undefined) throw error;
      placed = value;
    };
    log.store.mend(piece, done, pieces ? endOf(piece[0] as Entry) : undefined);
    log.disk.run();
    expect(placed, "the leader's records fit").to.equal(true);
  }
  expect(log.store.damage()).to.deep.equal([]);
}

/** The leader's log in place of the damaged end of a follower's. */
interface Wanted {
  readonly kept: readonly Entry[];
  readonly others: readonly Entry[];
  readonly fresh: readonly Entry[];
}

function wantedOf(first: number, count: number, { lengths, fresh }: Case): Wanted {
  const kept = made.all.slice(0, first);
  const others = makeEntries(endOfAll(kept, emptyLogEnd), 1, lengths.slice(0, count), 4);
  return { kept, others, fresh: makeEntries(endOfAll(others, emptyLogEnd), 2, fresh, 5) };
}

/** Cuts within the first damage and appends what the leader has behind it, up to a crash if there is one. */
function cut(log: TestLog, { kept, others, fresh }: Wanted, { crashAfter, kept: seed }: Case): TestLog {
  const from = kept.length + others.length;
  const end = endOfAll(others, emptyLogEnd);
  log.store.truncate(from, end);
  if (fresh.length > 0) log.store.append(fresh);
  if (crashAfter < 0) {
    log.disk.run();
    return log;
  }
  for (let n = 0; n < crashAfter; n++) log.disk.step();
  let key = seed | 1;
  const crashed = log.disk.crashed((choices) => {
    key = (Math.imul(key, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (key >>> 8) % choices;
  });
  const again = new TestLog(crashed, options);
  // What a follower whose log ends where the leader's does, or is the old one still, is sent.
  const { index } = again.recovered.end;
  const cutBefore = again.store.damage().some(({ last }) => last === end.index) || index < end.index + 1;
  if (!cutBefore) again.store.truncate(from, end);
  const done = cutBefore ? index + 1 - from : 0;
  if (fresh.length > done) again.store.append(fresh.slice(done));
  again.disk.run();
  return again;
}

function expectLog(log: TestLog, { kept, others, fresh }: Wanted): void {
  expect(log.failures).to.deep.equal([]);
  expect(log.readAll().map(recordOf)).to.deep.equal([...kept, ...others, ...fresh].map(recordOf));
}

describe("a log that is cut within damage", () => {
  it("has not back what was cut when the disk gives it after all", () => {
    const disk = made.disk.crashed(() => 0);
    const [name] = segmentsOf(disk) as [string];
    // The first batch's header: three records.
    disk.flip(name, 4_096 + 5);
    const log = reopened(disk);
    expect(log.store.damage()).to.deep.equal([{ first: 0, last: 2 }]);
    const kept = made.all.slice(0, 1);
    const fresh = makeEntries(endOfAll(kept, emptyLogEnd), 2, [10, 20]);
    log.store.truncate(1, endOfAll(kept, emptyLogEnd));
    log.store.append(fresh);
    log.disk.run();
    log.disk.flip(name, 4_096 + 5);
    const again = reopened(log.disk);
    expect(again.recovered.end).to.deep.equal(endOfAll(fresh, emptyLogEnd));
    mend(again, kept, false);
    expectLog(again, { kept, others: [], fresh });
  });

  it("forgets what it cut, though the damage it knew of reaches over the cut", () => {
    const disk = made.disk.crashed(() => 0);
    const [name] = segmentsOf(disk) as [string];
    disk.flip(name, 4_096 + 5);
    const log = reopened(disk);
    expect(log.store.damage()).to.deep.equal([{ first: 0, last: 2 }]);
    // What could not be read can be read for the cut.
    log.disk.flip(name, 4_096 + 5);
    const kept = made.all.slice(0, 1);
    log.store.truncate(1, endOfAll(kept, emptyLogEnd));
    const fresh = makeEntries(endOfAll(kept, emptyLogEnd), 2, [10, 20]);
    log.store.append(fresh);
    log.disk.run();
    expect(log.store.damage()).to.deep.equal([{ first: 0, last: 0 }]);
    mend(log, kept, false);
    expectLog(log, { kept, others: [], fresh });
  });

  it("takes the leader's records there, of whatever size, also after a crash at any time", () => {
    let through = 0;
    let larger = 0;
    fc.assert(
      fc.property(cases, (sample) => {
        let log = reopened(harmed(sample));
        const [hole] = log.store.damage();
        const count = Math.min(sample.lengths.length, hole === undefined ? 0 : hole.last - hole.first);
        if (hole === undefined || count === 0) return;
        through += 1;
        const wanted = wantedOf(hole.first, count, sample);
        const before = made.all.slice(hole.first, hole.first + count);
        if (bytesOf(wanted.others) > bytesOf(before) + 500) larger += 1;
        log = cut(log, wanted, sample);
        if (sample.reopen) log = reopened(log.disk);
        mend(log, wanted.others, sample.pieces);
        expectLog(log, wanted);
        log = reopened(log.disk);
        expect(log.store.damage()).to.deep.equal([]);
        expectLog(log, wanted);
      }),
      { numRuns: 1_000, seed: 2973, examples: [[begunTwice]] },
    );
    expect(through).to.be.greaterThan(150);
    expect(larger).to.be.greaterThan(50);
  });
});

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + entry.size, 0);
}
