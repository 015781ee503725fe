import { expect } from "chai";
import { heartbeat, heartbeatOf, Machine, node } from "../support/raft-machine.ts";
import { RaftNetwork } from "../support/raft-network.ts";

function read(m: Machine, request: number): void {
  m.step({ type: "read", now: m.now, request });
}

function answer(m: Machine, from: number, round: number): void {
  m.receive(from, {
    type: "heartbeat-result",
    term: m.raft.view.term,
    round,
    matchIndex: m.raft.view.lastIndex,
  });
}

describe("Raft §8, client interaction: the no-op", () => {
  it("§8: a leader begins its term with a blank no-op", () => {
    const m = new Machine({ term: 2, log: [1, 2] });
    const won = m.becomeLeader();
    const [append] = m.effects("append", won);
    expect(append?.entries).to.have.length(1);
    expect(append?.entries[0]).to.include({ kind: "no-op", index: 2, term: 3 });
    expect(m.raft.view.termStart).to.equal(2);
    expect(m.sent("append-entries", won).map((sent) => sent.entries.length)).to.deep.equal([1, 1]);
  });
});

describe("Raft §8 and dissertation §6.4, linearizable reads without a log entry", () => {
  it("§8: a leader answers no read before it committed an entry of its term", () => {
    const m = new Machine({ term: 1, log: [1] });
    m.becomeLeader();
    read(m, 7);
    expect(m.last).to.deep.equal([]);
    m.receive(1, { type: "heartbeat-result", term: 2, round: 1, matchIndex: -1 });
    expect(m.effects("read-ready")).to.deep.equal([]);
    m.accept(1, 1);
    m.synced();
    expect(m.raft.view.commitIndex).to.equal(1);
    const round = m.sent("heartbeat")[0]?.round ?? 0;
    expect(round).to.equal(2);
    answer(m, 2, 1);
    expect(m.effects("read-ready")).to.deep.equal([]);
    answer(m, 2, 2);
    expect(m.effects("read-ready")).to.deep.equal([{ type: "read-ready", request: 7, index: 1 }]);
  });

  it("§6.4: a read waits until a majority has answered a heartbeat round that began after it", () => {
    const m = new Machine({ voters: 5 });
    m.becomeReadyLeader();
    answer(m, 1, 1);
    read(m, 1);
    expect(m.sent("heartbeat").map((sent) => sent.round)).to.deep.equal([2, 2, 2, 2]);
    for (const peer of [1, 2, 3, 4]) {
      answer(m, peer, 1);
      expect(m.effects("read-ready"), "of the round before").to.deep.equal([]);
    }
    answer(m, 3, 2);
    answer(m, 3, 2);
    expect(m.effects("read-ready"), "one voter counts once").to.deep.equal([]);
    answer(m, 4, 2);
    expect(m.effects("read-ready")).to.deep.equal([{ type: "read-ready", request: 1, index: 0 }]);
    expect(m.trace.of("read")[0]).to.include({ term: 1, index: 0 });
  });

  it("§6.4: a late answer to an earlier round takes nothing back", () => {
    const m = new Machine({ voters: 5 });
    m.becomeReadyLeader();
    read(m, 1);
    answer(m, 1, 2);
    answer(m, 1, 1);
    answer(m, 2, 2);
    expect(m.effects("read-ready")).to.have.length(1);
  });

  it("§6.4: a read that comes while a round is out waits for the next one, and many share one", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    read(m, 1);
    for (const request of [2, 3, 4]) {
      read(m, request);
      expect(m.effects("send"), "no round of its own").to.deep.equal([]);
    }
    answer(m, 1, 2);
    expect(m.effects("read-ready").map((ready) => ready.request)).to.deep.equal([1]);
    expect(m.sent("heartbeat").map((sent) => sent.round)).to.deep.equal([3, 3]);
    answer(m, 2, 2);
    expect(m.effects("read-ready")).to.deep.equal([]);
    answer(m, 2, 3);
    expect(m.effects("read-ready").map((ready) => ready.request)).to.deep.equal([2, 3, 4]);
  });

  it("§6.4: a read is answered with the commit index of the moment it came", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    read(m, 1);
    m.propose("a");
    m.synced();
    m.accept(1, 1);
    answer(m, 1, 2);
    expect(m.effects("read-ready")).to.deep.equal([{ type: "read-ready", request: 1, index: 0 }]);
    read(m, 2);
    answer(m, 1, 3);
    expect(m.effects("read-ready")).to.deep.equal([{ type: "read-ready", request: 2, index: 1 }]);
  });

  it("§6.4: a read does not wait for what is appended and not committed", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a");
    read(m, 1);
    m.receive(1, { type: "heartbeat-result", term: 1, round: 2, matchIndex: 0 });
    expect(m.effects("read-ready")).to.deep.equal([{ type: "read-ready", request: 1, index: 0 }]);
  });

  it("§6.4: when the answers of a round are lost the next heartbeats confirm", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    read(m, 1);
    read(m, 2);
    m.tick(heartbeat);
    expect(m.sent("heartbeat")[0]?.round).to.equal(3);
    answer(m, 2, 3);
    expect(m.effects("read-ready").map((ready) => ready.request)).to.deep.equal([1, 2]);
  });

  it("§6.4: an answer to a round that was never begun confirms nothing", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    read(m, 1);
    answer(m, 1, 99);
    expect(m.effects("read-ready")).to.deep.equal([]);
  });

  it("§6.4: the answers of a peer that does not count confirm nothing", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.step({ type: "peer-counts", now: m.now, peer: node(1), counts: false });
    read(m, 1);
    answer(m, 1, 2);
    expect(m.effects("read-ready")).to.deep.equal([]);
    answer(m, 2, 2);
    expect(m.effects("read-ready")).to.have.length(1);
  });

  it("§6.4: a group of one answers at once", () => {
    const m = new Machine({ voters: 1 });
    m.tick();
    m.saved();
    m.synced();
    read(m, 1);
    expect(m.last).to.deep.equal([{ type: "read-ready", request: 1, index: 0 }]);
  });

  it("§6.4: a leader that steps down refuses the reads that wait", () => {
    const early = new Machine();
    early.becomeLeader();
    read(early, 1);
    early.receive(1, heartbeatOf(2));
    expect(early.effects("read-failed")).to.deep.equal([
      { type: "read-failed", request: 1, code: "not-leader" },
    ]);
    const m = new Machine();
    m.becomeReadyLeader();
    read(m, 1);
    read(m, 2);
    m.receive(2, { type: "read-index", term: 1, request: 5 });
    m.receive(1, heartbeatOf(2));
    expect(m.effects("read-failed").map((failed) => failed.request)).to.deep.equal([1, 2]);
    expect(m.sent("read-index-result")).to.deep.equal([
      { type: "read-index-result", term: 2, request: 5, index: -1, to: node(2) },
    ]);
    answer(m, 1, 2);
    expect(m.effects("read-ready")).to.deep.equal([]);
  });

  it("§6.4: waiting reads are bounded", () => {
    const m = new Machine({ config: { pendingReadsMax: 2 } });
    m.becomeReadyLeader();
    read(m, 1);
    read(m, 2);
    read(m, 3);
    expect(m.last).to.deep.equal([{ type: "read-failed", request: 3, code: "pending-full" }]);
    m.receive(1, { type: "read-index", term: 1, request: 8 });
    expect(m.sent("read-index-result")[0]).to.include({ request: 8, index: -1 });
    answer(m, 1, 2);
    answer(m, 1, 3);
    read(m, 4);
    expect(m.effects("read-failed")).to.deep.equal([]);
    const follower = new Machine({ term: 1, config: { pendingReadsMax: 2 } });
    follower.receive(1, heartbeatOf(1));
    for (const request of [1, 2, 3]) read(follower, request);
    expect(follower.last).to.deep.equal([{ type: "read-failed", request: 3, code: "pending-full" }]);
  });
});

describe("Dissertation §6.4, reads at followers", () => {
  it("§6.4: a follower asks its leader for a read index, and the leader confirms it as its own reads", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.receive(2, { type: "read-index", term: 1, request: 5 });
    expect(m.sent("read-index-result")).to.deep.equal([]);
    expect(m.sent("heartbeat")).to.have.length(2);
    answer(m, 1, 2);
    expect(m.sent("read-index-result")).to.deep.equal([
      { type: "read-index-result", term: 1, request: 5, index: 0, to: node(2) },
    ]);
  });

  it("§6.4: reads that come while the question is out are asked in the next one", () => {
    const m = new Machine({ term: 1 });
    m.receive(1, heartbeatOf(1));
    read(m, 1);
    const [first] = m.sent("read-index");
    expect(first).to.include({ to: node(1), term: 1 });
    read(m, 2);
    read(m, 3);
    expect(m.effects("send")).to.deep.equal([]);
    m.receive(1, { type: "read-index-result", term: 1, request: first?.request ?? 0, index: 4 });
    expect(m.effects("read-ready")).to.deep.equal([{ type: "read-ready", request: 1, index: 4 }]);
    const [second] = m.sent("read-index");
    expect(second?.request).to.be.greaterThan(first?.request ?? 0);
    m.receive(1, { type: "read-index-result", term: 1, request: first?.request ?? 0, index: 4 });
    expect(m.effects("read-ready"), "an answer to the question before").to.deep.equal([]);
    m.receive(2, { type: "read-index-result", term: 1, request: second?.request ?? 0, index: 5 });
    expect(m.effects("read-ready"), "not of its leader").to.deep.equal([]);
    m.receive(1, { type: "read-index-result", term: 1, request: second?.request ?? 0, index: 6 });
    expect(m.effects("read-ready").map((ready) => [ready.request, ready.index])).to.deep.equal([
      [2, 6],
      [3, 6],
    ]);
  });

  it("§6.4: a question whose answer is lost is asked again, and given up in the end", () => {
    const m = new Machine({ term: 1, draw: () => 299_999 });
    m.receive(1, heartbeatOf(1));
    read(m, 1);
    const [first] = m.sent("read-index");
    const asked = m.now;
    expect(m.raft.deadline()).to.equal(m.now + heartbeat);
    m.tick(heartbeat);
    expect(m.sent("read-index")).to.deep.equal([first]);
    m.receive(1, heartbeatOf(1));
    m.now = asked + 600_000;
    m.tick();
    expect(m.effects("read-failed")).to.deep.equal([
      { type: "read-failed", request: 1, code: "unavailable" },
    ]);
  });

  it("§6.4: without a leader, or when it changes or refuses, a read fails", () => {
    const m = new Machine({ term: 1 });
    read(m, 1);
    expect(m.last).to.deep.equal([{ type: "read-failed", request: 1, code: "unavailable" }]);
    m.receive(1, heartbeatOf(1));
    read(m, 2);
    read(m, 3);
    m.receive(2, heartbeatOf(2));
    expect(m.effects("read-failed")).to.deep.equal([
      { type: "read-failed", request: 2, code: "not-leader" },
      { type: "read-failed", request: 3, code: "not-leader" },
    ]);
    read(m, 4);
    const [question] = m.sent("read-index");
    m.receive(2, { type: "read-index-result", term: 2, request: question?.request ?? 0, index: -1 });
    expect(m.effects("read-failed")).to.deep.equal([
      { type: "read-failed", request: 4, code: "unavailable" },
    ]);
  });

  it("§6.4: a late answer to a question of the life before a restart is told apart", () => {
    const before = new Machine({ term: 1 });
    before.receive(1, heartbeatOf(1));
    read(before, 1);
    const [old] = before.sent("read-index");
    const m = new Machine({ term: 1 });
    m.now = before.now + 1;
    m.receive(1, heartbeatOf(1));
    read(m, 2);
    m.receive(1, { type: "read-index-result", term: 1, request: old?.request ?? 0, index: 3 });
    expect(m.effects("read-ready")).to.deep.equal([]);
  });

  it("§6.4: a node that does not lead refuses a peer's read", () => {
    const m = new Machine({ term: 1 });
    m.receive(2, { type: "read-index", term: 1, request: 5 });
    expect(m.sent("read-index-result")).to.deep.equal([
      { type: "read-index-result", term: 1, request: 5, index: -1, to: node(2) },
    ]);
  });

  it("§6.4: an old leader in a minority answers no read", () => {
    const network = new RaftNetwork(3);
    const old = network.elect();
    network.link = (from, to) => from !== old.id && to !== old.id;
    old.answers = [];
    network.step(old, { type: "read", now: network.now, request: 1 });
    network.advance(2_000_000);
    expect(old.answers.filter((effect) => effect.type === "read-ready")).to.deep.equal([]);
    expect(old.answers).to.deep.include({ type: "read-failed", request: 1, code: "not-leader" });
  });
});
