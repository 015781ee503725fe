import { expect } from "chai";
import type { LogEnd } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import type { NodeAtEnd } from "#sim/checker/checker";
import { dataEntries, group, lastOf, nodeOf, noOp, Trace } from "./trace-builder.ts";

const first = noOp(emptyLogEnd, 1);
const second = dataEntries(lastOf(first), 1, [1, 2]);
const end = lastOf(second);

/** Three nodes, n0 leads term 1, three entries synced and committed everywhere. */
function lawful(): Trace {
  return new Trace()
    .elect(0, 1, [0, 1])
    .replicate([0, 1], 1, first)
    .match(1, 1, 0)
    .commit(0, 1, 0, true)
    .apply(0, first)
    .replicate([0, 1, 2], 1, [])
    .append(2, 1, first)
    .sync(2, 0)
    .replicate([0, 1, 2], 1, second)
    .match(1, 1, 2)
    .commit(0, 1, 2, true)
    .commit(1, 1, 2, false)
    .apply(0, second)
    .apply(1, [...first, ...second]);
}

const others = noOp(end, 3);

/** n2 vouched for entries 3 and 4 of term 2, found them damaged from `from` on and takes entry 4 of term 3 from n1. */
function cutWithinDamage(from: number): Trace {
  const own = noOp(end, 2);
  const more = noOp(lastOf(others), 3);
  return lawful()
    .elect(2, 2, [0, 2])
    .replicate([2], 2, own)
    .replicate([2], 2, noOp(lastOf(own), 2))
    .elect(1, 3, [0, 1])
    .role(0, 3, "follower")
    .role(2, 3, "follower")
    .replicate([0, 1], 3, others)
    .replicate([0, 1], 3, more)
    .commit(1, 3, 4, true)
    .fault(2, "damage", `g0 ${from}..4 header`)
    .damage(2, from, 4)
    .truncate(2, 4)
    .append(2, 3, more);
}

describe("checkers on the trace", () => {
  it("pass a lawful run with a crash, a lost unsynced tail, an undone cut and a change of leaders", () => {
    const own = dataEntries(end, 1, [3]);
    const unsynced = dataEntries(lastOf(own), 1, [4]);
    const next = noOp(end, 2);
    const trace = lawful()
      .append(0, 1, own)
      .sync(0, 3)
      .append(0, 1, unsynced)
      .recovered(0, lastOf(own), { term: 1, votedFor: 0 })
      .elect(1, 2, [1, 2])
      .replicate([1, 2], 2, next)
      .commit(1, 2, 3, true)
      .role(0, 2, "follower")
      .truncate(0, 3)
      .recovered(0, lastOf(own), { term: 2, votedFor: "" })
      .truncate(0, 3)
      .replicate([0], 2, next)
      .match(0, 2, 3)
      .commit(0, 2, 3, false)
      .apply(0, [...first, ...second, ...next]);
    expect(trace.violation).to.equal(undefined);
  });

  describe("election-safety", () => {
    it("fails on two leaders of one term, however far apart", () => {
      const trace = lawful().elect(1, 2, [1, 2]).elect(2, 3, [1, 2]);
      expect(trace.verdict).to.equal("none");
      expect(trace.hardState(0, 2, 0).vote(0, 2, 0).role(0, 2, "leader").verdict).to.equal("election-safety");
      expect(trace.violation?.message).to.contain("term 2 of g0 has two leaders: n1 and n0");
    });

    it("fails on a leader without the votes of a majority", () => {
      expect(new Trace(5).elect(0, 1, [0, 1]).verdict).to.equal("election-safety");
      expect(new Trace(5).elect(0, 1, [0, 1, 2]).verdict).to.equal("none");
    });

    it("does not count a vote twice, nor one for somebody else", () => {
      const trace = new Trace(5).lawfulVote(3, 1, 2).elect(0, 1, [0, 1, 1]);
      expect(trace.verdict).to.equal("election-safety");
      expect(trace.violation?.explanation).to.contain("n3 for n2");
    });
  });

  describe("leader-append-only", () => {
    it("fails on a leader that cuts its log", () => {
      expect(
        lawful()
          .append(0, 1, dataEntries(end, 1, [3]))
          .truncate(0, 3).verdict,
      ).to.equal("leader-append-only");
    });

    it("fails on a leader that appends an entry of another term", () => {
      const trace = lawful().elect(0, 2, [0, 2]);
      expect(trace.append(0, 2, dataEntries(end, 1, [3])).verdict).to.equal("leader-append-only");
    });
  });

  describe("log-matching", () => {
    it("fails on one index and term with two contents", () => {
      expect(
        lawful()
          .append(0, 1, dataEntries(end, 1, [3]))
          .append(1, 1, dataEntries(end, 1, [4])).verdict,
      ).to.equal("log-matching");
    });

    it("fails on a difference before the entry, though the entry itself is equal", () => {
      const cut = new Trace().elect(0, 1, [0, 1]);
      const other = dataEntries(lastOf(first), 1, [9]);
      cut.append(0, 1, first).append(0, 1, dataEntries(lastOf(first), 1, [1]));
      cut.append(1, 1, first).append(1, 1, other);
      expect(cut.verdict).to.equal("log-matching");
    });

    it("fails on a gap and on an overlap", () => {
      const far = dataEntries(lastOf(dataEntries(end, 1, [3])), 1, [4]);
      expect(lawful().append(1, 1, far).verdict).to.equal("log-matching");
      expect(lawful().append(1, 1, second).verdict).to.equal("log-matching");
    });

    it("fails on an entry that comes back from a disk and was never appended", () => {
      const phantom = dataEntries(end, 1, [7]);
      expect(lawful().recovered(2, lastOf(phantom), { term: 1, votedFor: "" }).verdict).to.equal(
        "log-matching",
      );
    });

    it("knows an older log again that comes back after a cut which was not durable", () => {
      const old = dataEntries(end, 1, [3, 4]);
      const fresh = noOp(end, 2);
      const trace = lawful().append(2, 1, old).truncate(2, 3).append(2, 2, fresh);
      trace.recovered(2, lastOf(old), { term: 2, votedFor: "" });
      expect(trace.verdict).to.equal("none");
      expect(trace.checkers.model.groups[0]?.members[2]?.terms).to.deep.equal([1, 1, 1, 1, 1]);
    });
  });

  describe("leader-completeness", () => {
    it("fails on a leader that lacks what an earlier term committed", () => {
      const trace = new Trace().elect(0, 1, [0, 1]).replicate([0, 1], 1, first).commit(0, 1, 0, true);
      expect(trace.elect(2, 2, [1, 2]).verdict).to.equal("leader-completeness");
      expect(trace.violation?.explanation).to.contain("ends at -1");
    });

    it("fails on a commit that a leader of a later term already lacks", () => {
      const trace = new Trace().elect(0, 1, [0, 1]).replicate([0, 1], 1, first).elect(2, 2, [1, 2]);
      expect(trace.verdict).to.equal("none");
      expect(trace.commit(0, 1, 0, true).verdict).to.equal("leader-completeness");
    });

    it("asks nothing of an older leader", () => {
      const trace = lawful().elect(1, 2, [1, 2]).replicate([1, 2], 2, noOp(end, 2)).commit(1, 2, 3, true);
      expect(trace.verdict).to.equal("none");
    });
  });

  describe("state-machine-safety", () => {
    it("fails on two nodes that applied different entries at one index", () => {
      const trace = lawful()
        .append(2, 1, dataEntries(end, 1, [3]))
        .commit(2, 1, 3, false);
      const other = dataEntries(lastOf(first), 1, [8]);
      expect(trace.apply(2, [...first, ...other]).verdict).to.equal("state-machine-safety");
    });
  });

  describe("committed-immutable", () => {
    it("fails on a second content for a committed index", () => {
      const other = dataEntries(lastOf(first), 2, [5, 6, 7]);
      const trace = lawful().truncate(2, 1).append(2, 2, other).commit(2, 2, 3, false);
      expect(trace.verdict).to.equal("committed-immutable");
      expect(trace.violation?.explanation).to.contain("first difference is at index 1");
    });

    it("takes what a leader puts in place of damaged records for what they are from now on, and of no others", () => {
      expect(cutWithinDamage(3).commit(2, 3, 3, false).verdict).to.equal("none");
      expect(cutWithinDamage(4).commit(2, 3, 3, false).verdict).to.equal("committed-immutable");
    });

    it("fails on a commit beyond the log", () => {
      expect(lawful().commit(2, 1, 3, false).verdict).to.equal("committed-immutable");
    });

    it("fails on a cut below the commit index", () => {
      expect(lawful().truncate(1, 2).verdict).to.equal("committed-immutable");
    });
  });

  describe("committed-durable-on-quorum", () => {
    it("fails on a commit that counts an entry before its sync", () => {
      const trace = new Trace().elect(0, 1, [0, 1]).append(0, 1, first).append(1, 1, first).sync(1, 0);
      expect(trace.commit(0, 1, 0, true).verdict).to.equal("committed-durable-on-quorum");
    });

    it("counts only nodes that hold exactly that entry", () => {
      const own = dataEntries(end, 1, [3]);
      const trace = lawful()
        .replicate([0], 1, own)
        .replicate([1], 1, dataEntries(end, 0, [4]));
      expect(trace.commit(0, 1, 3, true).verdict).to.equal("committed-durable-on-quorum");
    });

    it("fails on a commit by counting an entry of an earlier term", () => {
      const trace = new Trace().elect(0, 1, [0, 1]).replicate([0, 1, 2], 1, first).elect(1, 2, [1, 2]);
      expect(trace.commit(1, 2, 0, true).verdict).to.equal("committed-durable-on-quorum");
    });

    it("fails on a match that was not synced", () => {
      const trace = lawful()
        .append(1, 1, dataEntries(end, 1, [3]))
        .match(1, 1, 3);
      expect(trace.verdict).to.equal("committed-durable-on-quorum");
    });

    it("fails on a restart without what the node had vouched for", () => {
      expect(lawful().recovered(2, lastOf(first), { term: 1, votedFor: "" }).verdict).to.equal(
        "committed-durable-on-quorum",
      );
      expect(lawful().recovered(1, emptyLogEnd, { term: 1, votedFor: 0 }, "wiped").verdict).to.equal(
        "committed-durable-on-quorum",
      );
    });

    it("fails on an entry that comes back in the place of the one vouched for", () => {
      const trace = lawful()
        .replicate([2], 1, dataEntries(end, 1, [3]))
        .truncate(2, 3);
      trace.replicate([2], 2, noOp(end, 2));
      const old = lastOf(dataEntries(end, 1, [3]));
      expect(trace.recovered(2, old, { term: 2, votedFor: "" }).verdict).to.equal(
        "committed-durable-on-quorum",
      );
    });

    it("owes nothing in whose place a leader put its own, and everything before", () => {
      const back = (index: LogEnd): string =>
        cutWithinDamage(3).recovered(2, index, { term: 3, votedFor: "" }, "damaged").verdict;
      expect(back(lastOf(others))).to.equal("none");
      expect(back(end)).to.equal("none");
      expect(back(lastOf(dataEntries(lastOf(first), 1, [1])))).to.equal("committed-durable-on-quorum");
      expect(back(lastOf(first))).to.equal("committed-durable-on-quorum");
    });

    it("takes the leader's own in place of damaged records for synced once they are mended, and not before", () => {
      expect(cutWithinDamage(3).match(2, 3, 3).verdict).to.equal("committed-durable-on-quorum");
      expect(cutWithinDamage(3).damage(2, 3, 3, "mended").match(2, 3, 3).verdict).to.equal("none");
      expect(cutWithinDamage(3).damage(2, 3, 3, "mended").match(2, 3, 4).verdict).to.equal(
        "committed-durable-on-quorum",
      );
    });

    it("excuses a disk that the world emptied", () => {
      const trace = lawful().fault(2, "wipe").recovered(2, emptyLogEnd, { term: 0, votedFor: "" }, "wiped");
      expect(trace.verdict).to.equal("none");
    });
  });

  describe("true-match", () => {
    const other = noOp(lastOf(first), 2);
    /** n1 leads term 2 with another entry at index 1 than n2 holds. */
    const deposed = (): Trace =>
      new Trace()
        .elect(0, 1, [0, 1])
        .replicate([0, 1, 2], 1, first)
        .replicate([0, 2], 1, second)
        .elect(1, 2, [1, 2])
        .append(1, 2, other);

    it("fails on one that vouches for what the leader of its term does not hold", () => {
      expect(deposed().match(2, 2, 0).verdict).to.equal("none");
      expect(deposed().match(2, 2, 1).verdict).to.equal("true-match");
      expect(deposed().match(2, 2, 2).verdict).to.equal("true-match");
    });

    it("passes one that took the leader's entries, and a word to a leader that leads no more", () => {
      expect(deposed().truncate(2, 1).append(2, 2, other).sync(2, 1).match(2, 2, 1).verdict).to.equal("none");
      expect(deposed().role(1, 3, "follower").match(2, 2, 1).verdict).to.equal("none");
      expect(deposed().match(2, 1, 1).verdict).to.equal("none");
    });
  });

  describe("vote-durability", () => {
    it("fails on a second vote in one term, across a crash too", () => {
      expect(new Trace().lawfulVote(1, 3, 0).lawfulVote(1, 3, 2).verdict).to.equal("vote-durability");
      const crashed = new Trace().lawfulVote(1, 3, 0).recovered(1, emptyLogEnd, { term: 3, votedFor: "" });
      expect(crashed.verdict).to.equal("vote-durability");
    });

    it("fails on a vote in an older term", () => {
      expect(new Trace().lawfulVote(1, 3, 0).vote(1, 2, 2).verdict).to.equal("vote-durability");
    });

    it("fails on a vote that is given before it is synced", () => {
      expect(new Trace().vote(1, 3, 0).verdict).to.equal("vote-durability");
      expect(new Trace().hardState(1, 3, "").vote(1, 3, 0).verdict).to.equal("vote-durability");
    });

    it("fails on a synced vote that is gone, even if its answer never left", () => {
      const trace = new Trace().hardState(1, 3, 0).recovered(1, emptyLogEnd, { term: 3, votedFor: "" });
      expect(trace.verdict).to.equal("vote-durability");
    });

    it("fails on a term that comes back behind a vote, a leadership or a synced hard state", () => {
      const back = { term: 2, votedFor: "" } as const;
      for (const trace of [
        new Trace().lawfulVote(1, 3, 0),
        new Trace().hardState(1, 3, ""),
        new Trace().elect(1, 3, [0, 1]),
      ])
        expect(trace.recovered(1, emptyLogEnd, back).verdict).to.equal("vote-durability");
      expect(new Trace().hardState(1, 3, "").hardState(1, 2, "").verdict).to.equal("vote-durability");
    });

    it("fails on a commit that rests on acknowledgements in a term that was not saved", () => {
      const trace = new Trace().elect(0, 1, [0, 1]).replicate([0, 2], 1, first);
      expect(trace.commit(0, 1, 0, true).verdict).to.equal("vote-durability");
      const saved = new Trace().elect(0, 1, [0, 1]).replicate([0, 2], 1, first).hardState(2, 1, "");
      expect(saved.commit(0, 1, 0, true).verdict).to.equal("none");
    });

    it("passes a repeated answer and a term that was not told yet", () => {
      const trace = new Trace().lawfulVote(1, 3, 0).vote(1, 3, 0).role(1, 4, "follower");
      expect(trace.recovered(1, emptyLogEnd, { term: 3, votedFor: 0 }).verdict).to.equal("none");
    });
  });

  describe("monotonic", () => {
    it("fails on a term or a commit index that goes back within a life", () => {
      expect(new Trace().role(0, 2, "follower").role(0, 1, "follower").verdict).to.equal("monotonic");
      expect(lawful().commit(1, 1, 1, false).verdict).to.equal("monotonic");
    });

    it("fails on entries applied twice, with a gap, or before they are committed", () => {
      expect(lawful().apply(1, second).verdict).to.equal("monotonic");
      expect(lawful().commit(2, 1, 2, false).apply(2, second).verdict).to.equal("monotonic");
      expect(lawful().apply(2, first).verdict).to.equal("monotonic");
    });

    it("lets a new life begin again from the first entry", () => {
      const trace = lawful().recovered(1, end, { term: 1, votedFor: 0 }).commit(1, 1, 1, false);
      expect(trace.apply(1, [...first, ...second.slice(0, 1)]).verdict).to.equal("none");
    });

    it("fails on a sync beyond the end of the log", () => {
      expect(lawful().sync(0, 3).verdict).to.equal("monotonic");
    });
  });

  describe("convergence", () => {
    const atEnd = (node: number, commitIndex: number, live = true): NodeAtEnd => ({
      node: nodeOf(node),
      group,
      live,
      standing: "member",
      commitIndex,
    });

    it("passes equal logs and ignores what is not live", () => {
      const nodes = [atEnd(0, 2), atEnd(1, 2), atEnd(2, -1, false)];
      expect(lawful().end({ nodes, histories: [] }).verdict).to.equal("none");
    });

    it("fails on live members that committed to different ends", () => {
      const trace = lawful().end({ nodes: [atEnd(0, 2), atEnd(1, 1)], histories: [] });
      expect(trace.violation).to.include({ checker: "convergence", kind: "liveness" });
    });

    it("fails on different logs below the same commit index", () => {
      const trace = lawful()
        .truncate(2, 1)
        .append(2, 2, dataEntries(lastOf(first), 2, [5, 6]));
      trace.end({ nodes: [atEnd(0, 2), atEnd(2, 2)], histories: [] });
      expect(trace.violation).to.include({ checker: "convergence", kind: "safety" });
    });
  });
});
