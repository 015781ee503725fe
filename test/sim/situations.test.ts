import { expect } from "chai";
import { emptyLogEnd } from "#core/base/entry";
import type { Intake, TraceEvent } from "#core/io/trace";
import { Situations, situationNames } from "#sim/situations";
import { dataEntries, group, lastOf, nodeOf, noOp, Trace } from "./checker/trace-builder.ts";

/** A trace whose events Situations reads before the checkers' model does, as in a run. */
class Watched extends Trace {
  readonly situations: Situations = new Situations(this.checkers.model);

  override emit(...events: readonly TraceEvent[]): this {
    for (const event of events) {
      if (this.situations?.kinds.includes(event.kind)) this.situations.onEvent(event);
      super.emit(event);
    }
    return this;
  }

  get seen(): string[] {
    return Object.keys(this.situations.counted);
  }
}

const first = noOp(emptyLogEnd, 1);
const at = (node: number) => ({ node: nodeOf(node), group });

describe("rare situations", () => {
  it("are none in a calm election", () => {
    const trace = new Watched().elect(0, 1, [0, 1]).replicate([0, 1, 2], 1, first).commit(0, 1, 0, true);
    expect(trace.seen).to.deep.equal([]);
  });

  it("tell a leader that cuts its own entries from any other follower", () => {
    const own = dataEntries(lastOf(first), 1, [1]);
    const led = (): Watched => new Watched().elect(0, 1, [0, 1]).replicate([0, 1, 2], 1, first);
    expect(led().append(0, 1, own).role(0, 2, "follower").truncate(0, 1).seen).to.deep.equal([
      "tail-truncated",
      "leader-cut-own-entries",
    ]);
    expect(led().append(1, 1, own).truncate(1, 1).seen).to.deep.equal(["tail-truncated"]);
  });

  it("are counted: torn tails, two leaders at a time, a crash before the no-op commits, wiped directories", () => {
    const end = lastOf(first);
    const torn = new Watched();
    torn.emit({
      kind: "recovered",
      ...at(0),
      standing: "member",
      term: 1,
      votedFor: "",
      lastIndex: -1,
      lastTerm: 0,
      chainCrc: 0,
      tornBytes: 7,
    });
    expect(torn.seen).to.deep.equal(["torn-tail-cut"]);
    expect(new Watched().elect(0, 1, [0, 1]).elect(1, 2, [1, 2]).seen).to.deep.equal(["two-leaders"]);
    const paused = new Watched().elect(0, 1, [0, 1]).fault(0, "pause").elect(1, 2, [1, 2]);
    expect(paused.seen).to.deep.equal(["two-leaders", "paused-leader-deposed"]);
    expect(new Watched().elect(0, 1, [0, 1]).fault(0, "crash").seen).to.deep.equal([
      "crash-before-first-commit",
    ]);
    const late = new Watched().elect(0, 1, [0, 1]).replicate([0, 1], 1, first).commit(0, 1, 0, true);
    expect(late.fault(0, "crash").seen).to.deep.equal([]);
    expect(new Watched().fault(0, "left-alone").seen).to.deep.equal(["failed-left-alone"]);
    const wiped = new Watched().fault(0, "wipe").recovered(0, end, { term: 1, votedFor: "" }, "wiped");
    expect(wiped.seen).to.deep.equal(["wiped-voter-back"]);
  });

  it("are counted: a full leader, its no-op, a read-only leader that hands over", () => {
    const full = new Watched()
      .elect(0, 1, [0, 1])
      .emit({ kind: "intake", ...at(0), intake: "full", room: 0 });
    full.replicate([0, 1, 2], 1, first).commit(0, 1, 0, true);
    expect(full.seen).to.deep.equal(["leader-full", "no-op-on-reserve"]);
    const readOnly = new Watched()
      .emit({ kind: "intake", ...at(0), intake: "read-only", room: 0 })
      .elect(0, 1, [0, 1]);
    readOnly.emit({ kind: "transfer", ...at(0), term: 1, to: nodeOf(1), change: "done" });
    expect(readOnly.seen).to.deep.equal(["read-only-handed-over", "read-only-led"]);
  });

  it("tell a full leader that hands over from a read-only and an open one", () => {
    const handedOver = (intake: Intake): string[] => {
      const trace = new Watched().elect(0, 1, [0, 1]).emit({ kind: "intake", ...at(0), intake, room: 0 });
      return trace.transfer(0, 1, 1, "done").seen;
    };
    expect(handedOver("open")).to.deep.equal(["transfer-done"]);
    expect(handedOver("read-only")).to.deep.equal(["read-only-handed-over"]);
    expect(handedOver("full")).to.deep.equal(["leader-full", "full-handed-over"]);
    const yielded = (intake: Intake): string[] =>
      new Watched().emit({ kind: "intake", ...at(0), intake, room: 0 }).role(0, 1, "follower", "yields").seen;
    expect(yielded("read-only")).to.deep.equal(["read-only-yielded"]);
    expect(yielded("full")).to.deep.equal(["full-yielded"]);
  });

  it("are a refusal by a full majority when a majority of several is full, and not for one disk or one node", () => {
    const refused = (size: number, full: readonly number[]): boolean => {
      const trace = new Watched(size).elect(0, 1, [0, 1].slice(0, size));
      for (const node of full) trace.emit({ kind: "intake", ...at(node), intake: "full", room: 0 });
      trace.emit({ kind: "refuse", ...at(0), code: "disk-full", peer: "" });
      return trace.seen.includes("majority-full-refused");
    };
    expect(refused(3, [0])).to.equal(false);
    expect(refused(3, [1, 2])).to.equal(true);
    expect(refused(5, [0, 1])).to.equal(false);
    expect(refused(5, [0, 1, 2])).to.equal(true);
    expect(refused(1, [0])).to.equal(false);
  });

  it("tell damage that was cut from damage that was mended, and from a cut after or beside it", () => {
    const entries = dataEntries(lastOf(first), 1, [1, 2, 3]);
    const damaged = (): Watched =>
      new Watched()
        .elect(0, 1, [0, 1])
        .replicate([1], 1, first)
        .replicate([1], 1, entries)
        .damage(1, 2, 2)
        .standing(1, "damaged");
    const seen = (trace: Watched): string[] => trace.seen.filter((name) => name.startsWith("damage"));
    expect(seen(damaged().truncate(1, 2).standing(1, "member"))).to.deep.equal(["damage-cut"]);
    expect(seen(damaged().truncate(1, 3).damage(1, 2, 2, "mended").standing(1, "member"))).to.deep.equal([
      "damage-mended",
    ]);
    const mended = damaged().damage(1, 2, 2, "mended").standing(1, "member").truncate(1, 3);
    expect(seen(mended), "it is a member again").to.deep.equal(["damage-mended"]);
    expect(seen(damaged().truncate(1, 3)), "it is damaged still").to.deep.equal([]);
    const started = new Watched().recovered(1, lastOf(first), { term: 1, votedFor: "" }, "damaged");
    expect(seen(started.truncate(1, 0).standing(1, "member"))).to.deep.equal(["damage-cut"]);
  });

  it("have names that the table and the swarm share", () => {
    expect(situationNames).to.have.length.greaterThan(20);
  });
});
