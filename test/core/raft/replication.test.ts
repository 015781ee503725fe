import { expect } from "chai";
import fc from "fast-check";
import type { AppendEntries } from "#core/raft/message";
import { accepted, content, endOfLog, Machine, makeLog, node, refusal } from "../../support/raft-machine.ts";
import { RaftNetwork } from "../../support/raft-network.ts";

function bytesOf(message: AppendEntries): number {
  return message.entries.reduce((sum, entry) => sum + entry.size, 0);
}

describe("Raft's replication", () => {
  it("keeps what is in flight to a follower within its limits, in messages and in bytes", () => {
    const acts = fc.array(fc.record({ propose: fc.nat(4), size: fc.nat(120), ack: fc.nat(100) }), {
      maxLength: 60,
    });
    const limits = fc.record({
      inFlightMessagesMax: fc.integer({ min: 1, max: 5 }),
      inFlightBytesMax: fc.integer({ min: 100, max: 900 }),
      messageBytesMax: fc.integer({ min: 60, max: 400 }),
      messageEntriesMax: fc.integer({ min: 1, max: 6 }),
    });
    fc.assert(
      fc.property(limits, acts, (config, list) => {
        const m = new Machine({ config });
        m.becomeReadyLeader();
        let flying: AppendEntries[] = [];
        let held = 0;
        const collect = (): void => {
          for (const sent of m.sent("append-entries")) {
            if (sent.to !== node(1) || sent.entries.length === 0) continue;
            expect(sent.entries.length).to.be.at.most(config.messageEntriesMax);
            if (sent.entries.length > 1) expect(bytesOf(sent)).to.be.at.most(config.messageBytesMax);
            expect(sent.prevIndex, "pipelined without a gap").to.equal(
              flying.at(-1)?.entries.at(-1)?.index ?? held,
            );
            flying.push(sent);
          }
          expect(flying.length).to.be.at.most(config.inFlightMessagesMax);
          const total = flying.reduce((sum, message) => sum + bytesOf(message), 0);
          if (flying.length > 1) expect(total).to.be.at.most(config.inFlightBytesMax);
        };
        const acknowledge = (count: number): void => {
          const last = flying[count - 1]?.entries.at(-1);
          if (last === undefined) return;
          flying = flying.slice(count);
          held = last.index;
          m.accept(1, held);
          collect();
        };
        for (const { propose, size, ack } of list) {
          m.propose(...Array.from({ length: propose }, () => "x".repeat(size)));
          collect();
          acknowledge(ack % (flying.length + 1));
        }
        while (flying.length > 0) acknowledge(flying.length);
        expect(m.raft.view.progress(node(1))?.matchIndex).to.equal(m.raft.view.lastIndex);
      }),
      { numRuns: 200 },
    );
  });

  it("lets the proposals of one turn travel together once they are flushed", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    for (let request = 0; request < 3; request++) {
      m.step({ type: "propose", now: m.now, request, contents: [content("a")], more: true });
      expect(m.last.map((effect) => effect.type)).to.deep.equal(["append", "proposed"]);
    }
    m.step({ type: "flush", now: m.now });
    expect(m.sent("append-entries").map((sent) => sent.entries.length)).to.deep.equal([3, 3]);
  });

  it("takes a heartbeat's answer for no acknowledgement of an empty log", () => {
    const m = new Machine();
    m.becomeLeader();
    m.receive(1, { type: "heartbeat-result", term: 1, round: 1, matchIndex: -1 });
    expect(m.effects("send")).to.deep.equal([]);
    expect(m.raft.view.progress(node(1))).to.include({ state: "probe", matchIndex: -1, nextIndex: 0 });
  });

  it("pipelines only once an answer covers what it asked about", () => {
    const m = new Machine({ term: 1, log: [1, 1, 1, 1] });
    m.becomeLeader();
    m.propose("a");
    m.accept(1, 2);
    expect(m.raft.view.progress(node(1))).to.include({ state: "probe", matchIndex: 2, nextIndex: 4 });
    expect(m.effects("send")).to.deep.equal([]);
    m.accept(1, 3);
    expect(m.raft.view.progress(node(1))).to.include({ matchIndex: 3, nextIndex: 6, state: "replicate" });
    expect(m.sent("append-entries")[0]?.entries).to.have.length(2);
  });

  it("mends a follower that lost what it had acknowledged, though its match stays", () => {
    const network = new RaftNetwork(5);
    const leader = network.elect();
    for (let i = 0; i < 10; i++) network.propose(leader, `entry ${i}`);
    network.advance(500_000);
    const lossy = network.members.find((member) => member !== leader);
    if (lossy === undefined) throw new Error("five members");
    network.crash(lossy);
    lossy.durable.length = 3;
    network.restart(lossy);
    network.advance(2_000_000);
    expect(lossy.log).to.have.length(leader.log.length);
    expect(lossy.commitIndex).to.equal(leader.commitIndex);
    expect(leader.role).to.equal("leader");
  });

  it("goes on sending entries to a follower that agrees and vouches for less, for only they cut what conflicts", () => {
    const terms = [1, 1, 1, 2, 2];
    const log = makeLog(terms);
    const m = new Machine({ term: 2, log: terms });
    m.becomeLeader();
    const sentFromDisk = (): AppendEntries | undefined => {
      const before = endOfLog(log.slice(0, 3));
      m.step({ type: "loaded", now: m.now, peer: node(1), before, entries: log.slice(3) });
      return m.sent("append-entries").find(({ to }) => to === node(1));
    };
    // Its log is damaged from index 1 on, and behind the damage it holds another leader's entries.
    m.receive(1, refusal(m.raft.view.term, 4, 2, 1));
    const bare = sentFromDisk();
    expect(bare).to.include({ prevIndex: 2 });
    expect(bare?.entries).to.deep.equal([]);
    m.receive(1, accepted(m.raft.view.term, 0));
    m.now += 300_000;
    m.tick();
    const again = sentFromDisk();
    expect(again?.prevIndex).to.equal(2);
    expect(again?.entries.map(({ index }) => index)).to.deep.equal([3, 4]);
  });

  it("fills a wiped node that does not count, from the first entry on", () => {
    const network = new RaftNetwork(3);
    const leader = network.elect();
    for (let i = 0; i < 10; i++) network.propose(leader, `entry ${i}`);
    network.advance(500_000);
    const wiped = network.members.find((member) => member !== leader);
    if (wiped === undefined) throw new Error("three members");
    network.crash(wiped);
    wiped.durable.length = 0;
    wiped.hardState = { term: 0, votedFor: "" };
    network.restart(wiped);
    const { now } = network;
    network.step(wiped, { type: "participation", now, participation: "none" });
    for (const member of network.members) {
      if (member !== wiped) network.step(member, { type: "peer-counts", now, peer: wiped.id, counts: false });
    }
    network.advance(1_000_000);
    expect(wiped.log).to.have.length(leader.log.length);
    expect(wiped.commitIndex).to.equal(leader.commitIndex);
    // With the third one gone there is no majority: the wiped node's copies do not make one.
    const third = network.members.find((member) => member !== leader && member !== wiped);
    if (third === undefined) throw new Error("three members");
    network.crash(third);
    const committed = network.committed.length;
    network.propose(leader, "alone");
    network.advance(5_000_000);
    expect(network.committed.length).to.equal(committed);
    expect(wiped.log).to.have.length(committed + 1);
    expect(network.leader).to.equal(undefined);
  });

  it("sends many proposals in one message, and one larger entry alone", () => {
    const m = new Machine({ config: { messageBytesMax: 500 } });
    m.becomeReadyLeader();
    m.propose("a", "b", "c", "x".repeat(2_000), "d");
    const lengths = m.sent("append-entries").filter((sent) => sent.to === node(1));
    expect(lengths.map((sent) => sent.entries.length)).to.deep.equal([3, 1, 1]);
    expect(m.effects("append")).to.have.length(1);
  });

  it("finds where two logs agree in at most one round a term of the follower's divergent part", () => {
    const tail = fc.array(fc.integer({ min: 2, max: 9 }), { minLength: 1, maxLength: 60 });
    const sorted = tail.map((list) => list.sort((a, b) => a - b));
    fc.assert(
      fc.property(fc.nat(5), sorted, sorted, (common, leaderTail, followerTail) => {
        const network = new RaftNetwork(3);
        const base = Array<number>(common).fill(1);
        // Even terms were the leader's, odd ones the follower's.
        const leaderTerms = [...base, ...leaderTail.map((term) => term * 2), 40];
        const followerTerms = [...base, ...followerTail.map((term) => term * 2 + 1)];
        [leaderTerms, followerTerms, leaderTerms].forEach((terms, i) => {
          const member = network.member(i);
          network.crash(member);
          member.durable = makeLog(terms);
          if (i === 1)
            member.durable = [...makeLog(base), ...makeLog(followerTerms.slice(common), "f", endOf(base))];
          member.hardState = { term: 41, votedFor: "" };
        });
        network.restart(network.member(0));
        network.restart(network.member(2));
        const leader = network.elect();
        let probes = 0;
        network.link = (_from, to, message) => {
          if (to === node(1) && message.type === "append-entries" && message.entries.length === 0)
            probes += 1;
          return true;
        };
        network.restart(network.member(1));
        network.step(leader, { type: "peer-up", now: network.now, peer: node(1) });
        network.settle();
        network.advance(400_000);
        expect(network.member(1).log.map((entry) => entry.chainCrc)).to.deep.equal(
          leader.log.map((entry) => entry.chainCrc),
        );
        const runs = Math.min(new Set(followerTail).size, new Set(leaderTail).size);
        expect(probes).to.be.at.most(runs + 3);
      }),
      { numRuns: 60 },
    );
  });

  it("brings a far follower up to date out of the disk, with a bounded window in memory", () => {
    const network = new RaftNetwork(3, {
      config: { windowEntriesMax: 5, windowBytesMax: 400, messageEntriesMax: 7, inFlightMessagesMax: 2 },
    });
    const leader = network.elect();
    const far = network.members.find((member) => member !== leader);
    if (far === undefined) throw new Error("three members");
    network.crash(far);
    for (let i = 0; i < 200; i++) {
      network.propose(leader, `entry ${i}`);
      network.settle();
      for (const member of network.members) {
        if (!member.up) continue;
        expect(member.raft.view.windowBytes).to.be.at.most(400);
        expect(member.raft.view.lastIndex - member.raft.view.windowFirst + 1).to.be.at.most(5);
      }
    }
    expect(leader.raft.entriesFrom(0, 1_000)).to.equal(undefined);
    expect(leader.raft.entriesFrom(198, 10_000)).to.deep.equal(leader.log.slice(198));
    expect(leader.raft.entriesFrom(201, 10_000)).to.deep.equal([]);
    network.restart(far);
    network.advance(1_000_000);
    expect(far.log.map((entry) => entry.chainCrc)).to.deep.equal(leader.log.map((entry) => entry.chainCrc));
    expect(far.commitIndex).to.equal(200);
  });

  it("goes on behind what a damaged follower looked at and cannot vouch for, however little may be in flight", () => {
    const m = new Machine({ config: { inFlightBytesMax: 400, messageBytesMax: 200 } });
    m.becomeLeader();
    m.synced();
    m.accept(1, 0);
    const sentTo = (): number[] =>
      m
        .sent("append-entries")
        .filter(({ to }) => to === node(1))
        .map(({ entries }) => entries[entries.length - 1]?.index ?? -1);
    for (let i = 1; i <= 4; i++) m.propose("x".repeat(300));
    m.accept(1, 0);
    expect(sentTo(), "one is in flight, and two have no room").to.deep.equal([]);
    for (const seen of [1, 2, 3]) {
      m.receive(1, { ...accepted(m.raft.view.term, 0), hintIndex: seen });
      expect(sentTo()).to.deep.equal([seen + 1]);
      expect(m.raft.view.progress(node(1))?.matchIndex).to.equal(0);
    }
    expect(m.raft.view.commitIndex).to.equal(0);
    m.receive(1, { ...accepted(m.raft.view.term, 0), hintIndex: 99 });
    expect(sentTo(), "more than there is").to.deep.equal([]);
  });

  it("asks a follower once that vouches for less than before, and goes on behind what it looked at", () => {
    const m = new Machine();
    m.becomeLeader();
    m.synced();
    for (let i = 1; i <= 4; i++) m.propose("x");
    m.accept(1, 4);
    const sentTo = (): number[][] =>
      m
        .sent("append-entries")
        .filter(({ to }) => to === node(1))
        .map(({ entries }) => entries.map(({ index }) => index));
    const { term } = m.raft.view;
    const beat = (): void => {
      m.receive(1, { type: "heartbeat-result", term, round: 1, matchIndex: 1 });
    };
    m.propose("y");
    m.receive(1, { ...accepted(term, 1), hintIndex: 5 });
    m.propose("z");
    expect(sentTo()).to.deep.equal([[6]]);
    m.receive(1, { ...accepted(term, 4), hintIndex: 6 });
    beat();
    expect(sentTo(), "asked where the logs agree").to.deep.equal([[5, 6]]);
    m.receive(1, { ...accepted(term, 1), hintIndex: 6 });
    m.propose("w");
    expect(sentTo()).to.deep.equal([[7]]);
    m.receive(1, { ...accepted(term, 1), hintIndex: 7 });
    beat();
    expect(sentTo(), "it said so before").to.deep.equal([]);
    expect(m.raft.view.progress(node(1))?.matchIndex).to.equal(4);
  });

  it("asks one that is damaged from its first entry on whether it still knows what it saw, and begins anew when it does not", () => {
    const m = new Machine();
    m.becomeLeader();
    m.synced();
    m.propose("x");
    const { term } = m.raft.view;
    const sentTo = (): { prevIndex: number; entries: number[] }[] =>
      m
        .sent("append-entries")
        .filter(({ to }) => to === node(1))
        .map(({ prevIndex, entries }) => ({ prevIndex, entries: entries.map(({ index }) => index) }));
    const beat = (): void => {
      m.receive(1, { type: "heartbeat-result", term, round: 1, matchIndex: -1 });
    };
    const seen = (hintIndex: number): void => {
      m.receive(1, { ...accepted(term, -1), hintIndex });
    };
    seen(0);
    seen(1);
    sentTo();
    beat();
    expect(sentTo()).to.deep.equal([{ prevIndex: 1, entries: [] }]);
    beat();
    expect(sentTo(), "it was asked").to.deep.equal([]);
    seen(1);
    m.propose("y");
    expect(sentTo(), "it knows").to.deep.equal([{ prevIndex: 1, entries: [2] }]);
    seen(2);
    beat();
    expect(sentTo()).to.deep.equal([{ prevIndex: 2, entries: [] }]);
    m.receive(1, refusal(term, 2, -1, 0));
    expect(sentTo(), "it forgot").to.deep.equal([{ prevIndex: -1, entries: [0, 1, 2] }]);
    seen(2);
    beat();
    sentTo();
    m.accept(1, 2);
    expect(m.raft.view.progress(node(1))?.matchIndex, "it was mended").to.equal(2);
  });

  it("asks the disk once at a time, and again only after a pause when it answers with nothing", () => {
    const m = new Machine({ term: 1, log: [1, 1, 1, 1] });
    m.becomeLeader();
    m.receive(1, {
      type: "append-entries-result",
      term: 2,
      accepted: false,
      matchIndex: -1,
      rejectedIndex: 3,
      hintIndex: 0,
      hintTerm: 1,
    });
    expect(m.effects("load")).to.deep.equal([{ type: "load", peer: node(1), first: 1, bytes: 1 }]);
    expect(m.raft.view.progress(node(1))?.state).to.equal("load");
    m.propose("a");
    expect(m.effects("load")).to.deep.equal([]);
    const before = { index: 0, term: 1, chainCrc: m.log[0]?.chainCrc ?? 0, pos: m.log[1]?.pos ?? 0 };
    m.step({ type: "loaded", now: m.now, peer: node(1), before, entries: [] });
    expect(m.effects("load")).to.deep.equal([]);
    m.tick(199_999);
    expect(m.effects("load")).to.deep.equal([]);
    m.tick(1);
    expect(m.effects("load")).to.have.length(1);
    // Entries that this log does not hold are of no use.
    const other = makeLog([1, 2]).slice(1);
    m.step({ type: "loaded", now: m.now, peer: node(1), before, entries: other });
    expect(m.sent("append-entries")).to.deep.equal([]);
    m.step({ type: "loaded", now: m.now, peer: node(1), before, entries: m.log.slice(1) });
    expect(m.sent("append-entries"), "nothing was asked for").to.deep.equal([]);
  });

  it("lets a follower far ahead of its commit index keep no more in memory than its limits, once it is durable", () => {
    const m = new Machine({ term: 1, config: { windowEntriesMax: 2 } });
    const log = makeLog(Array<number>(50).fill(1));
    for (let i = 0; i < 50; i += 10) {
      m.receive(1, {
        type: "append-entries",
        term: 1,
        prevIndex: i - 1,
        prevTerm: i === 0 ? 0 : 1,
        prevChainCrc: log[i - 1]?.chainCrc ?? 0,
        prevPos: log[i]?.pos ?? 0,
        commitIndex: -1,
        entries: log.slice(i, i + 10),
      });
      m.synced();
    }
    expect(m.raft.view.windowFirst).to.equal(48);
  });
});

function endOf(terms: readonly number[]): ReturnType<typeof endOfLog> {
  return endOfLog(makeLog(terms));
}
