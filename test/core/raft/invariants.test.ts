import { expect } from "chai";
import { AssertionError, assertions } from "#core/base/assert";
import {
  assertCommitsOwnTerm,
  assertDoesNotLead,
  assertKeepsCommitted,
  assertOneLeader,
  checkStep,
  firstChecked,
} from "#core/raft/invariants";
import { RaftState } from "#core/raft/state";
import { group, makeLog, node, nodes, raftConfig, raftStart, TraceLog } from "../../support/raft-machine.ts";

function state(): RaftState {
  const start = raftStart({ term: 3, votedFor: "" }, makeLog([1, 2, 3]));
  return new RaftState(raftConfig(node(0), nodes(3)), start, () => 0, new TraceLog(), group);
}

function leading(): RaftState {
  const s = state();
  s.role = "leader";
  s.votedFor = s.self;
  s.termStart = 2;
  return s;
}

describe("Raft's invariants", () => {
  const broken: readonly [string, () => RaftState, (s: RaftState) => void][] = [
    [
      "a term never goes backwards",
      state,
      (s) => {
        s.term = 2;
      },
    ],
    [
      "a vote is never changed",
      leading,
      (s) => {
        s.role = "follower";
        s.votedFor = node(1);
      },
    ],
    [
      "the commit index never goes backwards",
      state,
      (s) => {
        s.commitIndex = -2;
      },
    ],
    [
      "only entries that are in the log commit",
      state,
      (s) => {
        s.commitIndex = 3;
      },
    ],
    [
      "no entry is of a later term",
      state,
      (s) => {
        s.log.lastTerm = 4;
      },
    ],
    [
      "only entries that are in the log are durable",
      state,
      (s) => {
        s.log.durableIndex = 3;
      },
    ],
    [
      "a leader only appends",
      leading,
      (s) => {
        s.log.lastIndex = 1;
        s.log.durableIndex = 1;
      },
    ],
    [
      "a leader voted for itself",
      state,
      (s) => {
        s.role = "leader";
        s.termStart = 2;
        s.votedFor = node(1);
      },
    ],
    [
      "a leader's log holds the no-op",
      leading,
      (s) => {
        s.termStart = -1;
      },
    ],
    [
      "a wiped or damaged node never leads",
      leading,
      (s) => {
        s.participation = "none";
      },
    ],
    [
      "only entries that are in the log were verified",
      state,
      (s) => {
        s.verifiedIndex = 3;
      },
    ],
    [
      "what was verified against a leader's log stays",
      state,
      (s) => {
        s.verifiedIndex = -2;
      },
    ],
  ];
  for (const [sentence, begin, breakIt] of broken) {
    it(`asserts: ${sentence}`, () => {
      const s = begin();
      const checked = firstChecked(s);
      checkStep(s, checked);
      breakIt(s);
      expect(() => checkStep(s, checked)).to.throw(AssertionError, sentence);
    });
  }

  it("asserts what single rules build on", () => {
    expect(() => assertOneLeader(leading())).to.throw(/at most one leader/);
    expect(() => assertDoesNotLead(leading())).to.throw(/never cuts its own log/);
    expect(() => assertKeepsCommitted(3, 4)).to.throw(/never cut/);
    expect(() => assertCommitsOwnTerm(state(), 1)).to.throw(/5.4.2/);
    assertOneLeader(state());
    assertDoesNotLead(state());
    assertKeepsCommitted(4, 4);
    assertCommitsOwnTerm(state(), 2);
    expect(assertions.enabled).to.equal(true);
  });
});
