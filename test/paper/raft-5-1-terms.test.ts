import { expect } from "chai";
import {
  appendFrom,
  heartbeatOf,
  Machine,
  makeLog,
  node,
  refusal,
  requestVote,
} from "../support/raft-machine.ts";

describe("Raft §5.1, terms", () => {
  it("§5.1: a server begins as a follower of the term that its disk holds", () => {
    const m = new Machine({ term: 4, votedFor: node(2), log: [1, 4] });
    expect(m.raft.view.role).to.equal("follower");
    expect(m.raft.view.term).to.equal(4);
    expect(m.raft.view.votedFor).to.equal(node(2));
    expect(m.raft.view.leader).to.equal("");
    expect(m.raft.view.commitIndex).to.equal(-1);
  });

  it("§5.1: a server that sees a larger term takes it over and makes it durable", () => {
    const m = new Machine({ term: 1 });
    m.receive(1, heartbeatOf(5));
    expect(m.raft.view.term).to.equal(5);
    expect(m.effects("save")).to.deep.equal([{ type: "save", hardState: { term: 5, votedFor: "" } }]);
    expect(m.last.findIndex((e) => e.type === "save")).to.be.lessThan(
      m.last.findIndex((e) => e.type === "send"),
    );
  });

  it("§5.1: a term is handed to the disk before the entries that came with it", () => {
    const m = new Machine({ term: 1, log: [1, 1] });
    m.receive(1, appendFrom(2, makeLog([1, 2]), 0));
    expect(m.last.map((effect) => effect.type)).to.deep.equal(["role", "save", "truncate", "append"]);
    m.receive(2, appendFrom(3, makeLog([1, 2, 3]), 1));
    expect(m.last.map((effect) => effect.type)).to.deep.equal(["role", "save", "append"]);
  });

  it("§5.1: a new term has no vote yet", () => {
    const m = new Machine({ term: 1, votedFor: node(1) });
    m.receive(2, heartbeatOf(2));
    expect(m.raft.view.votedFor).to.equal("");
  });

  it("§5.1: entries of a newer term that outlived a crash without it raise the term, without a vote", () => {
    const m = new Machine({ term: 3, votedFor: node(1), log: [1, 5] });
    expect(m.raft.view.term).to.equal(5);
    expect(m.raft.view.votedFor).to.equal("");
    expect(m.effects("save")).to.have.length(1);
  });

  for (const [name, answer] of [
    ["AppendEntries", refusal(9, 0, -1, 0)],
    ["a heartbeat", { type: "heartbeat-result", term: 9, round: 1, matchIndex: -1 }],
    ["RequestVote", { type: "request-vote-result", term: 9, granted: false }],
    ["PreVote", { type: "pre-vote-result", term: 9, granted: false }],
  ] as const) {
    it(`§5.1: a leader that finds a larger term in the answer to ${name} becomes a follower`, () => {
      const m = new Machine();
      m.becomeReadyLeader();
      m.receive(1, answer);
      expect(m.raft.view.role).to.equal("follower");
      expect(m.raft.view.term).to.equal(9);
      expect(m.raft.view.leader).to.equal("");
      expect(m.effects("save")).to.have.length(1);
      expect(m.effects("role")).to.have.length(1);
    });
  }

  it("§5.1: a candidate that finds a larger term becomes a follower of it", () => {
    const m = new Machine();
    m.becomeCandidate();
    m.receive(1, { type: "request-vote-result", term: 7, granted: false });
    expect(m.raft.view.role).to.equal("follower");
    expect(m.raft.view.term).to.equal(7);
    // The timer still runs: it will campaign again.
    expect(m.raft.deadline()).to.be.finite;
  });

  it("§5.1: AppendEntries and heartbeats of an older term are refused with the newer one, and change nothing", () => {
    const m = new Machine({ term: 5, log: [1, 1] });
    const deadline = m.raft.deadline();
    m.now += 1_000;
    m.receive(1, appendFrom(4, makeLog([1, 1, 4]), 1, 2));
    expect(m.raft.view.lastIndex).to.equal(1);
    expect(m.raft.view.commitIndex).to.equal(-1);
    expect(m.sent("append-entries-result")).to.deep.include.members([
      { ...refusal(5, 1, 1, 1), to: node(1) },
    ]);
    m.receive(1, heartbeatOf(4, 1));
    expect(m.sent("heartbeat-result")[0]).to.include({ term: 5, matchIndex: -1 });
    expect(m.raft.view.leader).to.equal("");
    expect(m.raft.view.commitIndex).to.equal(-1);
    expect(m.raft.deadline()).to.equal(deadline);
  });

  it("§5.1: RequestVote of an older term is refused with the newer one", () => {
    const m = new Machine({ term: 5 });
    m.receive(1, requestVote(4, 9, 4));
    expect(m.sent("request-vote-result")).to.deep.equal([
      { type: "request-vote-result", term: 5, granted: false, to: node(1) },
    ]);
    expect(m.raft.view.votedFor).to.equal("");
  });

  it("§5.1: answers of an older term never count", () => {
    const m = new Machine({ term: 1 });
    m.becomeCandidate();
    m.saved();
    m.receive(1, { type: "request-vote-result", term: 1, granted: true });
    expect(m.raft.view.role).to.equal("candidate");
    m.receive(1, { type: "request-vote-result", term: 2, granted: true });
    expect(m.raft.view.role).to.equal("leader");
    m.synced();
    m.receive(1, {
      type: "append-entries-result",
      term: 1,
      accepted: true,
      matchIndex: 0,
      rejectedIndex: -1,
      hintIndex: -1,
      hintTerm: 0,
    });
    expect(m.raft.view.commitIndex).to.equal(-1);
    m.accept(1, 0);
    expect(m.raft.view.commitIndex).to.equal(0);
  });

  it("§5.1: messages of nodes that are no voters are ignored", () => {
    const m = new Machine({ term: 1 });
    expect(m.receive(9, heartbeatOf(5))).to.deep.equal([]);
    expect(m.receive(0, heartbeatOf(5))).to.deep.equal([]);
    expect(m.raft.view.term).to.equal(1);
  });
});
