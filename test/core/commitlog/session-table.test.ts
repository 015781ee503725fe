import { expect } from "chai";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "#core/base/bytes";
import { LogError } from "#core/base/errors";
import { SessionTable } from "#core/commitlog/session-table";
import { NaiveSessions } from "./naive-sessions.ts";

const limits = { sessionsMax: 4, inFlightMax: 5 };

/** One step of a history: open a session where so many may be, or append the next sequence of the n-th one known. */
type Action =
  | { readonly open: true; readonly most?: number }
  | { readonly open: false; readonly pick: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({ open: fc.constant<true>(true), most: fc.integer({ min: 1, max: 7 }) }),
  },
  { weight: 4, arbitrary: fc.record({ open: fc.constant<false>(false), pick: fc.nat(7) }) },
);

/** Runs a history on a table and on the naive model, from `index` on. @returns the next free index. */
function play(table: SessionTable, naive: NaiveSessions, actions: readonly Action[], index: number): number {
  for (const step of actions) {
    index += 1;
    if (step.open) {
      const most = step.most ?? limits.sessionsMax;
      expect(table.open(index, most)).to.deep.equal(naive.open(index, most));
      continue;
    }
    const session = naive.opened[step.pick % Math.max(1, naive.opened.length)];
    if (session === undefined) continue;
    const sequence = (naive.lastSequence(session) ?? 0) + 1;
    expect(table.record(session, sequence, index)).to.equal(naive.record(session, sequence, index));
  }
  return index;
}

function compare(table: SessionTable, naive: NaiveSessions): void {
  expect([...table.ids()]).to.deep.equal(naive.idsByLastUse());
  expect(table.size).to.equal(naive.idsByLastUse().length);
  for (const session of [...naive.opened, 999_999]) {
    const last = naive.lastSequence(session) ?? 0;
    for (let s = 0; s <= last + 2; s++) {
      expect(table.admit(session, s), `${session}/${s}`).to.deep.equal(naive.admit(session, s));
    }
  }
}

function encoded(table: SessionTable): Uint8Array {
  const w = new ByteWriter();
  for (const id of table.ids()) table.encode(w, id);
  return w.finish();
}

describe("session table", () => {
  it("answers as a naive model that keeps everything, over any history", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const table = new SessionTable(limits);
        const naive = new NaiveSessions(limits);
        play(table, naive, actions, 0);
        compare(table, naive);
      }),
    );
  });

  it("gives a clone that neither sees nor disturbs what the original does afterwards", () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 40 }),
        fc.array(action, { maxLength: 40 }),
        fc.array(action, { maxLength: 40 }),
        (before, left, right) => {
          const table = new SessionTable(limits);
          const naive = new NaiveSessions(limits);
          const index = play(table, naive, before, 0);
          const clone = table.clone();
          const second = clone.clone();
          const naiveClone = naive.clone();
          const untouched = naive.clone();
          play(table, naive, left, index);
          play(clone, naiveClone, right, index);
          compare(table, naive);
          compare(clone, naiveClone);
          compare(second, untouched);
        },
      ),
    );
  });

  it("evicts the session whose last entry is the oldest in the log, at the opening that exceeds the limit", () => {
    const table = new SessionTable({ inFlightMax: 4 });
    expect(table.open(1, 2)).to.deep.equal([]);
    expect(table.open(2, 2)).to.deep.equal([]);
    table.record(1, 1, 3);
    expect(table.open(4, 2)).to.deep.equal([2]);
    expect(table.admit(2, 1)).to.deep.equal({ kind: "refused", code: "session-expired" });
    expect(table.record(2, 1, 5)).to.equal(false);
    expect(table.open(6, 2)).to.deep.equal([1]);
    expect([...table.ids()]).to.deep.equal([4, 6]);
  });

  it("evicts as many as a lower limit asks for at the next opening, and none before", () => {
    const table = new SessionTable({ inFlightMax: 4 });
    for (let id = 1; id <= 5; id++) table.open(id, 5);
    table.record(2, 1, 6);
    expect(table.open(7, 2)).to.deep.equal([1, 3, 4, 5]);
    expect(table.open(8, 1)).to.deep.equal([2, 7]);
    expect(table.open(9, 4)).to.deep.equal([]);
    expect([...table.ids()]).to.deep.equal([8, 9]);
  });

  it("does not count a retry as use: only entries of the log decide what is evicted", () => {
    const table = new SessionTable({ inFlightMax: 4 });
    table.open(1, 2);
    table.record(1, 1, 2);
    table.open(3, 2);
    expect(table.admit(1, 1)).to.deep.equal({ kind: "duplicate", index: 2 });
    expect(table.open(4, 2)).to.deep.equal([1]);
  });

  it("gives the first index to a retry of any of the last inFlightMax sequences, and refuses older ones", () => {
    const table = new SessionTable({ inFlightMax: 1_024 });
    table.open(1, 2);
    for (let s = 1; s <= 3_000; s++) table.record(1, s, 10 + s * 2);
    for (let s = 3_000 - 1_023; s <= 3_000; s++) {
      expect(table.admit(1, s)).to.deep.equal({ kind: "duplicate", index: 10 + s * 2 });
    }
    expect(table.admit(1, 3_000 - 1_024)).to.deep.equal({ kind: "refused", code: "sequence-too-old" });
    expect(table.admit(1, 3_001)).to.deep.equal({ kind: "fresh" });
    expect(table.admit(1, 3_002)).to.deep.equal({ kind: "refused", code: "sequence-gap" });
  });

  it("never gives a session the id 0, which stands for none, and never evicts the one that it opens", () => {
    expect(() => new SessionTable(limits).open(0, 2)).to.throw("a session's id is at least 1");
    expect(() => new SessionTable(limits).open(1, 0)).to.throw("has room itself");
  });

  it("comes back the same from its encoding, and goes on the same", () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 60 }),
        fc.array(action, { maxLength: 30 }),
        (before, after) => {
          const table = new SessionTable(limits);
          const naive = new NaiveSessions(limits);
          const index = play(table, naive, before, 0);
          const bytes = encoded(table);
          const copy = new SessionTable(limits);
          const r = new ByteReader(bytes);
          while (r.remaining > 0) copy.decode(r);
          compare(copy, naive);
          play(copy, naive, after, index);
          compare(copy, naive);
        },
      ),
    );
  });

  it("refuses an encoding with any byte changed, or gives a table that could be one", () => {
    const table = new SessionTable(limits);
    const naive = new NaiveSessions(limits);
    play(
      table,
      naive,
      [{ open: true }, { open: true }, { open: false, pick: 0 }, { open: false, pick: 1 }],
      0,
    );
    const bytes = encoded(table);
    for (let at = 0; at < bytes.length; at++) {
      const bad = bytes.slice();
      bad[at] = (bad[at] as number) ^ 0x40;
      const copy = new SessionTable(limits);
      try {
        const r = new ByteReader(bad);
        while (r.remaining > 0) copy.decode(r);
      } catch (error) {
        expect(error).to.be.instanceOf(LogError);
        continue;
      }
      expect(encoded(copy)).to.deep.equal(bad);
    }
  });
});
