import { expect } from "chai";
import { emptyLogEnd } from "#core/base/entry";
import { second } from "#core/base/units";
import type { NodeAtEnd } from "#sim/checker/checker";
import { dataEntries, group, lastOf, nodeOf, Trace } from "./trace-builder.ts";

const first = dataEntries(emptyLogEnd, 1, [1, 2, 3]);
const end = lastOf(first);
const hard = { term: 1, votedFor: 0 };

/** n0 leads term 1 and has committed three entries, which all hold. */
function lawful(): Trace {
  return new Trace(3)
    .elect(0, 1, [0, 1])
    .role(1, 1, "follower")
    .replicate([0, 1, 2], 1, first)
    .hardState(2, 1, "")
    .match(0, 1, 2)
    .match(1, 1, 2)
    .commit(0, 1, 2, true);
}

const atEnd = (of: NodeAtEnd["standing"], live = true): NodeAtEnd[] => [
  { node: nodeOf(1), group, live, standing: of, commitIndex: 2 },
];

describe("checkers of damage", () => {
  it("passes a lawful trace", () => {
    expect(lawful().verdict).to.equal("none");
  });

  describe("sound-standing", () => {
    const harmed = (): Trace => lawful().fault(1, "damage", "g0 1..2 header");

    it("fails on damage that nothing did, found while running or by recovery", () => {
      expect(lawful().standing(1, "damaged").verdict).to.equal("sound-standing");
      expect(harmed().standing(1, "damaged").verdict).to.equal("none");
      const other = lawful().fault(0, "damage", "g0 1..2 header");
      expect(other.standing(1, "damaged").verdict).to.equal("sound-standing");
      expect(lawful().recovered(1, end, hard, "damaged").verdict).to.equal("sound-standing");
    });

    it("excuses the records that were harmed and no others, until they are mended or cut for good", () => {
      expect(harmed().damage(1, 1, 2).verdict).to.equal("none");
      expect(harmed().damage(1, 2, 2).verdict).to.equal("none");
      expect(harmed().damage(1, 0, 2).verdict).to.equal("sound-standing");
      const later = (): Trace => harmed().wait(2 * second);
      expect(later().damage(1, 1, 2).damage(1, 1, 2, "mended").damage(1, 1, 1).verdict).to.equal(
        "sound-standing",
      );
      expect(harmed().damage(1, 1, 1, "mended").damage(1, 2, 2).verdict).to.equal("none");
      // What was mended is whole, unless the node saw an older header than the disk's: that one it finds later.
      const mended = (trace: Trace): Trace => trace.damage(1, 1, 2).damage(1, 1, 2, "mended").damage(1, 1, 2);
      expect(mended(later()).verdict).to.equal("sound-standing");
      expect(mended(later().fault(1, "stale-read")).verdict).to.equal("none");
      expect(mended(later().fault(1, "stale-read").fault(1, "restart")).verdict).to.equal("sound-standing");
      // Or had read it just before the harm came over it; once it has mended that too, it is whole.
      expect(mended(harmed()).verdict).to.equal("none");
      expect(mended(mended(harmed())).verdict).to.equal("sound-standing");
      const halfMended = (): Trace => harmed().damage(1, 1, 2).damage(1, 1, 2, "mended");
      expect(halfMended().recovered(1, end, hard).damage(1, 1, 2).verdict, "all was read").to.equal(
        "sound-standing",
      );
      expect(mended(harmed().fault(1, "restart")).verdict).to.equal("sound-standing");
      const asItStarts = lawful().fault(1, "restart").fault(1, "damage", "g0 1..2 header");
      expect(mended(asItStarts.recovered(1, end, hard, "damaged")).verdict).to.equal("sound-standing");
      const passing = lawful().fault(1, "stale-read").fault(1, "damage", "g0 1..2 stale read");
      expect(mended(passing).verdict).to.equal("sound-standing");
      expect(harmed().fault(1, "damage", "g0 none slot 0").damage(1, 0, 0).verdict).to.equal(
        "sound-standing",
      );
      const cut = harmed().truncate(1, 1).append(1, 1, first.slice(1)).sync(1, 2);
      expect(cut.damage(1, 1, 2).verdict).to.equal("sound-standing");
      const undone = harmed().truncate(1, 1).recovered(1, end, hard, "damaged");
      expect(undone.damage(1, 1, 2).verdict).to.equal("none");
    });

    it("takes for mended what a node found damaged, and can read whole when it comes up again", () => {
      const back = (trace: Trace): Trace =>
        trace.fault(1, "crash").fault(1, "restart").recovered(1, end, hard).fault(1, "crash", "power");
      const lost = (trace: Trace): string =>
        back(trace).fault(1, "restart").recovered(1, end, hard, "damaged").verdict;
      expect(lost(harmed().damage(1, 1, 2))).to.equal("sound-standing");
      expect(lost(harmed()), "it may not have been read before").to.equal("none");
      expect(lost(harmed().damage(1, 1, 2).fault(1, "crash").fault(1, "restart"))).to.equal("sound-standing");
      const misled = harmed().damage(1, 1, 2).fault(1, "crash").fault(1, "restart").fault(1, "stale-read");
      expect(misled.recovered(1, end, hard).recovered(1, end, hard, "damaged").verdict).to.equal("none");
    });

    it("fails on a node that gives up though its disk refused it nothing in this life", () => {
      expect(lawful().standing(1, "failed", "the log differs").violation?.explanation).to.contain(
        "the log differs",
      );
      const says = (trace: Trace): Trace =>
        trace.emit({ kind: "disk", node: nodeOf(1), group, code: "io", operation: "sync" });
      expect(says(lawful()).verdict).to.equal("sound-standing");
      const failed = lawful().fault(1, "io-failed", "read g0/segment");
      expect(says(failed).standing(1, "failed").verdict).to.equal("none");
      expect(failed.fault(1, "crash").standing(1, "failed").verdict).to.equal("sound-standing");
    });

    it("fails on a start that failed on a disk that failed nothing, damaged or not", () => {
      expect(lawful().fault(1, "failed-start").verdict).to.equal("sound-standing");
      expect(harmed().fault(1, "failed-start").verdict).to.equal("sound-standing");
      expect(lawful().fault(1, "io-failed", "read g0/meta").fault(1, "failed-start").verdict).to.equal(
        "none",
      );
      expect(lawful().fault(1, "data-loss").fault(1, "failed-start").verdict).to.equal("none");
    });

    it("fails on a node that is up at the end and no member, unless its directory was emptied", () => {
      const told = lawful().recovered(1, end, hard, "wiped");
      expect(told.end({ nodes: atEnd("wiped"), histories: [] }).verdict).to.equal("sound-standing");
      const damaged = harmed().recovered(1, end, hard, "damaged");
      expect(damaged.end({ nodes: atEnd("damaged"), histories: [] }).verdict).to.equal("sound-standing");
      expect(lawful().end({ nodes: atEnd("wiped", false), histories: [] }).verdict).to.equal("none");
      const wiped = lawful().fault(1, "wipe").recovered(1, emptyLogEnd, { term: 0, votedFor: "" }, "wiped");
      expect(wiped.end({ nodes: atEnd("wiped"), histories: [] }).verdict).to.equal("none");
    });
  });

  describe("committed-durable-on-quorum", () => {
    it("demands that a damaged node knows how far its log went", () => {
      const harmed = (): Trace => lawful().fault(1, "damage", "g0 2..2 header");
      expect(harmed().recovered(1, end, hard, "damaged").verdict).to.equal("none");
      const short = harmed().recovered(1, lastOf(first.slice(0, 2)), hard, "damaged");
      expect(short.verdict).to.equal("committed-durable-on-quorum");
    });

    it("counts no voter whose directory was emptied, whatever it was given since", () => {
      const more = dataEntries(end, 1, [4]);
      const wiped = (): Trace =>
        lawful()
          .fault(2, "wipe")
          .recovered(2, emptyLogEnd, { term: 0, votedFor: "" }, "wiped")
          .hardState(2, 1, "")
          .replicate([2], 1, first);
      expect(wiped().replicate([0, 2], 1, more).commit(0, 1, 3, true).verdict).to.equal(
        "committed-durable-on-quorum",
      );
      expect(wiped().replicate([0, 1], 1, more).commit(0, 1, 3, true).verdict).to.equal("none");
    });
  });

  describe("wiped-is-silent", () => {
    const wiped = (): Trace =>
      lawful().fault(1, "wipe").recovered(1, emptyLogEnd, { term: 0, votedFor: "" }, "wiped");

    it("fails on a vote, a campaign and a membership of a voter whose directory was emptied", () => {
      expect(wiped().verdict).to.equal("none");
      expect(wiped().hardState(1, 2, 2).vote(1, 2, 2).verdict).to.equal("wiped-is-silent");
      expect(wiped().role(1, 2, "candidate").verdict).to.equal("wiped-is-silent");
      expect(wiped().standing(1, "member").verdict).to.equal("wiped-is-silent");
      expect(wiped().role(1, 2, "follower").verdict).to.equal("none");
    });
  });

  describe("failed-is-silent", () => {
    const failed = (what: string): Trace => lawful().fault(1, "io-failed", what);

    it("fails on anything that a node reports as durable after a write or sync of it failed", () => {
      expect(failed("sync g0/meta").hardState(1, 2, "").verdict).to.equal("failed-is-silent");
      expect(failed("write g0/segment-0000000000").match(1, 1, 2).verdict).to.equal("failed-is-silent");
      expect(failed("sync g0/segment-0000000000").sync(1, 2).verdict).to.equal("failed-is-silent");
      expect(failed("sync g0").recovered(1, end, hard).verdict).to.equal("failed-is-silent");
    });

    it("says nothing of failed reads, of other groups and nodes, and of the next life", () => {
      expect(failed("read g0/segment-0000000000").match(1, 1, 2).verdict).to.equal("none");
      expect(failed("sync other/meta").match(1, 1, 2).verdict).to.equal("none");
      expect(failed("sync g0/meta").match(2, 1, 2).verdict).to.equal("none");
      expect(failed("sync g0/meta").fault(1, "crash").recovered(1, end, hard).verdict).to.equal("none");
    });
  });

  describe("damaged-vouches-not", () => {
    const damaged = (): Trace =>
      lawful().fault(1, "damage", "g0 1..1 body").damage(1, 1, 1).standing(1, "damaged");

    it("fails on a node that vouches behind a record that it knows to be damaged", () => {
      expect(damaged().match(1, 1, 0).verdict).to.equal("none");
      expect(damaged().match(1, 1, 1).verdict).to.equal("damaged-vouches-not");
      expect(damaged().match(1, 1, 2).verdict).to.equal("damaged-vouches-not");
      expect(damaged().damage(1, 1, 1, "mended").standing(1, "member").match(1, 1, 2).verdict).to.equal(
        "none",
      );
    });

    it("fails on its vote of a later term, and on any after a start that found damage", () => {
      expect(damaged().lawfulVote(1, 2, 2).verdict).to.equal("damaged-vouches-not");
      expect(damaged().vote(1, 1, 0).verdict).to.equal("none");
      const restarted = lawful().fault(1, "damage", "g0 1..1 body").recovered(1, end, hard, "damaged");
      expect(restarted.vote(1, 1, 0).verdict).to.equal("damaged-vouches-not");
    });

    it("fails on its leadership", () => {
      expect(damaged().elect(0, 2, [0, 2]).verdict).to.equal("none");
      expect(damaged().elect(1, 2, [0, 2]).verdict).to.equal("damaged-vouches-not");
    });

    it("fails on a leader that leads on with damage in its log, which it learned of earlier", () => {
      const more = dataEntries(end, 1, [4]);
      const leader = (): Trace => lawful().fault(0, "damage", "g0 1..1 body").damage(0, 1, 1);
      expect(leader().append(0, 1, more).verdict).to.equal("damaged-vouches-not");
      expect(leader().commit(0, 1, 2, true).verdict).to.equal("damaged-vouches-not");
      expect(leader().role(0, 1, "follower").append(0, 1, more).verdict).to.equal("none");
      expect(lawful().append(0, 1, more).damage(0, 1, 1).verdict).to.equal("sound-standing");
    });
  });
});
