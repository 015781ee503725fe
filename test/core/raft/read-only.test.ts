import { expect } from "chai";
import {
  accepted,
  electionMax,
  heartbeatOf,
  Machine,
  node,
  requestVote,
} from "../../support/raft-machine.ts";

type Intake = "open" | "read-only" | "full";

function machine(intake: Intake, options: ConstructorParameters<typeof Machine>[0] = {}): Machine {
  const m = new Machine(options);
  m.step({ type: "intake", now: m.now, intake });
  return m;
}

/** Lets the election timer run out. */
function timeOut(m: Machine): void {
  m.now = Math.max(m.now, m.raft.deadline());
  m.tick();
}

function answerHeartbeat(m: Machine, from: number, intake?: "read-only" | "full"): void {
  const { term, lastIndex } = m.raft.view;
  const answer = { type: "heartbeat-result", term, round: 1, matchIndex: lastIndex } as const;
  m.receive(from, intake === undefined ? answer : { ...answer, intake });
}

describe("a read-only node", () => {
  for (const intake of ["read-only", "full"] as const) {
    it(`asks for pre-votes and says that it would rather not lead (${intake})`, () => {
      const m = machine(intake, { term: 3, log: [1, 3] });
      timeOut(m);
      const asked = m.sent("pre-vote");
      expect(asked).to.have.length(2);
      for (const message of asked) expect(message).to.include({ term: 4, yields: true });
      const writable = new Machine({ term: 3, log: [1, 3] });
      timeOut(writable);
      expect(writable.sent("pre-vote")[0]).to.not.have.property("yields");
    });
  }

  it("waits a whole election timeout for an objection when not all have answered", () => {
    const m = machine("read-only", { term: 3, log: [1, 3] });
    timeOut(m);
    m.receive(1, { type: "pre-vote-result", term: 4, granted: true });
    expect(m.raft.view.role).to.equal("pre-candidate");
    timeOut(m);
    expect(m.raft.view.role).to.equal("candidate");
  });

  it("campaigns at once when all have answered, or when it is the only voter", () => {
    const m = machine("read-only", { term: 3, log: [1, 3] });
    timeOut(m);
    m.receive(1, { type: "pre-vote-result", term: 4, granted: true });
    m.receive(2, { type: "pre-vote-result", term: 4, granted: true });
    expect(m.raft.view.role).to.equal("candidate");
    const alone = machine("read-only", { voters: 1 });
    timeOut(alone);
    alone.saved();
    alone.synced();
    expect(alone.raft.view.role).to.equal("leader");
  });

  it("gives way to an objection, and passes an objector over that does not come to lead", () => {
    const m = machine("read-only", { term: 3, log: [1, 3] });
    for (let n = 0; n < 4; n++) {
      timeOut(m);
      m.receive(1, { type: "pre-vote-result", term: 3, granted: false, objects: true });
      expect(m.raft.view.role, `objection ${n}`).to.equal("follower");
    }
    timeOut(m);
    m.receive(1, { type: "pre-vote-result", term: 3, granted: false, objects: true });
    expect(m.raft.view.role).to.equal("pre-candidate");
    m.receive(2, { type: "pre-vote-result", term: 4, granted: true });
    expect(m.raft.view.role).to.equal("candidate");
  });

  it("begins to count objections anew once it has heard a leader", () => {
    const m = machine("read-only", { term: 3, log: [1, 3] });
    for (let n = 0; n < 4; n++) {
      timeOut(m);
      m.receive(1, { type: "pre-vote-result", term: 3, granted: false, objects: true });
    }
    m.receive(2, heartbeatOf(3));
    timeOut(m);
    m.receive(1, { type: "pre-vote-result", term: 3, granted: false, objects: true });
    expect(m.raft.view.role).to.equal("follower");
  });

  it("votes for a candidate as any other does", () => {
    const m = machine("read-only", { term: 3, log: [1, 3] });
    m.receive(1, { type: "pre-vote", term: 4, lastIndex: 1, lastTerm: 3, yields: true });
    expect(m.sent("pre-vote-result")[0]).to.include({ granted: true });
    m.receive(1, requestVote(4, 1, 3));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true });
  });

  it("is not told to campaign by a transfer", () => {
    const m = machine("read-only", { term: 3, log: [1, 3] });
    m.receive(1, heartbeatOf(3));
    m.receive(1, { type: "timeout-now", term: 3 });
    expect(m.raft.view.role).to.equal("follower");
  });
});

describe("a writable voter, asked by a read-only one", () => {
  const asked = { type: "pre-vote", term: 4, lastIndex: 1, lastTerm: 3, yields: true } as const;

  it("objects when its own log is as complete, and campaigns soon", () => {
    for (const log of [
      [1, 3],
      [1, 3, 3],
    ]) {
      const m = new Machine({ term: 3, log });
      m.receive(1, asked);
      expect(m.sent("pre-vote-result")[0]).to.include({ granted: false, objects: true });
      expect(m.raft.deadline() - m.now).to.be.at.most(50_000);
    }
  });

  it("grants when the other's log is longer or newer", () => {
    for (const log of [[1], [1, 2], [1, 1, 1]]) {
      const m = new Machine({ term: 3, log });
      m.receive(1, asked);
      expect(m.sent("pre-vote-result")[0]).to.include({ granted: true });
      expect(m.sent("pre-vote-result")[0]).to.not.have.property("objects");
    }
  });

  it("does not object while it hears a leader, nor when it may not vote itself", () => {
    const hearing = new Machine({ term: 3, log: [1, 3] });
    hearing.receive(2, heartbeatOf(3));
    hearing.receive(1, asked);
    expect(hearing.sent("pre-vote-result")[0]).to.not.have.property("objects");
    const damaged = new Machine({ term: 3, log: [1, 3] });
    damaged.step({ type: "participation", now: damaged.now, participation: "none" });
    damaged.receive(1, asked);
    expect(damaged.sent("pre-vote-result")[0]).to.not.have.property("objects");
  });
});

describe("a leader that takes no entries", () => {
  function leader(): Machine {
    const m = new Machine();
    m.becomeReadyLeader();
    return m;
  }

  const refusals = { "read-only": "read-only", full: "disk-full" } as const;
  for (const intake of ["read-only", "full"] as const) {
    it(`refuses appends by the reason, and hands over to the follower that holds most (${intake})`, () => {
      const m = leader();
      m.propose("a");
      m.synced();
      m.accept(2, 1);
      m.step({ type: "intake", now: m.now, intake });
      expect(m.effects("propose-failed", m.propose("b")).map(({ code }) => code)).to.deep.equal([
        "leader-transferring",
      ]);
      expect(m.raft.view.transferee).to.equal(node(2));
      m.now += 1_100_000;
      m.accept(2, 1);
      m.tick();
      const refused = m.raft.view.transferee === "" ? refusals[intake] : "leader-transferring";
      expect(m.effects("propose-failed", m.propose("c")).map(({ code }) => code)).to.deep.equal([refused]);
    });
  }

  it("hands over only once its no-op is committed", () => {
    const m = new Machine();
    m.becomeLeader();
    m.step({ type: "intake", now: m.now, intake: "read-only" });
    expect(m.raft.view.transferee).to.equal("");
    m.synced();
    m.accept(1, 0);
    expect(m.raft.view.transferee).to.equal(node(1));
    expect(m.sent("timeout-now")).to.have.length(1);
  });

  it("goes on leading for readers while nobody is writable, and hands over as soon as somebody is", () => {
    const m = leader();
    answerHeartbeat(m, 1, "read-only");
    answerHeartbeat(m, 2, "full");
    m.step({ type: "intake", now: m.now, intake: "read-only" });
    expect(m.raft.view).to.include({ role: "leader", transferee: "" });
    expect(m.effects("propose-failed", m.propose("a")).map(({ code }) => code)).to.deep.equal(["read-only"]);
    answerHeartbeat(m, 2);
    expect(m.raft.view.transferee).to.equal(node(2));
  });

  it("does not hand over to a follower that was silent for an election timeout", () => {
    const m = leader();
    m.now += electionMax;
    m.accept(2, 0);
    m.step({ type: "intake", now: m.now, intake: "read-only" });
    expect(m.raft.view.transferee).to.equal(node(2));
  });

  it("refuses a transfer to a node that takes nothing, by that node's reason", () => {
    const m = leader();
    for (const [intake, code] of Object.entries(refusals)) {
      answerHeartbeat(m, 1, intake as "read-only" | "full");
      m.step({ type: "transfer", now: m.now, request: 7, to: node(1) });
      expect(m.effects("transferred").map((effect) => effect.code)).to.deep.equal([code]);
    }
  });
});

describe("a writable leader", () => {
  it("refuses appends when a majority's disks are full, and takes them again when one has room", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    answerHeartbeat(m, 1, "full");
    expect(m.effects("proposed", m.propose("a"))).to.have.length(1);
    answerHeartbeat(m, 2, "full");
    expect(m.effects("propose-failed", m.propose("b")).map(({ code }) => code)).to.deep.equal(["disk-full"]);
    answerHeartbeat(m, 1);
    expect(m.effects("proposed", m.propose("c"))).to.have.length(1);
  });

  it("counts on followers that an operator made read-only: they store what it sends", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    answerHeartbeat(m, 1, "read-only");
    answerHeartbeat(m, 2, "read-only");
    const effects = m.propose("a");
    expect(m.effects("proposed", effects)).to.have.length(1);
    m.synced();
    m.receive(1, accepted(m.raft.view.term, m.raft.view.lastIndex));
    expect(m.raft.view.commitIndex).to.equal(m.raft.view.lastIndex);
  });
});
