import { expect } from "chai";
import fc from "fast-check";
import {
  appendFrom,
  electionMax,
  electionMin,
  endOfLog,
  heartbeat,
  Machine,
  makeLog,
  node,
  requestVote,
} from "../support/raft-machine.ts";
import { RaftNetwork } from "../support/raft-network.ts";

function restartAll(network: RaftNetwork, logs: readonly (readonly number[])[], term: number): void {
  network.members.forEach((member, i) => {
    network.crash(member);
    member.durable = makeLog(logs[i] ?? []);
    member.hardState = { term, votedFor: "" };
    network.restart(member);
  });
}

describe("Raft §5.4, safety", () => {
  it("§5.4.1: a vote is refused to a log that is less up to date: first by last term, then by length", () => {
    const terms = fc
      .array(fc.integer({ min: 1, max: 4 }), { maxLength: 6 })
      .map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(
        terms,
        fc.integer({ min: -1, max: 8 }),
        fc.integer({ min: 0, max: 5 }),
        (log, lastIndex, lastTerm) => {
          const m = new Machine({ term: 5, log });
          const ownTerm = log[log.length - 1] ?? 0;
          const upToDate = lastTerm > ownTerm || (lastTerm === ownTerm && lastIndex >= log.length - 1);
          m.receive(1, requestVote(6, lastIndex, lastTerm));
          expect(m.sent("request-vote-result")[0]).to.include({ granted: upToDate, term: 6 });
          expect(m.raft.view.votedFor).to.equal(upToDate ? node(1) : "");
        },
      ),
    );
  });

  it("§5.4.1: a candidate shows the log that it has, with the term of its last entry", () => {
    const m = new Machine({ term: 9, log: [1, 3, 3] });
    m.becomeCandidate();
    expect(m.sent("request-vote")[0]).to.include({ term: 10, lastIndex: 2, lastTerm: 3 });
  });

  it("§5.4.1: after a cut the log is as long as it is, not as it was", () => {
    const m = new Machine({ term: 4, log: [1, 2, 2, 2] });
    m.receive(1, appendFrom(4, makeLog([1, 3]), 0));
    m.now += 10_000_000;
    m.receive(2, requestVote(5, 1, 3));
    expect(m.sent("request-vote-result")[0]).to.include({ granted: true });
    m.becomeCandidate();
    expect(m.sent("request-vote")[0]).to.include({ lastIndex: 1, lastTerm: 3 });
  });

  it("§5.4.1: only a server whose log holds every committed entry is elected", () => {
    const network = new RaftNetwork(3);
    restartAll(
      network,
      [
        [1, 1],
        [1, 1, 2],
        [1, 1, 2],
      ],
      2,
    );
    network.committed.push(...makeLog([1, 1, 2]).map((entry) => entry.chainCrc));
    for (let i = 0; i < 20; i++) {
      const leader = network.elect();
      expect(leader.id).not.to.equal(node(0));
      network.crash(leader);
      network.restart(leader);
      if (i === 0) network.link = (from, to) => from !== node(0) && to !== node(0);
    }
  });

  it("§5.4.2: entries of earlier terms do not commit by counting (figure 8)", () => {
    const m = new Machine({ voters: 5, term: 3, log: [1, 2] });
    m.becomeLeader();
    expect(m.raft.view).to.include({ term: 4, lastIndex: 2, termStart: 2 });
    for (const peer of [1, 2, 3, 4]) {
      m.accept(peer, 1);
      expect(m.raft.view.commitIndex).to.equal(-1);
    }
    m.accept(1, 2);
    m.accept(2, 2);
    expect(m.raft.view.commitIndex).to.equal(-1);
    m.synced();
    expect(m.raft.view.commitIndex, "with an entry of its own term all before it commit").to.equal(2);
  });

  it("§5.4.2: figure 8 played out: an entry of term 2 on a majority may still be replaced, and never was committed", () => {
    const network = new RaftNetwork(5);
    // (c): S1 leads term 4 with [1 2 4], S2 and S3 hold [1 2], S5 has [1 3].
    restartAll(network, [[1, 2, 4], [1, 2], [1, 2], [1], [1, 3]], 4);
    const s1 = network.member(0);
    network.crash(s1);
    // (d) or (e), as the timeouts have it: whoever leads now decides what stands at index 1.
    const leader = network.elect();
    network.propose(leader, "x");
    network.advance(500_000);
    network.restart(s1);
    network.advance(2_000_000);
    for (const member of network.members) expect(member.log[1]?.term).to.equal(leader.log[1]?.term);
    network.checkLogMatching();
  });

  it("§5.4.3: committed entries are never cut: a leader that asks for it is not obeyed", () => {
    const m = new Machine({ term: 2, log: [1, 1] });
    m.receive(1, appendFrom(2, makeLog([1, 1, 2]), 1, 2));
    expect(m.raft.view.commitIndex).to.equal(2);
    m.receive(2, appendFrom(3, makeLog([1, 1, 3, 3]), 1));
    expect(m.effects("diverged")).to.deep.equal([{ type: "diverged", index: 2 }]);
    expect(m.effects("truncate")).to.deep.equal([]);
    expect(m.effects("append")).to.deep.equal([]);
    expect(m.sent("append-entries-result")).to.deep.equal([]);
    expect(m.raft.view.lastIndex).to.equal(2);
  });

  it("§5.4.3: what was appended but not committed may be cut right down to the commit index", () => {
    const m = new Machine({ term: 2, log: [1, 1] });
    m.receive(1, appendFrom(2, makeLog([1, 1, 2]), 1, 1));
    expect(m.raft.view.commitIndex).to.equal(1);
    m.receive(2, appendFrom(3, makeLog([1, 1, 3]), 1));
    const before = endOfLog(makeLog([1, 1]));
    expect(m.effects("truncate")).to.deep.equal([{ type: "truncate", from: 2, before }]);
  });
});

describe("Raft §5.5, follower and candidate crashes", () => {
  it("§5.5: requests are idempotent: a group in which every message comes twice behaves as if it came once", () => {
    const network = new RaftNetwork(3);
    const leader = network.elect();
    network.propose(leader, "a", "b", "c");
    for (
      let i = 0;
      i < 200 && (network.packets.length > 0 || network.members.some((m) => m.disk.length > 0));
      i++
    ) {
      for (const packet of network.packets.splice(0)) {
        network.arrive(packet);
        network.arrive(packet);
      }
      for (const member of network.members) network.diskStep(member);
      if (i > 20) network.settle();
    }
    for (const member of network.members) {
      expect(member.log).to.have.length(leader.log.length);
      expect(member.commitIndex).to.equal(3);
    }
  });

  it("§5.5: a follower that crashes before it answers is sent the entries again", () => {
    const network = new RaftNetwork(3);
    const leader = network.elect();
    const follower = network.members.find((member) => member !== leader);
    if (follower === undefined) throw new Error("three members");
    network.propose(leader, "a");
    while (network.packets.length > 0) network.deliver();
    expect(follower.log).to.have.length(2);
    network.crash(follower);
    expect(follower.durable).to.have.length(1);
    network.restart(follower);
    network.advance(1_000_000);
    expect(follower.durable).to.have.length(2);
    expect(follower.commitIndex).to.equal(1);
  });
});

describe("Raft §5.6, timing and availability", () => {
  for (const voters of [2, 3, 5, 7]) {
    it(`§5.6: ${voters} voters go on while a majority is up, and stop without one`, () => {
      const network = new RaftNetwork(voters);
      for (let failed = 0; failed < voters - Math.floor(voters / 2) - 1; failed++)
        network.crash(network.elect());
      const leader = network.elect();
      network.propose(leader, "a");
      network.advance(1_000_000);
      expect(leader.commitIndex).to.equal(leader.log.length - 1);
      const committed = network.committed.length;
      const next = network.members.find((member) => member.up && member !== leader);
      if (next === undefined) throw new Error("a majority is up");
      network.crash(next);
      network.propose(leader, "b");
      network.advance(3_000_000);
      expect(network.committed.length).to.equal(committed);
      expect(network.leader).to.equal(undefined);
    });
  }

  it("§5.6: a new leader is there within a few election timeouts of the old one's death", () => {
    fc.assert(
      fc.property(fc.nat(1 << 30), (salt) => {
        const draw = (member: number, key: number): number =>
          (Math.imul(Math.imul(salt ^ (member << 8), 0x85ebca6b) + key, 0x9e3779b1) >>> 1) ^ salt;
        const network = new RaftNetwork(5, { draw });
        network.crash(network.elect(20 * electionMax));
        const died = network.now;
        network.elect(20 * electionMax);
        expect(network.now - died).to.be.within(electionMin - heartbeat, 10 * electionMax);
      }),
      { numRuns: 30 },
    );
  });
});
