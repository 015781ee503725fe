import { expect } from "chai";
import fc from "fast-check";
import { Admission } from "#core/commitlog/admission";
import { CommitLog } from "#core/commitlog/commit-log";
import { defaultCommitLogLimits, sessionsCeiling } from "#core/commitlog/limits";
import { openingBody, sessionsMaxOf } from "#core/commitlog/session-entry";
import { bytes, data, LogBuilder, noOp, opening, openingOf } from "./log-builder.ts";

const inFlightMax = 4;

/** A node whose operator wants so many sessions kept. */
function node(sessionsMax: number): CommitLog {
  return new CommitLog({ sessionsMax, inFlightMax });
}

function idsAfter(log: LogBuilder, sessionsMax: number): number[] {
  const machine = node(sessionsMax);
  machine.apply(log.entries);
  return [...machine.sessions.ids()];
}

/** What an entry with this body leaves open, at a node whose own limit is 7. */
function limitOf(body: Uint8Array): number {
  const [entry] = new LogBuilder().append(1, [openingOf(body)]);
  return entry === undefined ? Number.NaN : sessionsMaxOf(entry, 7);
}

/** One leader after the other, each with its own limit and a gate of its own, fills a log. */
function ledLog(
  terms: readonly { readonly sessionsMax: number; readonly picks: readonly number[] }[],
): LogBuilder {
  const log = new LogBuilder();
  terms.forEach(({ sessionsMax, picks }, term) => {
    log.append(term, [noOp]);
    const machine = node(sessionsMax);
    machine.apply(log.entries);
    const gate = new Admission(machine.sessions, log.lastIndex, {
      ...defaultCommitLogLimits,
      sessionsMax,
      inFlightMax,
    });
    const sequences = new Map(
      [...machine.sessions.ids()].map((id) => [id, machine.sessions.lastSequence(id) ?? 0]),
    );
    for (const pick of picks) {
      const session = [...sequences.keys()][pick];
      const firstSequence = session === undefined ? 0 : (sequences.get(session) ?? 0) + 1;
      const admitted =
        session === undefined ? undefined : gate.admit({ session, firstSequence, bodies: [bytes("x")] });
      if (admitted?.kind === "refused") continue;
      gate.appended(log.append(term, admitted?.contents ?? [gate.sessionContent()]));
      sequences.set(session ?? log.lastIndex, firstSequence);
    }
  });
  return log;
}

describe("the limit of sessions", () => {
  it("may be lowered on every node: a log of before is replayed as it was", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, openingOf(3), openingOf(3), openingOf(3), data("a", 1, 1)]);
    expect(idsAfter(log, 3)).to.deep.equal([2, 3, 1]);
    expect(idsAfter(log, 1)).to.deep.equal([2, 3, 1]);
    log.append(2, [noOp, openingOf(1)]);
    for (const own of [1, 3]) expect(idsAfter(log, own)).to.deep.equal([6]);
  });

  it("may be raised node by node: what a leader with a larger one admits is next of a live session everywhere", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, openingOf(3), openingOf(3), openingOf(3), data("a", 1, 1)]);
    for (const own of [1, 2, 3, 9]) expect(idsAfter(log, own)).to.deep.equal([2, 3, 1]);
  });

  it("evicts several at once where it was lowered, and tells of each", () => {
    const told: string[] = [];
    const machine = new CommitLog(
      { sessionsMax: 9, inFlightMax },
      { session: (id, change) => told.push(`${id} ${change}`) },
    );
    const log = new LogBuilder();
    machine.apply(log.append(1, [noOp, openingOf(4), openingOf(4), openingOf(4), data("a", 1, 1)]));
    told.length = 0;
    machine.apply(log.append(2, [noOp, openingOf(2)]));
    expect(told).to.deep.equal(["6 opened", "2 evicted", "3 evicted"]);
  });

  it("is the leader's, whatever the limits of those that led before and of those that follow", () => {
    const term = fc.record({
      sessionsMax: fc.integer({ min: 1, max: 6 }),
      picks: fc.array(fc.nat(9), { maxLength: 30 }),
    });
    fc.assert(
      fc.property(fc.array(term, { maxLength: 5 }), (terms) => {
        const log = ledLog(terms);
        // Applying asserts that every append is the next of a live session.
        const expected = idsAfter(log, 1);
        for (const own of [2, 4, 6, 100]) expect(idsAfter(log, own)).to.deep.equal(expected);
      }),
    );
  });

  it("is the node's own where an entry tells none, as entries of earlier builds", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening, opening, opening]);
    expect(idsAfter(log, 2)).to.deep.equal([2, 3]);
    expect(idsAfter(log, 3)).to.deep.equal([1, 2, 3]);
    expect(limitOf(new Uint8Array(0))).to.equal(7);
  });

  it("is read from four bytes, the most significant first", () => {
    for (const most of [1, 2, 256, 10_000, sessionsCeiling])
      expect(limitOf(openingBody(most))).to.equal(most);
    expect(openingBody(0x0102_0304)).to.deep.equal(Uint8Array.of(1, 2, 3, 4));
  });

  it("is the nearest that is allowed where a body is out of bounds, and evicts nobody where it is no number", () => {
    expect(limitOf(Uint8Array.of(0, 0, 0, 0))).to.equal(1);
    expect(limitOf(openingBody(sessionsCeiling + 1))).to.equal(sessionsCeiling);
    expect(limitOf(Uint8Array.of(255, 255, 255, 255))).to.equal(sessionsCeiling);
    for (const length of [1, 2, 3, 5, 8, 4_096])
      expect(limitOf(new Uint8Array(length)), `${length} bytes`).to.equal(sessionsCeiling);
  });

  it("comes to the same sessions on every node whatever a body holds", () => {
    const body = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 6 }), fc.nat(5).map(openingBody));
    fc.assert(
      fc.property(fc.array(body, { maxLength: 20 }), (bodies) => {
        const log = new LogBuilder();
        log.append(1, [noOp, ...bodies.map((one) => openingOf(one))]);
        expect(idsAfter(log, 1)).to.deep.equal(idsAfter(log, 50));
      }),
    );
  });

  it("does not stand in a snapshot: one is the same on every node, and is taken by a node with less room", () => {
    const log = new LogBuilder();
    const before = log.append(1, [noOp, ...new Array(5).fill(openingOf(5)), data("a", 2, 1)]);
    const [large, small] = [node(5), node(2)];
    large.apply(before);
    small.apply(before);
    const chunks = [...large.snapshot()];
    expect([...small.snapshot()]).to.deep.equal(chunks);
    const restored = node(2);
    restored.restore(chunks);
    expect([...restored.sessions.ids()]).to.deep.equal([1, 3, 4, 5, 2]);
    const after = log.append(2, [noOp, data("a", 1, 1), openingOf(3)]);
    for (const machine of [large, restored]) {
      machine.apply(after);
      expect([...machine.sessions.ids()]).to.deep.equal([2, 1, 9]);
    }
  });
});
