import { expect } from "chai";
import type { GroupId } from "#core/base/brand";
import { emptyLogEnd } from "#core/base/entry";
import { second } from "#core/base/units";
import type { Intake, Role, TraceEvent } from "#core/io/trace";
import { dataEntries, group, lastOf, nodeOf, noOp, otherGroup, Trace } from "./trace-builder.ts";

const first = noOp(emptyLogEnd, 1);
const at = (node: number) => ({ node: nodeOf(node), group });
const intake = (node: number, value: Intake, room = 0): TraceEvent => ({
  kind: "intake",
  ...at(node),
  intake: value,
  room,
});

/** Events a millisecond apart, and none for so many seconds between. */
class Timed extends Trace {
  idle(seconds: number): this {
    for (let n = 0; n < seconds * 1_000; n++) this.emit({ kind: "match", ...at(0), term: 1, index: -1 });
    return this;
  }

  leads(node: number, term: number, voters: readonly number[]): this {
    for (const voter of voters) this.lawfulVote(voter, term, node);
    return this.become(node, term, "leader");
  }

  become(node: number, term: number, role: Role): this {
    return this.role(node, term, role);
  }

  /** A pre-candidate gives way to somebody who objects. */
  gives(node: number): this {
    const { lastIndex, term } = this.checkers.model.group(group).member(nodeOf(node));
    return this.emit({
      kind: "role",
      ...at(node),
      term,
      role: "follower",
      leader: "",
      lastIndex,
      reason: "yields",
    });
  }
}

/** n0 leads term 1; its no-op is everywhere. */
function lawful(trace: Timed = new Timed()): Timed {
  for (const node of [0, 1, 2]) trace.recovered(node, emptyLogEnd, { term: 0, votedFor: "" });
  return trace.leads(0, 1, [0, 1]).replicate([0, 1, 2], 1, first).match(1, 1, 0).commit(0, 1, 0, true);
}

describe("read-only", () => {
  it("fails on a client's entry that a leader takes while it takes none", () => {
    const entries = dataEntries(lastOf(first), 1, [1]);
    for (const value of ["read-only", "full"] as const) {
      const trace = lawful().emit(intake(0, value)).append(0, 1, entries);
      expect(trace.verdict).to.equal("read-only");
      expect(trace.violation?.message).to.contain(`is ${value}, and took a client's entry`);
    }
    expect(lawful().emit(intake(0, "full"), intake(0, "open")).append(0, 1, entries).verdict).to.equal(
      "none",
    );
    expect(
      lawful().emit(intake(1, "read-only")).append(1, 1, entries).verdict,
      "a follower stores it",
    ).to.equal("none");
  });

  it("fails on a client's entry that a leader takes while a majority is known to be full", () => {
    const entries = dataEntries(lastOf(first), 1, [1]);
    const full = (...nodes: number[]): Timed => lawful().emit(...nodes.map((node) => intake(node, "full")));
    expect(full(1, 2).idle(3).append(0, 1, entries).violation?.message).to.contain(
      "a majority has no room for it",
    );
    expect(full(1, 2).append(0, 1, entries).verdict, "it may not know yet").to.equal("none");
    expect(full(1).idle(3).append(0, 1, entries).verdict, "a majority has room").to.equal("none");
    const missed = full(1, 2).fault(0, "cut", "n0>n2") as Timed;
    expect(missed.idle(3).append(0, 1, entries).verdict, "it may have missed it").to.equal("none");
  });
});

describe("reserve", () => {
  const entries = dataEntries(lastOf(first), 1, [1, 2]);
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  const full = (room: number): Timed => lawful().emit(intake(1, "full", room));

  it("fails on a client's entry that a full follower stores beyond the room it told of", () => {
    expect(full(bytes).append(1, 1, entries).verdict).to.equal("none");
    const beyond = full(bytes - 1).append(1, 1, entries);
    expect(beyond.verdict).to.equal("reserve");
    expect(beyond.violation?.message).to.contain(
      "n1 is full and stored a client's entry of g0 on its reserve",
    );
    const twice = full(bytes)
      .append(1, 1, entries)
      .append(1, 1, dataEntries(lastOf(entries), 1, [3]));
    expect(twice.verdict, "all of it together").to.equal("reserve");
  });

  it("lets a no-op and an older leader's entries have it, and more once the disk has room or gave some back", () => {
    expect(full(0).append(1, 2, entries).verdict).to.equal("none");
    expect(full(0).append(1, 2, noOp(lastOf(first), 2)).verdict).to.equal("none");
    expect(full(0).emit(intake(1, "open")).append(1, 1, entries).verdict).to.equal("none");
    const cut = full(0).emit({ kind: "truncate", ...at(1), from: 1 }, intake(1, "full", 0));
    expect(cut.append(1, 1, entries).verdict, "a cut gives room back").to.equal("none");
    const opened = (other: GroupId): TraceEvent => ({
      ...at(1),
      kind: "recovered",
      group: other,
      standing: "member",
      term: 0,
      votedFor: "",
      lastIndex: -1,
      lastTerm: 0,
      chainCrc: 0,
      tornBytes: 0,
    });
    const two = (): Timed => lawful(new Timed(3, false, undefined, [group, otherGroup]));
    const waits = two().emit({ kind: "truncate", ...at(1), from: 1 }, opened(otherGroup));
    waits.emit(intake(1, "full", 0)).append(1, 1, entries);
    expect(waits.verdict, "another log of the node was opened anew meanwhile").to.equal("none");
    const kept = two()
      .emit(intake(1, "full", 0), opened(otherGroup))
      .append(1, 1, entries);
    expect(kept.verdict, "nor does that excuse anything").to.equal("reserve");
  });
});

describe("hands-over", () => {
  const known = (peer: number): TraceEvent => ({
    kind: "peer",
    ...at(0),
    peer: nodeOf(peer),
    change: "connected",
    reason: "test",
  });
  const transfer = (change: "begun" | "failed"): TraceEvent => ({
    kind: "transfer",
    ...at(0),
    term: 1,
    to: nodeOf(1),
    change,
  });
  const reluctant = (value: Intake = "read-only"): Timed =>
    lawful().emit(known(1), known(2), intake(0, value));

  it("fails on a leader that takes nothing and begins no transfer within two seconds", () => {
    for (const value of ["read-only", "full"] as const) {
      const kept = reluctant(value).idle(3);
      expect(kept.verdict).to.equal("hands-over");
      expect(kept.violation?.message).to.equal(`n0 leads g0, is ${value}, and hands over to nobody`);
    }
    expect(reluctant().idle(1.9).verdict).to.equal("none");
    expect(lawful().emit(intake(0, "read-only")).idle(3).verdict, "it knows nobody").to.equal("none");
    const alone = reluctant().emit(intake(1, "full"), intake(2, "read-only")).idle(9);
    expect(alone.verdict, "nobody could take over").to.equal("none");
  });

  it("is patient while the two are kept from each other, and with nobody else's trouble", () => {
    const only1 = (): Timed => reluctant().emit(intake(2, "read-only"));
    expect((only1().fault(0, "cut", "n0>n1") as Timed).idle(5).verdict).to.equal("none");
    expect((only1().fault(1, "pause") as Timed).idle(5).verdict).to.equal("none");
    expect((only1().fault(1, "slow-disk", "50") as Timed).idle(5).verdict).to.equal("none");
    expect((only1().fault(0, "cut", "n0>n2") as Timed).idle(3).verdict).to.equal("hands-over");
    expect((only1().fault(2, "crash", "power") as Timed).idle(3).verdict).to.equal("hands-over");
    for (const fault of ["clog", "clog-bulk", "clog-control"]) {
      const clogged = only1().fault(0, fault, "n0>n1 until 60000000") as Timed;
      expect(clogged.idle(5).verdict, fault).to.equal("none");
    }
    const healed = only1().fault(0, "cut", "n0>n1").fault(0, "heal", "n0>n1") as Timed;
    expect(healed.idle(6).verdict, "dials that fell silent are patient").to.equal("none");
    expect(healed.idle(2).verdict).to.equal("hands-over");
  });

  it("lets transfers fail for a while, not for ever", () => {
    const trying = reluctant();
    for (let n = 0; n < 7; n++) trying.emit(transfer("begun")).idle(1).emit(transfer("failed"));
    expect(trying.verdict).to.equal("none");
    for (let n = 0; n < 2; n++) trying.emit(transfer("begun")).idle(1).emit(transfer("failed"));
    expect(trying.violation?.message).to.contain("goes on leading");
  });

  it("waits for the leader's no-op", () => {
    const uncommitted = new Timed();
    for (const node of [0, 1, 2]) uncommitted.recovered(node, emptyLogEnd, { term: 0, votedFor: "" });
    uncommitted.emit(known(1), known(2), intake(0, "read-only")).leads(0, 1, [0, 1]);
    expect(uncommitted.idle(5).verdict).to.equal("none");
  });
});

describe("last-resort", () => {
  /** n0 has crashed; n1, which takes nothing, asks for pre-votes. */
  const asks = (before: (trace: Timed) => Timed = (trace) => trace): Timed =>
    before(lawful().emit(intake(1, "read-only")))
      .idle(3)
      .fault(0, "crash")
      .idle(0.5)
      .become(1, 1, "pre-candidate");

  it("fails on a node that takes nothing and leads before all could answer", () => {
    const early = asks((trace) => trace.emit(intake(2, "read-only"))).leads(1, 2, [1, 2]);
    expect(early.verdict).to.equal("last-resort");
    expect(early.violation?.message).to.contain("n0 is down and consented to nothing");
    const patient = asks((trace) => trace.emit(intake(2, "read-only"))).idle(0.4);
    expect(patient.leads(1, 2, [1, 2]).verdict).to.equal("none");
  });

  it("fails on one that leads though a writable voter's log is as complete", () => {
    for (const seconds of [0, 0.4]) {
      const led = asks().idle(seconds).leads(1, 2, [1, 2]);
      expect(led.violation?.message).to.contain(
        "n1 leads g0 though it is read-only: n2 is writable, and its log as complete",
      );
    }
    const full = asks((trace) => trace.emit(intake(2, "full"))).idle(0.4);
    expect(full.leads(1, 2, [1, 2]).verdict, "nobody is writable").to.equal("none");
    const longer = dataEntries(lastOf(first), 1, [1]);
    const ahead = asks((trace) => trace.replicate([0, 1], 1, longer) as Timed).idle(0.4);
    expect(ahead.leads(1, 2, [1, 2]).verdict, "its log is the most complete").to.equal("none");
  });

  it("excuses one whose question or its answer was lost, and one that was objected to too often", () => {
    const lost = asks().fault(2, "loss", "n2>n1/peer-control#7") as Timed;
    expect(lost.idle(0.4).leads(1, 2, [1, 2]).verdict).to.equal("none");
    const elsewhere = asks().fault(2, "loss", "n2>n0/peer-control#7") as Timed;
    expect(elsewhere.idle(0.4).leads(1, 2, [1, 2]).verdict).to.equal("last-resort");
    const cut = asks((trace) => trace.fault(0, "cut", "n1>n2") as Timed).idle(0.4);
    expect(cut.leads(1, 2, [1, 2]).verdict).to.equal("none");
    const slow = (fault: (trace: Timed) => Timed): Timed =>
      fault(lawful()).idle(0.3).fault(0, "crash").idle(0.05).become(1, 1, "pre-candidate") as Timed;
    const before = slow((trace) => trace.fault(2, "slow-disk", "50").emit(intake(1, "read-only")) as Timed);
    expect(before.leads(1, 2, [1, 2]).verdict, "it answers what it was asked while n1 was open").to.equal(
      "none",
    );
    const twice = slow(
      (trace) =>
        trace.fault(2, "slow-disk", "50").emit(intake(1, "read-only")).fault(2, "slow-disk", "9") as Timed,
    );
    expect(twice.leads(1, 2, [1, 2]).verdict, "it was slow all the while").to.equal("none");
    const long = slow(
      (trace) =>
        (trace.fault(2, "slow-disk", "50").emit(intake(1, "read-only")) as Timed).wait(11 * second) as Timed,
    );
    expect(long.leads(1, 2, [1, 2]).verdict, "no answer is so old").to.equal("last-resort");
    const after = slow((trace) => trace.emit(intake(1, "read-only")).fault(2, "slow-disk", "50") as Timed);
    expect(after.leads(1, 2, [1, 2]).verdict, "it was asked nothing before").to.equal("last-resort");
    const stood = slow((trace) => trace.fault(2, "pause").emit(intake(1, "read-only")) as Timed);
    stood.fault(2, "crash").fault(2, "restart");
    stood.recovered(2, lastOf(first), { term: 1, votedFor: 0 }).emit(intake(2, "open"));
    const anew = stood.idle(0.3).become(1, 1, "follower").become(1, 1, "pre-candidate").leads(1, 2, [1, 2]);
    expect(anew.verdict, "no answer outlives its process").to.equal("last-resort");
    const tired = asks();
    for (let n = 0; n < 4; n++) tired.gives(1).idle(0.4).become(1, 1, "pre-candidate");
    expect(tired.idle(0.4).leads(1, 2, [1, 2]).verdict).to.equal("none");
  });
});
