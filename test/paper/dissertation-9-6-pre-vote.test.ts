import { expect } from "chai";
import type { PreVote } from "#core/raft/message";
import { electionMin, heartbeatOf, Machine, node } from "../support/raft-machine.ts";
import { RaftNetwork } from "../support/raft-network.ts";

function preVote(term: number, lastIndex: number, lastTerm: number): PreVote {
  return { type: "pre-vote", term, lastIndex, lastTerm };
}

describe("Dissertation §9.6, pre-vote", () => {
  it("§9.6: a server raises its term only once a majority would vote for it", () => {
    const m = new Machine({ voters: 5, term: 3, log: [1, 3] });
    m.tick(electionMin);
    expect(m.raft.view).to.include({ role: "pre-candidate", term: 3, votedFor: "" });
    expect(m.effects("save")).to.deep.equal([]);
    expect(m.sent("pre-vote").map((sent) => sent.to)).to.deep.equal([node(1), node(2), node(3), node(4)]);
    for (const sent of m.sent("pre-vote")) expect(sent).to.include({ term: 4, lastIndex: 1, lastTerm: 3 });
    m.receive(1, { type: "pre-vote-result", term: 4, granted: true });
    m.receive(1, { type: "pre-vote-result", term: 4, granted: true });
    m.receive(3, { type: "pre-vote-result", term: 3, granted: false });
    expect(m.raft.view.role).to.equal("pre-candidate");
    m.receive(2, { type: "pre-vote-result", term: 4, granted: true });
    expect(m.raft.view).to.include({ role: "candidate", term: 4 });
  });

  it("§9.6: an answer to the question of another term does not count", () => {
    const m = new Machine({ term: 3 });
    m.tick(electionMin);
    m.receive(1, { type: "pre-vote-result", term: 3, granted: true });
    m.receive(1, { type: "pre-vote-result", term: 5, granted: true });
    expect(m.raft.view).to.include({ role: "pre-candidate", term: 3 });
  });

  it("§9.6: answers that come when the question is over start no campaign", () => {
    const m = new Machine({ voters: 5, term: 3 });
    m.tick(electionMin);
    m.receive(1, heartbeatOf(3));
    for (const peer of [1, 2, 3, 4]) m.receive(peer, { type: "pre-vote-result", term: 4, granted: true });
    expect(m.raft.view).to.include({ role: "follower", term: 3 });
    m.becomeReadyLeader();
    for (const peer of [1, 2, 3, 4]) m.receive(peer, { type: "pre-vote-result", term: 5, granted: true });
    expect(m.raft.view).to.include({ role: "leader", term: 4 });
  });

  it("§9.6: votes of a campaign that failed are no pre-votes of the next", () => {
    const m = new Machine({ voters: 5, term: 3 });
    m.becomeCandidate();
    m.saved();
    m.receive(1, { type: "request-vote-result", term: 4, granted: true });
    m.tick(electionMin);
    m.receive(2, { type: "pre-vote-result", term: 5, granted: true });
    expect(m.raft.view).to.include({ role: "pre-candidate", term: 4 });
  });

  it("§9.6: granting a pre-vote changes nothing at the one that grants", () => {
    const m = new Machine({ term: 3, log: [1, 3] });
    const deadline = m.raft.deadline();
    m.now += 1_000;
    m.receive(1, preVote(4, 1, 3));
    m.receive(2, preVote(9, 1, 3));
    expect(m.sent("pre-vote-result")).to.deep.equal([
      { type: "pre-vote-result", term: 9, granted: true, to: node(2) },
    ]);
    expect(m.raft.view).to.include({ role: "follower", term: 3, votedFor: "" });
    expect(m.effects("save")).to.deep.equal([]);
    expect(m.raft.deadline()).to.equal(deadline);
  });

  it("§9.6: nobody grants a pre-vote to a log that is behind", () => {
    const m = new Machine({ term: 3, log: [1, 3, 3] });
    for (const [lastIndex, lastTerm, granted] of [
      [1, 3, false],
      [9, 2, false],
      [2, 3, true],
      [3, 3, true],
      [0, 4, true],
    ] as const) {
      m.receive(1, preVote(5, lastIndex, lastTerm));
      expect(m.sent("pre-vote-result")[0], `log ${lastIndex}, ${lastTerm}`).to.include({
        granted,
        term: granted ? 5 : 3,
      });
    }
  });

  it("§9.6: nobody who hears a leader grants a pre-vote, before the minimum election timeout is over", () => {
    const m = new Machine({ term: 3 });
    m.receive(1, heartbeatOf(3));
    m.now += electionMin - 1;
    m.receive(2, preVote(4, 5, 3));
    expect(m.sent("pre-vote-result")[0]).to.include({ granted: false, term: 3 });
    m.now += 1;
    m.receive(2, preVote(4, 5, 3));
    expect(m.sent("pre-vote-result")[0]).to.include({ granted: true, term: 4 });
  });

  it("§9.6: a leader grants none", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.receive(2, preVote(2, 5, 1));
    expect(m.sent("pre-vote-result")[0]).to.include({ granted: false, term: 1 });
  });

  it("§9.6: a question of an older term is refused with the newer one, and the asker takes it over", () => {
    const m = new Machine({ term: 8 });
    m.receive(1, preVote(7, 9, 6));
    expect(m.sent("pre-vote-result")[0]).to.include({ granted: false, term: 8 });
    const behind = new Machine({ term: 6 });
    behind.tick(electionMin);
    behind.receive(1, { type: "pre-vote-result", term: 8, granted: false });
    expect(behind.raft.view).to.include({ role: "follower", term: 8 });
  });

  it("§9.6: in a term whose vote is given, only the one that got it would get it", () => {
    const m = new Machine({ term: 4, votedFor: node(1) });
    m.receive(2, preVote(4, 9, 3));
    expect(m.sent("pre-vote-result")[0]).to.include({ granted: false, term: 4 });
    m.receive(1, preVote(4, 9, 3));
    expect(m.sent("pre-vote-result")[0]).to.include({ granted: true, term: 4 });
  });

  it("§9.6: a pre-candidate that hears the leader again follows it", () => {
    const m = new Machine({ term: 3 });
    m.tick(electionMin);
    m.receive(1, heartbeatOf(3));
    m.receive(2, { type: "pre-vote-result", term: 4, granted: true });
    expect(m.raft.view).to.include({ role: "follower", term: 3, leader: node(1) });
  });

  it("§9.6: a pre-candidate that votes for somebody else gives up its own campaign", () => {
    const m = new Machine({ term: 3 });
    m.tick(electionMin);
    m.receive(1, { type: "request-vote", term: 3, lastIndex: -1, lastTerm: 0, transfer: false });
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true });
    m.receive(2, { type: "pre-vote-result", term: 4, granted: true });
    expect(m.raft.view).to.include({ role: "follower", term: 3 });
  });

  it("§9.6: a pre-candidate asks again after a new timeout", () => {
    const m = new Machine({ draw: (key) => key * 1_000 });
    m.tick(electionMin);
    expect(m.raft.deadline()).to.equal(m.now + electionMin + 1_000);
    m.tick(electionMin + 1_000);
    expect(m.sent("pre-vote")).to.have.length(2);
    expect(m.raft.view.term).to.equal(0);
  });

  it("§9.6: a partitioned server does not disturb the leader when it comes back", () => {
    const network = new RaftNetwork(3);
    const leader = network.elect();
    const { term } = leader.raft.view;
    const lonely = network.members.find((member) => member !== leader);
    network.link = (from, to) => from !== lonely?.id && to !== lonely?.id;
    network.advance(5_000_000);
    expect(lonely?.raft.view).to.include({ role: "pre-candidate", term });
    network.link = () => true;
    network.advance(1_000_000);
    expect(leader.raft.view).to.include({ role: "leader", term });
    expect(lonely?.raft.view).to.include({ role: "follower", leader: leader.id });
  });

  it("§9.6: a server whose term is ahead of its leader's rejoins the group", () => {
    const network = new RaftNetwork(3);
    const leader = network.elect();
    const ahead = network.members.find((member) => member !== leader);
    if (ahead === undefined) throw new Error("three members");
    network.crash(ahead);
    ahead.hardState = { term: 40, votedFor: "" };
    network.restart(ahead);
    network.advance(3_000_000);
    const now = network.elect();
    expect(now.raft.view.term).to.be.at.least(40);
    for (const member of network.members) expect(member.raft.view.term).to.equal(now.raft.view.term);
  });
});
