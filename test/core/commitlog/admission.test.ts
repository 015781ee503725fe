import { expect } from "chai";
import fc from "fast-check";
import { AssertionError } from "#core/base/assert";
import type { Entry } from "#core/base/entry";
import { bodyOf, sequenceOf, sessionOf } from "#core/base/entry";
import type { Admitted } from "#core/commitlog/admission";
import { Admission } from "#core/commitlog/admission";
import { CommitLog } from "#core/commitlog/commit-log";
import type { CommitLogLimits } from "#core/commitlog/limits";
import { checkCommitLogLimits, defaultCommitLogLimits, sessionsCeiling } from "#core/commitlog/limits";
import { bytes, data, LogBuilder, noOp, opening, openingOf } from "./log-builder.ts";

const limits: CommitLogLimits = {
  ...defaultCommitLogLimits,
  sessionsMax: 3,
  inFlightMax: 6,
  appendEntriesMax: 4,
};

function leaderAfter(log: LogBuilder): Admission {
  const machine = new CommitLog(limits);
  machine.apply(log.entries);
  return new Admission(machine.sessions, log.lastIndex, limits);
}

function admit(gate: Admission, session: number, firstSequence: number, ...texts: string[]): Admitted {
  return gate.admit({ session, firstSequence, bodies: texts.map(bytes) });
}

function codeOf(admitted: Admitted): string {
  return admitted.kind === "refused" ? admitted.error.code : admitted.kind;
}

function known(admitted: Admitted): readonly number[] {
  return admitted.kind === "admitted" ? admitted.known : [];
}

function fresh(admitted: Admitted): string[] {
  if (admitted.kind === "refused") return [];
  return admitted.contents.map(({ session, sequence }) => `${session}/${sequence}`);
}

describe("admission", () => {
  it("lets into the log only what every node will find to be the next of a live session", () => {
    const request = fc.record({
      pick: fc.nat(5),
      offset: fc.integer({ min: -8, max: 2 }),
      count: fc.integer({ min: 1, max: 4 }),
      taken: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const log = new LogBuilder();
        log.append(1, [noOp]);
        const gate = leaderAfter(log);
        const opened: number[] = [];
        const landed = new Map<string, number>();
        const last = new Map<number, number>();
        for (const { pick, offset, count, taken } of requests) {
          const session = opened[pick];
          if (session === undefined) {
            const entries = log.append(1, [gate.sessionContent()]);
            gate.appended(entries);
            opened.push(log.lastIndex);
            continue;
          }
          const firstSequence = Math.max(1, (last.get(session) ?? 0) + 1 + offset);
          const texts = Array.from({ length: count }, (_, i) => `${session}/${firstSequence + i}`);
          const admitted = admit(gate, session, firstSequence, ...texts);
          known(admitted).forEach((index, i) => {
            expect(landed.get(`${session}/${firstSequence + i}`)).to.equal(index);
          });
          // Raft may refuse what was admitted: then nothing may be left of it.
          if (admitted.kind === "refused" || !taken) continue;
          const entries = log.append(1, admitted.contents);
          gate.appended(entries);
          for (const entry of entries) {
            const name = `${sessionOf(entry)}/${sequenceOf(entry)}`;
            expect(landed.has(name), "no sequence lands twice").to.equal(false);
            expect(bodyOf(entry)).to.deep.equal(bytes(name));
            landed.set(name, entry.index);
            last.set(sessionOf(entry), sequenceOf(entry));
          }
        }
        // Applying asserts that each is fresh; the tables end equal.
        const machine = new CommitLog(limits);
        machine.apply(log.entries);
        for (const session of opened) {
          for (let s = 1; s <= (last.get(session) ?? 0) + 1; s++) {
            expect(codeOf(admit(gate, session, s, "x"))).to.equal(
              codeOf(
                new Admission(machine.sessions, log.lastIndex, limits).admit({
                  session,
                  firstSequence: s,
                  bodies: [bytes("x")],
                }),
              ),
            );
          }
        }
      }),
    );
  });

  it("answers a retry of an append that is not committed yet with its place in the log", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening]);
    const gate = leaderAfter(log);
    const first = admit(gate, 1, 1, "a", "b");
    expect(fresh(first)).to.deep.equal(["1/1", "1/2"]);
    gate.appended(log.append(1, first.kind === "admitted" ? first.contents : []));
    const retry = admit(gate, 1, 1, "a", "b");
    expect(known(retry)).to.deep.equal([2, 3]);
    expect(fresh(retry)).to.deep.equal([]);
  });

  it("takes a batch of which the first part is in the log already and the rest is new", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening, data("a", 1, 1), data("b", 1, 2)]);
    const admitted = admit(leaderAfter(log), 1, 2, "b", "c", "d");
    expect(known(admitted)).to.deep.equal([3]);
    expect(fresh(admitted)).to.deep.equal(["1/3", "1/4"]);
  });

  it("refuses a batch behind a gap, of an unknown session, or older than what is kept, as a whole", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening]);
    for (let s = 1; s <= 8; s++) log.append(1, [data("x", 1, s)]);
    const gate = leaderAfter(log);
    expect(codeOf(admit(gate, 1, 10, "x"))).to.equal("sequence-gap");
    expect(codeOf(admit(gate, 5, 1, "x"))).to.equal("session-expired");
    expect(codeOf(admit(gate, 1, 2, "x", "y", "z", "z"))).to.equal("sequence-too-old");
    expect(known(admit(gate, 1, 3, "x"))).to.deep.equal([4]);
  });

  it("forgets an append that Raft refused", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening]);
    const gate = leaderAfter(log);
    expect(fresh(admit(gate, 1, 1, "a"))).to.deep.equal(["1/1"]);
    expect(fresh(admit(gate, 1, 1, "a"))).to.deep.equal(["1/1"]);
  });

  it("judges by the last entry of the log: an opening that is not committed yet evicts already", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening, opening, opening]);
    const gate = leaderAfter(log);
    expect(codeOf(admit(gate, 1, 1, "a"))).to.equal("admitted");
    gate.appended(log.append(1, [gate.sessionContent()]));
    expect(codeOf(admit(gate, 1, 1, "a"))).to.equal("session-expired");
  });

  it("puts its own limit into the entries that open sessions, and takes what others put there", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, ...new Array(5).fill(openingOf(5))]);
    const gate = leaderAfter(log);
    expect(codeOf(admit(gate, 1, 1, "a"))).to.equal("admitted");
    const entries = log.append(1, [gate.sessionContent()]);
    expect(bodyOf(entries[0] as Entry)).to.deep.equal(Uint8Array.of(0, 0, 0, limits.sessionsMax));
    gate.appended(entries);
    for (const [session, code] of [
      [1, "session-expired"],
      [2, "session-expired"],
      [3, "session-expired"],
      [4, "admitted"],
      [5, "admitted"],
      [6, "admitted"],
    ] as const)
      expect(codeOf(admit(gate, session, 1, "a")), `session ${session}`).to.equal(code);
  });

  it("leaves the applied sessions as they are: only entries that are applied change them", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening]);
    const machine = new CommitLog(limits);
    machine.apply(log.entries);
    const gate = new Admission(machine.sessions, log.lastIndex, limits);
    const entries = log.append(1, [data("a", 1, 1), opening]);
    gate.appended(entries);
    expect(machine.sessions.lastSequence(1)).to.equal(0);
    machine.apply(entries);
    expect([...machine.sessions.ids()]).to.deep.equal([1, 3]);
  });

  it("takes appends outside a session as they come", () => {
    const log = new LogBuilder();
    log.append(1, [noOp]);
    const gate = leaderAfter(log);
    for (let i = 0; i < 2; i++) {
      const admitted = admit(gate, 0, 0, "a");
      expect(fresh(admitted)).to.deep.equal(["0/0"]);
      gate.appended(log.append(1, admitted.kind === "admitted" ? admitted.contents : []));
    }
  });

  it("asserts that it sees every entry of its log, and each append before the next is admitted", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening]);
    const gate = leaderAfter(log);
    const skipped = log.append(1, [noOp, noOp]);
    expect(() => gate.appended(skipped.slice(1))).to.throw(AssertionError, "every entry of its log");
    const twice = leaderAfter(log);
    expect(() => twice.appended(log.append(1, [data("a", 1, 1), data("a", 1, 1)]))).to.throw(
      AssertionError,
      "next of a live session",
    );
  });

  it("takes an entry and a batch of exactly the limits, and refuses one byte or one entry more by name", () => {
    const gate = leaderAfter(new LogBuilder());
    const max = new Uint8Array(limits.entryBodyBytesMax);
    const send = (bodies: Uint8Array[]): string =>
      codeOf(gate.admit({ session: 0, firstSequence: 0, bodies }));
    expect(send([max])).to.equal("admitted");
    expect(send([new Uint8Array(limits.entryBodyBytesMax + 1)])).to.equal("entry-too-large");
    expect(send([max.subarray(1), new Uint8Array(1)])).to.equal("admitted");
    expect(send([max, new Uint8Array(1)])).to.equal("batch-too-large");
    expect(send(new Array(4).fill(new Uint8Array(0)))).to.equal("admitted");
    expect(send(new Array(5).fill(new Uint8Array(0)))).to.equal("batch-too-large");
    expect(send([])).to.equal("malformed-frame");
  });

  it("has limits of which each is checked by name", () => {
    checkCommitLogLimits(defaultCommitLogLimits);
    for (const bad of [
      { sessionsMax: 0 },
      { sessionsMax: sessionsCeiling + 1 },
      { inFlightMax: 0.5 },
      { entryBodyBytesMax: defaultCommitLogLimits.entryBodyBytesMax + 1 },
      { appendEntriesMax: defaultCommitLogLimits.inFlightMax + 1 },
      { appendBytesMax: 8 * 1_024 * 1_024 },
      { tailBytesMax: 0 },
      { tailEntriesMax: Number.NaN },
    ]) {
      const [name] = Object.keys(bad);
      expect(() => checkCommitLogLimits({ ...defaultCommitLogLimits, ...bad })).to.throw(`${name} is`);
    }
  });
});
