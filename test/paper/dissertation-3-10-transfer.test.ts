import { expect } from "chai";
import type { NodeId } from "#core/base/brand";
import { heartbeat, heartbeatOf, Machine, node, requestVote } from "../support/raft-machine.ts";
import { RaftNetwork } from "../support/raft-network.ts";

function transfer(m: Machine, to: number | string): void {
  m.step({
    type: "transfer",
    now: m.now,
    request: 9,
    to: typeof to === "number" ? node(to) : (to as NodeId),
  });
}

describe("Dissertation §3.10, leadership transfer", () => {
  it("§3.10: a target that is up to date is told to campaign at once", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    transfer(m, 1);
    expect(m.sent("timeout-now")).to.deep.equal([{ type: "timeout-now", term: 1, to: node(1) }]);
    expect(m.raft.view.transferee).to.equal(node(1));
    expect(m.trace.of("transfer").map((event) => event.change)).to.deep.equal(["begun", "sent"]);
  });

  it("§3.10: a target that is behind is brought up to date first", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a");
    m.propose("b");
    m.accept(2, 2);
    transfer(m, 1);
    expect(m.sent("timeout-now")).to.deep.equal([]);
    m.accept(1, 1);
    expect(m.sent("timeout-now")).to.deep.equal([]);
    m.accept(1, 2);
    expect(m.sent("timeout-now")).to.have.length(1);
  });

  it("§3.10: meanwhile the leader takes no proposals", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    transfer(m, 1);
    m.propose("a");
    expect(m.last).to.deep.equal([{ type: "propose-failed", request: 1, code: "leader-transferring" }]);
  });

  it("§3.10: TimeoutNow is sent again while nothing happens, and the transfer is given up in the end", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    const begun = m.now;
    transfer(m, 1);
    expect(m.raft.deadline()).to.equal(m.now + heartbeat);
    m.tick(heartbeat);
    expect(m.sent("timeout-now")).to.have.length(1);
    while (m.now < begun + 1_000_000 - heartbeat) {
      m.tick(heartbeat);
      for (const peer of [1, 2])
        m.receive(peer, { type: "heartbeat-result", term: 1, round: 1, matchIndex: 0 });
    }
    m.now = begun + 999_999;
    m.tick();
    expect(m.effects("transferred")).to.deep.equal([]);
    m.tick(1);
    expect(m.effects("transferred")).to.deep.equal([
      { type: "transferred", request: 9, code: "transfer-failed" },
    ]);
    expect(m.raft.view.transferee).to.equal("");
    m.propose("a");
    expect(m.effects("proposed")).to.have.length(1);
    expect(m.trace.of("transfer").at(-1)?.change).to.equal("failed");
  });

  it("§3.10: the target campaigns without pre-vote and says why", () => {
    const m = new Machine({ term: 3, log: [3] });
    m.receive(1, heartbeatOf(3));
    m.receive(1, { type: "timeout-now", term: 3 });
    expect(m.raft.view).to.include({ role: "candidate", term: 4 });
    expect(m.sent("request-vote")[0]).to.include({ term: 4, transfer: true, lastIndex: 0, lastTerm: 3 });
    // A second one, late, does not start another election.
    m.receive(1, { type: "timeout-now", term: 3 });
    expect(m.raft.view.term).to.equal(4);
    // The old leader's heartbeats do not stop it.
    m.receive(1, heartbeatOf(3));
    expect(m.raft.view).to.include({ role: "candidate", term: 4 });
  });

  it("§3.10: only the leader's TimeoutNow is obeyed", () => {
    const m = new Machine({ term: 3 });
    m.receive(1, heartbeatOf(3));
    m.receive(2, { type: "timeout-now", term: 3 });
    m.receive(1, { type: "timeout-now", term: 2 });
    expect(m.raft.view).to.include({ role: "follower", term: 3 });
  });

  it("§3.10: a campaign that the leader asked for is heard in spite of a live leader", () => {
    const m = new Machine({ term: 3 });
    m.receive(1, heartbeatOf(3));
    m.receive(2, requestVote(4, 5, 3, true));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true, term: 4 });
    const leader = new Machine();
    leader.becomeReadyLeader();
    transfer(leader, 1);
    leader.receive(1, requestVote(2, 0, 1, true));
    expect(leader.raft.view).to.include({ role: "follower", term: 2, votedFor: node(1) });
    // That the target asks for votes does not make it the leader yet.
    expect(leader.effects("transferred")).to.deep.equal([]);
    leader.receive(1, heartbeatOf(2));
    expect(leader.effects("transferred")).to.deep.equal([{ type: "transferred", request: 9, code: "ok" }]);
    expect(leader.trace.of("transfer").at(-1)?.change).to.equal("done");
  });

  it("§3.10: even then a log that is behind gets no vote", () => {
    const m = new Machine({ term: 3, log: [3, 3] });
    m.receive(1, heartbeatOf(3));
    m.receive(2, requestVote(4, 0, 3, true));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: false, term: 4 });
  });

  it("§3.10: requests that cannot be met are answered at once", () => {
    const m = new Machine();
    transfer(m, 1);
    expect(m.last).to.deep.equal([{ type: "transferred", request: 9, code: "not-leader" }]);
    m.becomeReadyLeader();
    for (const [to, code] of [
      [0, "ok"],
      ["n8", "unknown-node"],
    ] as const) {
      transfer(m, to);
      expect(m.last).to.deep.equal([{ type: "transferred", request: 9, code }]);
    }
    m.step({ type: "peer-counts", now: m.now, peer: node(1), counts: false });
    transfer(m, 1);
    expect(m.last).to.deep.equal([{ type: "transferred", request: 9, code: "transfer-failed" }]);
    transfer(m, 2);
    transfer(m, 2);
    expect(m.last).to.deep.equal([{ type: "transferred", request: 9, code: "leader-transferring" }]);
  });

  it("§3.10: a target that does not answer is refused quickly", () => {
    const m = new Machine({ voters: 3 });
    m.becomeReadyLeader();
    for (let i = 0; i < 9; i++) {
      m.tick(heartbeat);
      m.receive(2, { type: "heartbeat-result", term: 1, round: 1, matchIndex: 0 });
    }
    transfer(m, 1);
    expect(m.last).to.deep.equal([{ type: "transferred", request: 9, code: "transfer-failed" }]);
    m.propose("a");
    expect(m.effects("proposed")).to.have.length(1);
  });

  it("§3.10: when somebody else takes over the transfer has failed", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    transfer(m, 1);
    m.receive(2, heartbeatOf(5));
    expect(m.effects("transferred")).to.deep.equal([
      { type: "transferred", request: 9, code: "transfer-failed" },
    ]);
  });

  for (const voters of [2, 3, 5]) {
    it(`§3.10: leadership moves where it is sent, under load, with ${voters} voters`, () => {
      const network = new RaftNetwork(voters);
      let leader = network.elect();
      for (let i = 0; i < voters * 2; i++) {
        const to = network.member(i % voters);
        network.propose(leader, `before ${i}`);
        leader.answers = [];
        network.step(leader, { type: "transfer", now: network.now, request: i, to: to.id });
        network.advance(50_000);
        expect(to.role).to.equal("leader");
        expect(leader.answers).to.deep.include({ type: "transferred", request: i, code: "ok" });
        leader = to;
      }
      network.advance(1_000_000);
      for (const member of network.members) expect(member.commitIndex).to.equal(leader.log.length - 1);
    });
  }
});
