import { expect } from "chai";
import { Machine, node } from "../../support/raft-machine.ts";
import { RaftNetwork } from "../../support/raft-network.ts";

/** A leader of three that handed over to n1, whose order to campaign is out. */
function handingOver(): Machine {
  const m = new Machine({ term: 3, log: [1, 3] });
  m.becomeReadyLeader();
  m.step({ type: "transfer", now: m.now, request: 7, to: node(1) });
  expect(m.sent("timeout-now")).to.have.length(1);
  return m;
}

function told(m: Machine): string[] {
  return m.effects("transferred").map(({ code }) => code);
}

describe("a hand-over", () => {
  it("is told to be done once the target is known to lead, not before", () => {
    const m = handingOver();
    const term = m.raft.view.term + 1;
    const { lastIndex, lastTerm } = { lastIndex: m.raft.view.lastIndex, lastTerm: m.raft.view.term };
    m.receive(1, { type: "request-vote", term, lastIndex, lastTerm, transfer: true });
    expect(m.raft.view.role).to.equal("follower");
    expect(told(m)).to.deep.equal([]);
    m.receive(1, { type: "heartbeat", term, commitIndex: -1, round: 1 });
    expect(told(m)).to.deep.equal(["ok"]);
  });

  it("is told to have failed when the newer term is another's", () => {
    const m = handingOver();
    const term = m.raft.view.term + 1;
    m.receive(2, { type: "heartbeat-result", term, round: 1, matchIndex: -1 });
    expect(told(m)).to.deep.equal([]);
    m.receive(2, { type: "heartbeat", term, commitIndex: -1, round: 1 });
    expect(told(m)).to.deep.equal(["transfer-failed"]);
  });

  it("is told to have failed when nobody is known to lead in time", () => {
    const m = handingOver();
    m.receive(2, { type: "heartbeat-result", term: m.raft.view.term + 1, round: 1, matchIndex: -1 });
    for (let ticks = 0; ticks < 100 && told(m).length === 0; ticks++) {
      m.now = Math.max(m.now, m.raft.deadline());
      m.tick();
    }
    expect(told(m)).to.deep.equal(["transfer-failed"]);
  });
});

describe("a leader that takes no entries", () => {
  it("hands over to a sound voter, though another one, which holds as much, has found damage since", () => {
    const network = new RaftNetwork(3);
    const leader = network.elect();
    network.propose(leader, "a", "b", "c");
    network.advance(500_000);
    const [damaged, sound] = network.members.filter((member) => member !== leader);
    if (damaged === undefined || sound === undefined) throw new Error("there are three members");
    network.step(damaged, { type: "participation", now: network.now, participation: "none", intactTo: 1 });
    network.advance(500_000);
    network.step(leader, { type: "intake", now: network.now, intake: "read-only" });
    network.advance(5_000_000);
    expect(network.leader?.id).to.equal(sound.id);
  });
});

describe("a question for a read index", () => {
  it("has another number in another life, though the clock begins anew", () => {
    const asked = (drawn: number): number => {
      const m = new Machine({ term: 3, log: [1, 3], draw: () => drawn });
      m.receive(1, { type: "heartbeat", term: 3, commitIndex: 1, round: 1 });
      m.step({ type: "read", now: m.now, request: 1 });
      return m.sent("read-index")[0]?.request ?? -1;
    };
    expect(asked(17)).to.be.at.least(0);
    expect(asked(17)).to.not.equal(asked(18));
    expect(Number.isSafeInteger(asked(0xffff_ffff))).to.equal(true);
  });
});
