import { expect } from "chai";
import { emptyLogEnd } from "#core/base/entry";
import type { Intake, Role, TraceEvent } from "#core/io/trace";
import { dataEntries, group, lastOf, nodeOf, noOp, Trace } from "./trace-builder.ts";

const first = noOp(emptyLogEnd, 1);
const at = (node: number) => ({ node: nodeOf(node), group });
const intake = (node: number, value: Intake): TraceEvent => ({ kind: "intake", ...at(node), intake: value });

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
}

/** n0 leads term 1; its no-op is everywhere. */
function lawful(): Timed {
  const trace = new Timed();
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
    const heard = full(1, 2).idle(3).fault(2, "late");
    expect(heard.append(0, 1, entries).verdict, "it may have missed it").to.equal("none");
  });

  it("fails on a read-only node that leads though a writable voter's log is as complete", () => {
    const elected = (change: (trace: Timed) => Timed): Timed =>
      change(lawful().emit(intake(1, "read-only")).idle(3))
        .fault(0, "crash")
        .leads(1, 2, [1, 2]) as Timed;
    expect(elected((trace) => trace).violation?.message).to.contain(
      "n1 leads g0 though it is read-only, and n2 is writable",
    );
    expect(
      elected((trace) => trace.fault(2, "loss") as Timed).verdict,
      "it may not have been heard",
    ).to.equal("none");
    expect(elected((trace) => trace.emit(intake(2, "full"))).verdict, "nobody is writable").to.equal("none");
    const longer = dataEntries(lastOf(first), 1, [1]);
    const ahead = elected((trace) => trace.replicate([0, 1], 1, longer) as Timed);
    expect(ahead.verdict, "its log is the most complete").to.equal("none");
  });

  it("fails on a read-only leader that does not hand over within eight seconds", () => {
    const kept = lawful().emit(intake(0, "read-only")).idle(9).commit(0, 1, 0, true);
    expect(kept.violation?.message).to.contain("goes on leading");
    expect(lawful().emit(intake(0, "read-only")).idle(7).commit(0, 1, 0, true).verdict).to.equal("none");
    const alone = lawful().emit(intake(0, "read-only"), intake(1, "full"), intake(2, "full")).idle(9);
    expect(alone.commit(0, 1, 0, true).verdict, "nobody could take over").to.equal("none");
  });
});
