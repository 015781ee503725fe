import { expect } from "chai";
import fc from "fast-check";
import { AssertionError } from "#core/base/assert";
import { LogError } from "#core/base/errors";
import { CommitLog } from "#core/commitlog/commit-log";
import { bytes, data, LogBuilder, noOp, opening } from "./log-builder.ts";

const limits = { sessionsMax: 3, inFlightMax: 4 };

/** A log of sessions and appends in which every session entry is the next of a live session. */
function plausibleLog(picks: readonly number[]): LogBuilder {
  const log = new LogBuilder();
  const machine = new CommitLog(limits);
  const add = (entries: ReturnType<LogBuilder["append"]>): void => machine.apply(entries);
  add(log.append(1, [noOp]));
  for (const pick of picks) {
    const live = [...machine.sessions.ids()];
    const session = live[pick % (live.length + 2)];
    if (session !== undefined) {
      const sequence = (machine.sessions.lastSequence(session) ?? 0) + 1;
      add(log.append(1, [data(`s${session}.${sequence}`, session, sequence)]));
    } else add(log.append(1, [pick % 2 === 0 ? opening : data("loose")]));
  }
  return log;
}

function snapshotOf(machine: CommitLog): Uint8Array[] {
  return [...machine.snapshot()];
}

describe("commit log", () => {
  const picks = fc.array(fc.nat(20), { maxLength: 60 });

  it("has the same state however the log is cut into batches", () => {
    fc.assert(
      fc.property(picks, fc.integer({ min: 1, max: 7 }), (chosen, size) => {
        const { entries } = plausibleLog(chosen);
        const whole = new CommitLog(limits);
        whole.apply(entries);
        const parts = new CommitLog(limits);
        for (let i = 0; i < entries.length; i += size) parts.apply(entries.slice(i, i + size));
        expect(parts.appliedEnd).to.deep.equal(whole.appliedEnd);
        expect(snapshotOf(parts)).to.deep.equal(snapshotOf(whole));
      }),
    );
  });

  it("goes on from a snapshot as if it had applied the log itself", () => {
    fc.assert(
      fc.property(picks, fc.double({ min: 0, max: 1, noNaN: true }), (chosen, share) => {
        const { entries } = plausibleLog(chosen);
        const cut = Math.floor(entries.length * share);
        const whole = new CommitLog(limits);
        whole.apply(entries.slice(0, cut));
        const restored = new CommitLog(limits);
        restored.restore(snapshotOf(whole));
        expect(restored.appliedEnd).to.deep.equal(whole.appliedEnd);
        whole.apply(entries.slice(cut));
        restored.apply(entries.slice(cut));
        expect(snapshotOf(restored)).to.deep.equal(snapshotOf(whole));
      }),
    );
  });

  it("splits a large table into bounded chunks and puts them together again", () => {
    const large = { sessionsMax: 10_000, inFlightMax: 1_024 };
    const machine = new CommitLog(large);
    const log = new LogBuilder();
    machine.apply(log.append(1, [noOp, ...new Array(5_000).fill(opening)]));
    const session = 7;
    machine.apply(
      log.append(
        1,
        Array.from({ length: 2_000 }, (_, i) => data("x", session, i + 1)),
      ),
    );
    const chunks = snapshotOf(machine);
    expect(chunks.length).to.be.greaterThan(1);
    for (const chunk of chunks) expect(chunk.length).to.be.at.most(64 * 1_024 + 9 * 1_024);
    const restored = new CommitLog(large);
    restored.restore(chunks);
    expect(snapshotOf(restored)).to.deep.equal(chunks);
    expect(restored.sessions.admit(session, 2_000)).to.deep.equal({ kind: "duplicate", index: 7_000 });
  });

  it("keeps the last configuration, and a snapshot carries it", () => {
    const log = new LogBuilder();
    const machine = new CommitLog(limits);
    expect(machine.configuration).to.equal(undefined);
    const body = bytes("n0 n1 n2");
    machine.apply(log.append(1, [{ kind: "configuration", body, session: 0, sequence: 0 }, noOp]));
    expect(machine.configuration).to.deep.equal(body);
    const restored = new CommitLog(limits);
    restored.restore(snapshotOf(machine));
    expect(restored.configuration).to.deep.equal(body);
    expect(restored.appliedIndex).to.equal(1);
  });

  it("refuses a snapshot of which any byte changed or any chunk is missing, and stays as it was", () => {
    const machine = new CommitLog(limits);
    machine.apply(plausibleLog([5, 5, 0, 0, 1, 2]).entries);
    const [chunk] = snapshotOf(machine) as [Uint8Array];
    const target = new CommitLog(limits);
    const before = snapshotOf(target);
    const refused = (chunks: Uint8Array[]): void => {
      expect(() => target.restore(chunks))
        .to.throw(LogError)
        .with.property("code", "damaged");
      expect(snapshotOf(target)).to.deep.equal(before);
    };
    for (let at = 0; at < chunk.length; at++) {
      const bad = chunk.slice();
      bad[at] = (bad[at] as number) ^ 1;
      refused([bad]);
    }
    for (let length = 0; length < chunk.length; length++) refused([chunk.slice(0, length)]);
    refused([]);
    refused([chunk, chunk]);
  });

  it("refuses a snapshot of which other numbers of indexes were kept by name", () => {
    const machine = new CommitLog(limits);
    const other = new CommitLog({ ...limits, inFlightMax: 5 });
    expect(() => other.restore(snapshotOf(machine)))
      .to.throw(LogError)
      .with.property("code", "bad-configuration");
  });

  it("asserts that entries come in log order, each once", () => {
    const { entries } = plausibleLog([0, 1, 2]);
    const machine = new CommitLog(limits);
    machine.apply(entries.slice(0, 2));
    expect(() => machine.apply(entries.slice(1, 2))).to.throw(AssertionError, "log order");
    expect(() => machine.apply(entries.slice(3))).to.throw(AssertionError, "log order");
  });

  it("asserts that an entry of a session is the next of a live session", () => {
    for (const bad of [data("again", 1, 1), data("gap", 1, 3), data("nobody", 9, 1)]) {
      const log = new LogBuilder();
      const machine = new CommitLog(limits);
      machine.apply(log.append(1, [noOp, opening, data("a", 1, 1)]));
      expect(() => machine.apply(log.append(1, [bad]))).to.throw(AssertionError, "next of a live session");
    }
  });

  it("tells of sessions that are opened and evicted", () => {
    const told: string[] = [];
    const machine = new CommitLog(limits, { session: (id, change) => told.push(`${id} ${change}`) });
    const log = new LogBuilder();
    machine.apply(log.append(1, [noOp, opening, opening, opening, opening]));
    expect(told).to.deep.equal(["1 opened", "2 opened", "3 opened", "4 opened", "1 evicted"]);
  });
});
