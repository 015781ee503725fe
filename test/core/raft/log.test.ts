import { expect } from "chai";
import fc from "fast-check";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { RaftLog } from "#core/raft/log";
import { endOfLog, makeLog, termRuns } from "../../support/raft-machine.ts";

function recovered(entries: readonly Entry[]): RaftLog {
  return new RaftLog(endOfLog(entries), termRuns(entries));
}

/** Steps of a log's life: append some entries of a term, cut, sync, evict. */
const lives = fc.array(
  fc.oneof(
    fc.record({
      act: fc.constant("append" as const),
      count: fc.integer({ min: 1, max: 5 }),
      raise: fc.nat(2),
    }),
    fc.record({ act: fc.constant("truncate" as const), keep: fc.nat(40) }),
    fc.record({ act: fc.constant("sync" as const), at: fc.nat(60) }),
    fc.record({ act: fc.constant("evict" as const), bytes: fc.nat(600), entries: fc.nat(8) }),
  ),
  { maxLength: 40 },
);
type Act = typeof lives extends fc.Arbitrary<(infer T)[]> ? T : never;

class Model {
  readonly log: RaftLog;
  entries: Entry[];
  durable: number;
  private salt = 0;

  constructor(first: readonly Entry[]) {
    this.log = recovered(first);
    this.entries = [...first];
    this.durable = first.length - 1;
  }

  take(act: Act): void {
    if (act.act === "append") {
      this.salt += 1;
      const term = Math.max(1, endOfLog(this.entries).term) + act.raise;
      const added = makeLog(Array<number>(act.count).fill(term), `${this.salt}.`, endOfLog(this.entries));
      this.entries.push(...added);
      this.log.append(added);
    } else if (act.act === "truncate") {
      this.entries.length = Math.min(this.entries.length, act.keep);
      this.durable = Math.min(this.durable, this.entries.length - 1);
      if (this.entries.length - 1 < this.log.lastIndex) this.log.truncate(endOfLog(this.entries), -1);
    } else if (act.act === "sync") {
      const index = Math.min(act.at, this.entries.length - 1);
      expect(this.log.synced(index)).to.equal(index > this.durable);
      this.durable = Math.max(this.durable, index);
    } else {
      this.log.evict(this.durable, act.bytes, act.entries);
      // Whatever is over the limits is not durable yet.
      const over =
        this.log.windowBytes > act.bytes || this.log.lastIndex - this.log.windowFirst + 1 > act.entries;
      expect(!over || this.log.windowFirst > this.durable).to.equal(true);
    }
  }

  check(): void {
    const { log, entries } = this;
    expect(log).to.include({ lastIndex: entries.length - 1, durableIndex: this.durable });
    expect({
      index: log.lastIndex,
      term: log.lastTerm,
      chainCrc: log.chainCrc,
      pos: log.endPos,
    }).to.deep.equal(endOfLog(entries));
    expect(log.termAt(-1)).to.equal(0);
    expect(log.termAt(entries.length)).to.equal(undefined);
    entries.forEach((entry, i) => {
      expect(log.termAt(i)).to.equal(entry.term);
      expect(log.entryAt(i)).to.equal(i < log.windowFirst ? undefined : entry);
    });
    expect(log.entryAt(entries.length)).to.equal(undefined);
    for (let i = -1; i < entries.length; i++) {
      expect(log.knowsEnd(i)).to.equal(i >= log.windowFirst - 1);
      if (log.knowsEnd(i)) {
        const end = endOfLog(entries.slice(0, i + 1));
        expect([log.chainAt(i), log.posAfter(i)]).to.deep.equal([end.chainCrc, end.pos]);
      }
    }
    const bytes = entries.slice(log.windowFirst).reduce((sum, entry) => sum + entry.size, 0);
    expect(log.windowBytes).to.equal(bytes);
    const undurable = entries.slice(this.durable + 1).reduce((sum, entry) => sum + entry.size, 0);
    expect(log.undurableBytes).to.equal(undurable);
  }
}

describe("Raft's log", () => {
  it("answers as a plain list of entries would, through appends, cuts, syncs and evictions", () => {
    const start = fc
      .array(fc.integer({ min: 1, max: 3 }), { maxLength: 10 })
      .map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(start, lives, (terms, acts) => {
        const model = new Model(makeLog(terms));
        model.check();
        for (const act of acts) {
          model.take(act);
          model.check();
        }
      }),
      { numRuns: 200 },
    );
  });

  it("finds the last index up to a bound whose term is at most a given one", () => {
    const terms = fc
      .array(fc.integer({ min: 1, max: 6 }), { maxLength: 20 })
      .map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(terms, fc.integer({ min: -1, max: 25 }), fc.nat(7), (list, index, term) => {
        let expected = Math.min(index, list.length - 1);
        while (expected >= 0 && (list[expected] as number) > term) expected -= 1;
        expect(recovered(makeLog(list)).lastIndexWithTermAtMost(index, term)).to.equal(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("slices by bytes and by number, but never less than one entry", () => {
    const log = new RaftLog(emptyLogEnd, []);
    const entries = makeLog([1, 1, 1, 1]);
    log.append(entries);
    const size = entries[0]?.size ?? 0;
    expect(log.slice(0, 1, 9)).to.deep.equal(entries.slice(0, 1));
    expect(log.slice(1, size * 2, 9)).to.deep.equal(entries.slice(1, 3));
    expect(log.slice(1, size * 2 - 1, 9)).to.deep.equal(entries.slice(1, 2));
    expect(log.slice(1, size * 9, 2)).to.deep.equal(entries.slice(1, 3));
    expect(log.slice(4, size, 9)).to.deep.equal([]);
  });

  it("gives evicted slots back, so a long life costs no more than the window", () => {
    const log = new RaftLog(emptyLogEnd, []);
    for (let i = 0; i < 5_000; i++) {
      log.append(
        makeLog([1], "", {
          index: log.lastIndex,
          term: log.lastTerm,
          chainCrc: log.chainCrc,
          pos: log.endPos,
        }),
      );
      log.synced(i);
      log.evict(i, 1 << 20, 10);
    }
    expect(log.windowFirst).to.equal(4_990);
    const kept = (log as unknown as { window: unknown[] }).window;
    expect(kept.length).to.be.lessThan(2_100);
    expect(kept.filter((slot) => slot !== undefined)).to.have.length(10);
  });

  it("asserts that entries continue it, that the disk reports none it lacks, and that recovery was told its terms", () => {
    const log = recovered(makeLog([1, 2]));
    expect(() => log.append(makeLog([1]))).to.throw(/without a gap/);
    expect(() => log.append(makeLog([1], "", { ...endOfLog(makeLog([1, 2])), term: 1 }))).to.throw(
      /never falls/,
    );
    expect(() => log.synced(2)).to.throw(/does not have/);
    expect(() => log.truncate(endOfLog(makeLog([1])), 1)).to.throw(/never cut/);
    expect(() => new RaftLog(endOfLog(makeLog([1, 2])), termRuns(makeLog([1])))).to.throw(/term runs/);
    expect(() => new RaftLog(emptyLogEnd, [{ firstIndex: 0, term: 1 }])).to.throw(/term runs/);
  });
});
