import { expect } from "chai";
import { electionMax, heartbeat, Machine, makeLog, node, refusal } from "../support/raft-machine.ts";
import { RaftNetwork } from "../support/raft-network.ts";

describe("Raft §5.3, bringing logs to agree", () => {
  it("§5.3: the leader begins with nextIndex behind its log and steps back on a refusal, over whole terms", () => {
    const m = new Machine({ term: 6, log: [1, 1, 1, 4, 4, 5, 5, 6, 6] });
    const won = m.becomeLeader();
    expect(m.sent("append-entries", won)[0]).to.include({ prevIndex: 8, prevTerm: 6 });
    // Figure 7 (f): 1 1 1 2 2 2 3 3 3 3 3. Its last index of a term up to 6 is its end, cut to prevIndex.
    m.receive(1, refusal(7, 8, 8, 3));
    expect(m.effects("load"), "what left memory is read").to.deep.equal([
      { type: "load", peer: node(1), first: 3, bytes: 1 },
    ]);
    const log = [...m.log];
    const entry = log[3];
    if (entry === undefined) throw new Error("entry 3");
    const before = { index: 2, term: 1, chainCrc: log[2]?.chainCrc ?? 0, pos: entry.pos };
    m.step({ type: "loaded", now: m.now, peer: node(1), before, entries: [entry] });
    expect(m.sent("append-entries")).to.have.length(1);
    expect(m.sent("append-entries")[0]).to.include({ prevIndex: 2, prevTerm: 1, prevPos: entry.pos });
    expect(m.raft.view.progress(node(1))).to.include({ state: "probe", nextIndex: 3 });
    m.accept(1, 2);
    expect(m.raft.view.progress(node(1))).to.include({ state: "load", matchIndex: 2, nextIndex: 3 });
  });

  it("§5.3: a late refusal is told from a fresh one", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a", "b");
    m.accept(1, 2);
    const before = m.raft.view.progress(node(1));
    for (const rejected of [-1, 0, 1, 2, 3]) {
      expect(m.receive(1, refusal(1, rejected, -1, 0)), `of ${rejected}`).to.deep.equal([]);
      expect(m.raft.view.progress(node(1))).to.deep.equal(before);
    }
    m.propose("c");
    m.propose("d");
    m.receive(1, refusal(1, 3, 2, 1));
    expect(m.raft.view.progress(node(1))).to.include({ state: "probe", nextIndex: 3 });
    expect(m.sent("append-entries")[0]).to.include({ prevIndex: 2 });
    expect(m.sent("append-entries")[0]?.entries).to.have.length(2);
    // While one probe is out only its own refusal matters.
    expect(m.receive(1, refusal(1, 3, 0, 1))).to.deep.equal([]);
  });

  it("§5.3: the leader never steps back behind what the follower holds", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a", "b");
    m.accept(1, 1);
    m.propose("c");
    m.receive(1, refusal(1, 2, -1, 0));
    expect(m.raft.view.progress(node(1))).to.include({ nextIndex: 2, matchIndex: 1 });
  });

  it("§5.3: what was not answered in time is sent again from the match index on", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a");
    m.propose("b");
    m.accept(1, 2);
    expect(m.raft.deadline()).to.be.at.most(m.now + 200_000);
    m.tick(199_999);
    expect(m.sent("append-entries")).to.deep.equal([]);
    m.tick(1);
    expect(m.sent("append-entries").map((sent) => sent.to)).to.deep.equal([node(2)]);
    expect(m.sent("append-entries")[0]).to.include({ prevIndex: 0 });
    expect(m.sent("append-entries")[0]?.entries).to.have.length(2);
    m.tick(200_000);
    expect(
      m.sent("append-entries").map((sent) => sent.to),
      "again and again",
    ).to.deep.equal([node(2)]);
  });

  it("§5.3: an answer to one message does not answer for those behind it", () => {
    const m = new Machine({ voters: 2 });
    m.becomeReadyLeader();
    m.propose("a");
    m.propose("b");
    m.now += 150_000;
    m.accept(1, 1);
    m.tick(199_999);
    expect(m.sent("append-entries")).to.deep.equal([]);
    m.tick(1);
    expect(m.sent("append-entries")[0]).to.include({ prevIndex: 1 });
    expect(m.sent("append-entries")[0]?.entries).to.have.length(1);
  });

  it("§5.3: a silent follower is asked without entries", () => {
    const m = new Machine({ voters: 3 });
    m.becomeReadyLeader();
    m.propose("a");
    for (let passed = 0; passed < electionMax; passed += heartbeat) {
      m.tick(heartbeat);
      m.receive(1, { type: "heartbeat-result", term: 1, round: 1, matchIndex: 1 });
    }
    m.tick(200_000);
    expect(m.sent("append-entries").map((sent) => [sent.to, sent.entries.length])).to.deep.equal([
      [node(2), 0],
    ]);
  });

  it("§5.3: a follower that restarted on an idle group is asked again where the logs agree", () => {
    const network = new RaftNetwork(3);
    const leader = network.elect();
    network.propose(leader, "a", "b");
    network.advance(200_000);
    const follower = network.members.find((member) => member !== leader);
    if (follower === undefined) throw new Error("three members");
    network.crash(follower);
    network.restart(follower);
    network.advance(200_000);
    expect(follower.commitIndex).to.equal(leader.commitIndex);
    expect(leader.raft.view.term).to.equal(follower.raft.view.term);
  });

  it("§5.3: a connection that is up again is used at once, from the match index on", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a");
    m.step({ type: "peer-lost", now: m.now, peer: node(1) });
    expect(m.effects("send")).to.deep.equal([]);
    expect(m.raft.view.progress(node(1))).to.include({ state: "probe", nextIndex: 1 });
    m.propose("b");
    expect(m.sent("append-entries").map((sent) => sent.to)).to.deep.equal([node(2)]);
    m.step({ type: "peer-up", now: m.now, peer: node(1) });
    expect(m.sent("append-entries")[0]).to.include({ prevIndex: 0, to: node(1) });
    expect(m.sent("append-entries")[0]?.entries).to.have.length(2);
  });

  it("§5.3: every follower ends with the leader's log, whatever it held before (figure 7)", () => {
    const shapes = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 1, 4],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 1, 4, 4, 4, 4],
      [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    const network = new RaftNetwork(7);
    const terms = [[1, 1, 1, 4, 4, 5, 5, 6, 6, 6], ...shapes];
    network.members.forEach((member, i) => {
      network.crash(member);
      member.durable = makeLog(terms[i] ?? []);
      member.hardState = { term: 7, votedFor: "" };
      network.restart(member);
    });
    const leader = network.elect();
    network.propose(leader, "x");
    network.advance(500_000);
    for (const member of network.members) {
      expect(member.log.map((entry) => entry.chainCrc)).to.deep.equal(
        leader.log.map((entry) => entry.chainCrc),
      );
      expect(member.commitIndex).to.equal(leader.log.length - 1);
    }
  });
});
