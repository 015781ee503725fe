import { expect } from "chai";
import fc from "fast-check";
import {
  appendFrom,
  electionMax,
  electionMin,
  heartbeat,
  heartbeatOf,
  Machine,
  makeLog,
  node,
  refusal,
  requestVote,
} from "../support/raft-machine.ts";

describe("Raft §5.2, leader election", () => {
  it("§5.2: a follower that hears nobody for its election timeout campaigns, and not before", () => {
    const m = new Machine({ draw: () => 1_234 });
    expect(m.raft.deadline()).to.equal(m.now + electionMin + 1_234);
    m.tick(electionMin + 1_233);
    expect(m.raft.view.role).to.equal("follower");
    m.tick(1);
    expect(m.raft.view.role).to.equal("pre-candidate");
  });

  it("§5.2: election timeouts are drawn anew each time, out of the whole interval", () => {
    const keys: number[] = [];
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), (draw) => {
        const m = new Machine({
          draw: (key) => {
            keys.push(key);
            return draw;
          },
        });
        const first = m.raft.deadline() - m.now;
        expect(first).to.be.within(electionMin, electionMax);
        expect(first - electionMin).to.equal(draw % (electionMax - electionMin + 1));
      }),
    );
    const m = new Machine({ draw: (key) => key * 1_000 });
    for (let i = 1; i < 5; i++) {
      m.receive(1, heartbeatOf(1));
      expect(m.raft.deadline()).to.equal(m.now + electionMin + i * 1_000);
    }
    expect(new Set(keys)).to.deep.equal(new Set([0]));
  });

  it("§5.2: a heartbeat of the current leader resets the election timer", () => {
    const m = new Machine({ term: 1 });
    m.now += 200_000;
    m.receive(1, heartbeatOf(1));
    expect(m.raft.deadline()).to.equal(m.now + electionMin);
    expect(m.raft.view.leader).to.equal(node(1));
    m.now += 200_000;
    m.receive(1, appendFrom(1, [], -1));
    expect(m.raft.deadline()).to.equal(m.now + electionMin);
  });

  it("§5.2: a candidate raises its term, votes for itself and asks everybody", () => {
    const m = new Machine({ voters: 5, term: 3, log: [1, 3] });
    m.becomeCandidate();
    expect(m.raft.view.term).to.equal(4);
    expect(m.raft.view.votedFor).to.equal(node(0));
    expect(m.effects("save")).to.deep.equal([{ type: "save", hardState: { term: 4, votedFor: node(0) } }]);
    const asked = m.sent("request-vote");
    expect(asked.map((sent) => sent.to)).to.deep.equal([node(1), node(2), node(3), node(4)]);
    for (const sent of asked)
      expect(sent).to.include({ term: 4, lastIndex: 1, lastTerm: 3, transfer: false });
    // What asks for votes leaves behind the save that it builds on.
    expect(m.last.findIndex((e) => e.type === "save")).to.be.lessThan(
      m.last.findIndex((e) => e.type === "send"),
    );
  });

  it("§5.2: its own vote counts once it is durable", () => {
    const m = new Machine();
    m.becomeCandidate();
    m.receive(1, { type: "request-vote-result", term: 1, granted: true });
    expect(m.raft.view.role).to.equal("candidate");
    expect(m.trace.of("vote")).to.deep.equal([]);
    m.saved();
    expect(m.raft.view.role).to.equal("leader");
    expect(m.trace.of("vote")).to.have.length(1);
    expect(m.trace.of("vote")[0]).to.include({ term: 1, candidate: node(0) });
  });

  it("§5.2: a vote that became durable after its term is over counts for nothing", () => {
    const m = new Machine();
    m.becomeCandidate();
    m.receive(1, heartbeatOf(2));
    m.saved();
    m.receive(1, { type: "request-vote-result", term: 1, granted: true });
    expect(m.raft.view).to.include({ role: "follower", term: 2 });
    expect(m.trace.of("vote")).to.deep.equal([]);
  });

  for (const voters of [2, 3, 5, 7]) {
    it(`§5.2: of ${voters} voters a candidate needs a majority, each counted once`, () => {
      const m = new Machine({ voters });
      m.becomeCandidate();
      m.saved();
      const needed = Math.floor(voters / 2);
      for (let i = 1; i <= needed; i++) {
        expect(m.raft.view.role, `with ${i} of ${voters} votes`).to.equal("candidate");
        m.receive(i, { type: "request-vote-result", term: 1, granted: false });
        for (let again = 1; again < i; again++) {
          m.receive(again, { type: "request-vote-result", term: 1, granted: true });
        }
        expect(m.raft.view.role, `with ${i} of ${voters} votes`).to.equal("candidate");
        m.receive(i, { type: "request-vote-result", term: 1, granted: true });
      }
      expect(m.raft.view.role).to.equal("leader");
      expect(m.raft.view.leader).to.equal(node(0));
    });
  }

  it("§5.2: a group of one elects itself at once and commits on its own sync", () => {
    const m = new Machine({ voters: 1 });
    expect(m.raft.deadline()).to.equal(m.now);
    m.tick();
    m.saved();
    expect(m.raft.view.role).to.equal("leader");
    expect(m.raft.view.commitIndex).to.equal(-1);
    m.synced();
    expect(m.raft.view.commitIndex).to.equal(0);
  });

  it("§5.2: a server votes for at most one candidate a term, first come first served", () => {
    const m = new Machine({ term: 1 });
    m.receive(1, requestVote(2, -1, 0));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true, term: 2 });
    expect(m.effects("save")).to.deep.equal([{ type: "save", hardState: { term: 2, votedFor: node(1) } }]);
    expect(m.last.findIndex((e) => e.type === "save")).to.be.lessThan(
      m.last.findIndex((e) => e.type === "send"),
    );
    m.receive(2, requestVote(2, 5, 1));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: false, term: 2 });
    // The answer may have been lost: the same candidate gets it again.
    m.receive(1, requestVote(2, -1, 0));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true, term: 2 });
    expect(m.effects("save")).to.deep.equal([]);
  });

  it("§5.2: a vote in a term that is known already is made durable as well", () => {
    const m = new Machine({ term: 2 });
    m.receive(1, requestVote(2, -1, 0));
    expect(m.effects("save")).to.deep.equal([{ type: "save", hardState: { term: 2, votedFor: node(1) } }]);
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true });
  });

  it("§5.2: nobody votes in a term whose leader it knows", () => {
    const m = new Machine({ term: 2 });
    m.receive(1, heartbeatOf(2));
    m.now += electionMax;
    m.receive(2, requestVote(2, 9, 2));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: false, term: 2 });
  });

  it("§5.2: a vote outlives a crash", () => {
    const m = new Machine({ term: 2, votedFor: node(1) });
    m.receive(2, requestVote(2, 5, 1));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: false });
    m.receive(1, requestVote(2, 5, 1));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true });
  });

  it("§5.2: granting a vote resets the election timer, refusing one does not", () => {
    const m = new Machine({ term: 1, log: [1] });
    const deadline = m.raft.deadline();
    m.now += 100_000;
    m.receive(1, requestVote(2, -1, 0));
    expect(m.raft.view.term).to.equal(2);
    expect(m.raft.deadline()).to.equal(deadline);
    m.receive(2, requestVote(2, 0, 1));
    expect(m.raft.deadline()).to.equal(m.now + electionMin);
  });

  it("§5.2: a candidate that hears a leader of its own or a later term follows it", () => {
    for (const term of [1, 2]) {
      const m = new Machine();
      m.becomeCandidate();
      m.saved();
      m.receive(2, heartbeatOf(term));
      expect(m.raft.view.role).to.equal("follower");
      expect(m.raft.view.leader).to.equal(node(2));
      m.receive(1, { type: "request-vote-result", term: 1, granted: true });
      expect(m.raft.view.role).to.equal("follower");
    }
  });

  it("§5.2: a candidate that follows another leader of its term has checked nothing against that one's log yet", () => {
    const m = new Machine({ term: 1 });
    m.receive(1, appendFrom(1, makeLog([1, 1, 1, 1]), -1));
    m.synced();
    m.becomeCandidate();
    m.receive(2, heartbeatOf(2, 3));
    expect(m.sent("heartbeat-result")[0]).to.include({ term: 2, matchIndex: -1 });
    expect(m.raft.view.commitIndex).to.equal(-1);
    m.receive(2, appendFrom(2, makeLog([1, 2]), 0));
    m.synced();
    expect(m.sent("append-entries-result")[0]).to.include({ accepted: true, matchIndex: 1 });
  });

  it("§5.2: a candidate that hears a leader of an earlier term goes on", () => {
    const m = new Machine({ term: 4 });
    m.becomeCandidate();
    m.receive(2, appendFrom(4, makeLog([4]), -1));
    expect(m.raft.view.role).to.equal("candidate");
    expect(m.sent("append-entries-result")[0]).to.include({ term: 5, accepted: false });
  });

  it("§5.2: a split vote ends with a new timeout and a new term", () => {
    const m = new Machine({ draw: (key) => key * 777 });
    m.becomeCandidate();
    m.saved();
    const first = m.raft.deadline() - m.now;
    expect(first).to.be.within(electionMin, electionMax);
    m.becomeCandidate();
    expect(m.raft.view.term).to.equal(2);
    expect(m.raft.deadline() - m.now).to.be.greaterThan(first);
    m.saved();
    // Votes of the campaign before do not help this one.
    m.receive(1, { type: "request-vote-result", term: 1, granted: true });
    expect(m.raft.view.role).to.equal("candidate");
  });

  it("§5.2: a leader sends heartbeats at once and then at each interval", () => {
    const m = new Machine();
    const won = m.becomeLeader();
    expect(m.sent("heartbeat", won).map((sent) => sent.to)).to.deep.equal([node(1), node(2)]);
    expect(m.raft.deadline()).to.equal(m.now + heartbeat);
    for (let round = 2; round < 5; round++) {
      m.accept(1, -1);
      m.tick(heartbeat);
      expect(m.sent("heartbeat").map((sent) => [sent.to, sent.round])).to.deep.equal([
        [node(1), round],
        [node(2), round],
      ]);
    }
  });

  it("§5.2: a term has at most one leader", () => {
    const m = new Machine();
    m.becomeLeader();
    expect(() => m.receive(1, heartbeatOf(1))).to.throw(/at most one leader/);
  });

  it("§5.2: a node whose data is lost or damaged neither votes nor campaigns, but follows", () => {
    const m = new Machine({ term: 1 });
    m.step({ type: "participation", now: m.now, participation: "none" });
    m.receive(1, requestVote(2, 3, 1));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: false, term: 2 });
    m.receive(1, { type: "pre-vote", term: 3, lastIndex: 3, lastTerm: 1 });
    expect(m.sent("pre-vote-result")[0]).to.include({ granted: false });
    m.tick(electionMax * 2);
    expect(m.raft.view.role).to.equal("follower");
    expect(m.effects("send")).to.deep.equal([]);
    m.receive(1, heartbeatOf(2));
    m.receive(1, { type: "timeout-now", term: 2 });
    expect(m.raft.view).to.include({ role: "follower", leader: node(1) });
    m.tick(electionMax * 2);
    expect(m.raft.view, "without its leader it knows none").to.include({ role: "follower", leader: "" });
    expect(m.raft.deadline()).to.be.greaterThan(m.now);
    m.receive(1, appendFrom(2, makeLog([2, 2]), -1));
    expect(m.effects("append")).to.have.length(1);
    m.synced();
    expect(m.sent("append-entries-result")[0]).to.include({ accepted: true, matchIndex: 1 });
  });

  it("§5.2: a leader or candidate that may not take part any more steps down", () => {
    const leader = new Machine();
    leader.becomeLeader();
    leader.step({ type: "participation", now: leader.now, participation: "none" });
    expect(leader.raft.view.role).to.equal("follower");
    expect(leader.effects("role")).to.have.length(1);
    expect(leader.raft.view.termStart).to.equal(-1);
    const candidate = new Machine();
    candidate.becomeCandidate();
    candidate.step({ type: "participation", now: candidate.now, participation: "none" });
    candidate.saved();
    candidate.receive(1, { type: "request-vote-result", term: 1, granted: true });
    expect(candidate.raft.view.role).to.equal("follower");
  });

  it("§5.2: the vote of a peer that does not count elects nobody, and nobody votes for it", () => {
    const m = new Machine({ voters: 3 });
    m.step({ type: "peer-counts", now: m.now, peer: node(1), counts: false });
    m.tick(electionMin);
    m.receive(1, { type: "pre-vote-result", term: 1, granted: true });
    expect(m.raft.view.role).to.equal("pre-candidate");
    m.receive(2, { type: "pre-vote-result", term: 1, granted: true });
    m.saved();
    m.receive(1, { type: "request-vote-result", term: 1, granted: true });
    expect(m.raft.view.role).to.equal("candidate");
    const other = new Machine({ term: 1 });
    other.step({ type: "peer-counts", now: other.now, peer: node(1), counts: false });
    for (const term of [1, 2]) {
      other.receive(1, requestVote(term, 5, 1));
      expect(other.sent("request-vote-result")[0]).to.include({ granted: false, term: 1 });
    }
    expect(other.raft.view.term).to.equal(1);
    other.receive(1, { type: "pre-vote", term: 2, lastIndex: 5, lastTerm: 1 });
    expect(other.sent("pre-vote-result")[0]).to.include({ granted: false });
    other.step({ type: "peer-counts", now: other.now, peer: node(1), counts: true });
    other.receive(1, requestVote(2, 5, 1));
    expect(other.sent("request-vote-result")[0]).to.include({ granted: true, term: 2 });
  });

  it("§5.2: a lost connection to the leader is a reason to ask soon", () => {
    const m = new Machine({ term: 1, draw: () => 20_000 });
    m.receive(1, heartbeatOf(1));
    m.step({ type: "peer-lost", now: m.now, peer: node(2) });
    expect(m.raft.deadline()).to.equal(m.now + electionMin + 20_000);
    m.step({ type: "peer-lost", now: m.now, peer: node(1) });
    expect(m.raft.deadline()).to.equal(m.now + 20_000);
    m.tick(20_000);
    expect(m.raft.view.role).to.equal("pre-candidate");
  });
});

describe("Dissertation §6.2, check-quorum", () => {
  it("§6.2: a leader that a majority has not answered for an election timeout steps down, in its own term", () => {
    const m = new Machine({ voters: 5 });
    m.becomeReadyLeader();
    const start = m.now;
    m.now += 100_000;
    m.receive(1, { type: "heartbeat-result", term: 1, round: 1, matchIndex: 0 });
    m.now += 100_000;
    m.receive(2, refusal(1, 0, -1, 0));
    m.now = start + 100_000 + electionMax - 1;
    m.tick();
    expect(m.raft.view.role).to.equal("leader");
    m.tick(1);
    expect(m.raft.view.role).to.equal("follower");
    expect(m.raft.view.term).to.equal(1);
    expect(m.raft.view.leader).to.equal("");
    expect(m.trace.of("role").at(-1)?.reason).to.equal("check-quorum");
    expect(m.raft.deadline(), "its election timer runs again").to.equal(m.now + electionMin);
  });

  it("§6.2: answers of a peer that does not count keep nobody in office", () => {
    const m = new Machine({ voters: 3 });
    m.becomeReadyLeader();
    m.step({ type: "peer-counts", now: m.now, peer: node(1), counts: false });
    for (let i = 0; i < 10 && m.raft.view.role === "leader"; i++) {
      m.tick(heartbeat);
      if (m.raft.view.role === "leader")
        m.receive(1, { type: "heartbeat-result", term: 1, round: i, matchIndex: 0 });
    }
    expect(m.raft.view.role).to.equal("follower");
  });

  it("§6.2: a leader of a group of one stays", () => {
    const m = new Machine({ voters: 1 });
    m.tick();
    m.saved();
    for (let i = 0; i < 5; i++) m.tick(electionMax);
    expect(m.raft.view.role).to.equal("leader");
  });
});

describe("Dissertation §4.2.3, disruptive servers", () => {
  it("§4.2.3: a server that heard its leader within the minimum election timeout keeps term and vote", () => {
    const m = new Machine({ term: 1 });
    m.receive(1, heartbeatOf(1));
    m.now += electionMin - 1;
    expect(m.receive(2, requestVote(7, 9, 1))).to.deep.equal([]);
    expect(m.raft.view.term).to.equal(1);
    m.now += 1;
    m.receive(2, requestVote(7, 9, 1));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true, term: 7 });
  });

  it("§4.2.3: a leader itself is not disturbed by a candidate that nobody needs", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    expect(m.receive(2, requestVote(7, 9, 1))).to.deep.equal([]);
    expect(m.raft.view.role).to.equal("leader");
  });

  it("§4.2.3: a lost connection to the leader ends the loyalty to it", () => {
    const m = new Machine({ term: 1 });
    m.receive(1, heartbeatOf(1));
    m.step({ type: "peer-lost", now: m.now, peer: node(1) });
    m.receive(2, requestVote(2, 9, 1));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true });
  });
});
