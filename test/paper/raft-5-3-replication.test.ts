import { expect } from "chai";
import { bodyOf } from "#core/base/entry";
import {
  accepted,
  appendFrom,
  content,
  electionMax,
  heartbeat,
  heartbeatOf,
  Machine,
  makeLog,
  node,
  refusal,
} from "../support/raft-machine.ts";
import { RaftNetwork } from "../support/raft-network.ts";

describe("Raft §5.3, log replication: the leader", () => {
  it("§5.3: a leader appends a proposal to its own log and sends it to all in parallel, before its own sync", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a", "b");
    expect(m.last.map((effect) => effect.type)).to.deep.equal(["append", "proposed", "send", "send"]);
    const [proposed] = m.effects("proposed");
    expect(proposed?.entries.map((entry) => entry.index)).to.deep.equal([1, 2]);
    expect(proposed?.entries.map((entry) => new TextDecoder().decode(bodyOf(entry)))).to.deep.equal([
      "a",
      "b",
    ]);
    for (const sent of m.sent("append-entries")) {
      expect(sent).to.include({ term: 1, prevIndex: 0, prevTerm: 1, commitIndex: 0 });
      expect(sent.entries).to.deep.equal(proposed?.entries);
    }
  });

  it("§5.3: an entry is encoded once: disk and followers share its bytes", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a");
    const block = m.effects("append")[0]?.entries[0]?.block;
    for (const sent of m.sent("append-entries")) expect(sent.entries[0]?.block).to.equal(block);
  });

  it("§5.3: an entry is committed once a majority holds it durably, the leader only as far as its own disk", () => {
    const m = new Machine({ voters: 5 });
    m.becomeReadyLeader();
    m.propose("a");
    m.accept(1, 1);
    m.accept(2, 1);
    expect(m.raft.view.commitIndex).to.equal(0);
    m.synced();
    expect(m.effects("commit")).to.deep.equal([{ type: "commit", index: 1 }]);
    m.propose("b");
    m.synced();
    m.accept(1, 2);
    expect(m.raft.view.commitIndex).to.equal(1);
    m.accept(1, 2);
    expect(m.raft.view.commitIndex, "a doubled answer counts once").to.equal(1);
    m.accept(3, 2);
    expect(m.raft.view.commitIndex).to.equal(2);
  });

  it("§5.3: an entry may commit on a majority that the leader's slow disk is not part of", () => {
    const m = new Machine({ voters: 5 });
    m.becomeReadyLeader();
    m.propose("a");
    for (const peer of [1, 2, 3]) m.accept(peer, 1);
    expect(m.raft.view.durableIndex).to.equal(0);
    expect(m.raft.view.commitIndex).to.equal(1);
  });

  it("§5.3: an acknowledgement of a peer that does not count commits nothing, yet it is sent entries", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.step({ type: "peer-counts", now: m.now, peer: node(1), counts: false });
    m.accept(1, 0);
    m.propose("a");
    expect(m.sent("append-entries").map((sent) => sent.to)).to.deep.equal([node(1), node(2)]);
    m.synced();
    m.accept(1, 1);
    expect(m.raft.view.commitIndex).to.equal(0);
    expect(m.raft.view.progress(node(1))?.matchIndex).to.equal(1);
    m.accept(2, 1);
    expect(m.raft.view.commitIndex).to.equal(1);
  });

  it("§5.3: match indexes only grow within a term, however late answers come", () => {
    const m = new Machine({ voters: 5 });
    m.becomeReadyLeader();
    m.propose("a");
    m.propose("b");
    m.accept(1, 2);
    m.accept(1, 1);
    m.receive(1, { type: "heartbeat-result", term: 1, round: 1, matchIndex: 0 });
    expect(m.raft.view.progress(node(1))).to.include({ matchIndex: 2, nextIndex: 3 });
    m.synced();
    m.accept(2, 2);
    expect(m.raft.view.commitIndex).to.equal(2);
  });

  it("§5.3: a refusal is never taken for an acknowledgement", () => {
    const m = new Machine();
    m.becomeLeader();
    m.synced();
    m.receive(1, { ...refusal(1, -1, -1, 0), matchIndex: 0, hintIndex: 0 });
    expect(m.raft.view.commitIndex).to.equal(-1);
    expect(m.raft.view.progress(node(1))?.matchIndex).to.equal(-1);
  });

  it("§5.3: an answer beyond the leader's log is not believed", () => {
    const m = new Machine();
    m.becomeLeader();
    m.synced();
    m.accept(1, 5);
    expect(m.raft.view.commitIndex).to.equal(-1);
    expect(m.raft.view.progress(node(1))?.matchIndex).to.equal(-1);
  });

  it("§5.3: the leader tells the commit index in the next AppendEntries, or at once when there is none", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a");
    m.synced();
    m.accept(1, 1);
    const told = m.sent("heartbeat");
    // The other follower is not known to hold entry 1: it is told no more than it holds.
    expect(told.map((sent) => [sent.to, sent.commitIndex])).to.deep.equal([[node(1), 1]]);
    m.accept(2, 1);
    expect(m.sent("heartbeat").map((sent) => [sent.to, sent.commitIndex])).to.deep.equal([[node(2), 1]]);
    m.propose("b");
    expect(m.sent("append-entries").map((sent) => sent.commitIndex)).to.deep.equal([1, 1]);
    expect(m.sent("heartbeat")).to.deep.equal([]);
  });

  it("§5.3: a heartbeat never tells a follower of a commit beyond what it is known to hold", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a", "b");
    m.synced();
    m.accept(1, 2);
    m.accept(2, 1);
    m.tick(heartbeat);
    expect(m.sent("heartbeat").map((sent) => sent.commitIndex)).to.deep.equal([2, 1]);
  });

  it("§5.3: a proposal at a node that does not lead is refused", () => {
    const m = new Machine();
    m.propose("a");
    expect(m.last).to.deep.equal([{ type: "propose-failed", request: 1, code: "not-leader" }]);
  });

  it("§5.3: what is not committed yet is bounded, in bytes and in entries, and a proposal is refused as a whole", () => {
    const m = new Machine({ config: { uncommittedEntriesMax: 3 } });
    m.becomeReadyLeader();
    m.propose("a", "b", "c");
    expect(m.effects("proposed")).to.have.length(1);
    m.propose("d");
    expect(m.last).to.deep.equal([{ type: "propose-failed", request: 1, code: "pending-full" }]);
    m.synced();
    m.accept(1, 2);
    m.propose("d", "e", "f");
    expect(m.effects("propose-failed")).to.have.length(1);
    m.propose("d", "e");
    expect(m.effects("proposed")).to.have.length(1);
    const bytes = new Machine({ config: { uncommittedBytesMax: 2 * 49 } });
    bytes.becomeReadyLeader();
    bytes.propose("a", "b");
    expect(bytes.effects("proposed")).to.have.length(1);
    bytes.synced();
    bytes.accept(1, 2);
    bytes.propose("cc", "d");
    expect(bytes.effects("propose-failed")).to.have.length(1);
    bytes.propose("c", "d");
    expect(bytes.effects("proposed")).to.have.length(1);
  });

  it("§5.3: an entry beyond the limit is refused, one of exactly the limit is taken", () => {
    const m = new Machine({ config: { uncommittedBytesMax: 16 << 20 } });
    m.becomeReadyLeader();
    const limit = 4 * 1_024 * 1_024;
    const body = new Uint8Array(limit + 1);
    m.step({ type: "propose", now: m.now, request: 4, contents: [{ ...content(""), body }] });
    expect(m.last).to.deep.equal([{ type: "propose-failed", request: 4, code: "entry-too-large" }]);
    m.step({
      type: "propose",
      now: m.now,
      request: 5,
      contents: [{ ...content(""), body: body.subarray(1) }],
    });
    expect(m.effects("proposed")).to.have.length(1);
    expect(m.sent("append-entries").map((sent) => sent.entries.length)).to.deep.equal([1, 1]);
  });

  it("§5.3: a leader never overwrites or cuts its own log", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a", "b");
    const { lastIndex, chainCrc } = m.raft.view;
    m.receive(1, refusal(1, 0, -1, 0));
    m.receive(2, { type: "heartbeat-result", term: 1, round: 1, matchIndex: -1 });
    m.tick(heartbeat);
    expect(m.raft.view).to.include({ lastIndex, chainCrc });
    expect(m.trace.of("truncate")).to.deep.equal([]);
  });

  it("§5.3: a leader that steps down keeps its uncommitted entries: they may be committed already", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a", "b");
    m.receive(1, heartbeatOf(2));
    expect(m.raft.view).to.include({ role: "follower", lastIndex: 2 });
    expect(m.effects("truncate")).to.deep.equal([]);
  });
});

describe("Raft §5.3, log replication: the follower", () => {
  it("§5.3: a follower refuses AppendEntries unless its log holds prevIndex with prevTerm", () => {
    const m = new Machine({ term: 3, log: [1, 1, 2] });
    m.receive(1, appendFrom(3, makeLog([1, 1, 2, 3, 3]), 3));
    expect(m.sent("append-entries-result")).to.deep.equal([{ ...refusal(3, 3, 2, 2), to: node(1) }]);
    m.receive(1, appendFrom(3, makeLog([1, 1, 3, 3]), 2));
    expect(m.sent("append-entries-result")).to.deep.equal([{ ...refusal(3, 2, 2, 2), to: node(1) }]);
    m.receive(1, appendFrom(3, makeLog([1, 1, 1, 3]), 2));
    expect(m.sent("append-entries-result"), "it steps over its own later term").to.deep.equal([
      { ...refusal(3, 2, 1, 1), to: node(1) },
    ]);
    expect(m.raft.view.lastIndex).to.equal(2);
    expect(m.effects("append")).to.deep.equal([]);
  });

  it("§5.3: entries are acknowledged once they are durable, and only then", () => {
    const m = new Machine({ term: 1 });
    const log = makeLog([1, 1, 1]);
    m.receive(1, appendFrom(1, log, -1, -1, 2));
    expect(m.effects("append")[0]?.entries).to.have.length(2);
    expect(m.sent("append-entries-result")).to.deep.equal([]);
    m.receive(1, heartbeatOf(1));
    expect(m.sent("heartbeat-result")[0]).to.include({ matchIndex: -1 });
    m.synced(0);
    expect(m.sent("append-entries-result")).to.deep.equal([{ ...accepted(1, 0), to: node(1) }]);
    // A doubled message is no reason to assert what is not durable.
    m.receive(1, appendFrom(1, log, -1, -1, 2));
    expect(m.sent("append-entries-result")).to.deep.equal([]);
    m.receive(1, appendFrom(1, log, 1, -1, 0));
    expect(m.sent("append-entries-result")).to.deep.equal([]);
    m.synced(1);
    expect(m.sent("append-entries-result")).to.deep.equal([{ ...accepted(1, 1), to: node(1) }]);
    m.receive(1, appendFrom(1, log, -1, -1, 2));
    expect(m.sent("append-entries-result"), "durable duplicates are answered at once").to.deep.equal([
      { ...accepted(1, 1), to: node(1) },
    ]);
    expect(m.effects("append")).to.deep.equal([]);
  });

  it("§5.3: a follower asserts no more of its log than it has checked against this term's leader", () => {
    const m = new Machine({ term: 2, log: [1, 1, 1, 1] });
    m.receive(1, heartbeatOf(2, 3));
    expect(m.sent("heartbeat-result")[0]).to.include({ matchIndex: -1 });
    expect(m.raft.view.commitIndex).to.equal(-1);
    m.receive(1, appendFrom(2, makeLog([1, 1]), 0, 3));
    expect(m.sent("append-entries-result")).to.deep.equal([{ ...accepted(2, 1), to: node(1) }]);
    expect(m.raft.view.commitIndex, "what lies behind may be another leader's").to.equal(1);
    m.receive(2, heartbeatOf(3, 3));
    expect(m.sent("heartbeat-result")[0], "a new leader has a log of its own").to.include({ matchIndex: -1 });
    expect(m.raft.view.commitIndex).to.equal(1);
  });

  it("§5.3: an entry that conflicts, and all behind it, give way to the leader's", () => {
    const m = new Machine({ term: 4, log: [1, 1, 2, 2, 2] });
    const log = makeLog([1, 1, 3, 3]);
    m.receive(1, appendFrom(4, log, 0));
    expect(m.last.slice(0, 3).map((effect) => effect.type)).to.deep.equal(["role", "truncate", "append"]);
    expect(m.effects("truncate")).to.deep.equal([{ type: "truncate", from: 2 }]);
    expect(m.effects("append")[0]?.entries).to.deep.equal(log.slice(2));
    expect(m.raft.view).to.include({
      lastIndex: 3,
      lastTerm: 3,
      chainCrc: log[3]?.chainCrc,
      durableIndex: 1,
    });
    expect(m.raft.termAt(2)).to.equal(3);
    expect(m.raft.termAt(4)).to.equal(undefined);
  });

  it("§5.3: a conflict right behind prevIndex cuts to prevIndex, in memory or not", () => {
    const m = new Machine({ term: 4, log: [1, 1, 2, 2] });
    const log = makeLog([1, 1, 3]);
    m.receive(1, appendFrom(4, log, 1));
    expect(m.effects("truncate")).to.deep.equal([{ type: "truncate", from: 2 }]);
    expect(m.raft.view).to.include({ lastIndex: 2, chainCrc: log[2]?.chainCrc });
    expect(m.raft.entriesFrom(2, 1_000)).to.deep.equal(log.slice(2));
    expect(m.raft.entriesFrom(1, 1_000)).to.equal(undefined);
  });

  it("§5.3: without a conflict nothing is cut, however old or short the message", () => {
    const m = new Machine({ term: 1 });
    const log = makeLog([1, 1, 1, 1, 1]);
    m.receive(1, appendFrom(1, log, -1));
    m.synced();
    for (let prev = -1; prev < 5; prev++) {
      for (let count = 0; count < 4; count++) {
        m.receive(1, appendFrom(1, log, prev, -1, count));
        expect(m.effects("truncate"), `behind ${prev}, ${count} entries`).to.deep.equal([]);
        expect(m.effects("append")).to.deep.equal([]);
        expect(m.raft.view.lastIndex).to.equal(4);
      }
    }
  });

  it("§5.3: of entries that are partly there only the rest is appended", () => {
    const m = new Machine({ term: 1, log: [1, 1] });
    const log = makeLog([1, 1, 1, 1]);
    m.receive(1, appendFrom(1, log, -1));
    expect(m.effects("append")[0]?.entries).to.deep.equal(log.slice(2));
  });

  it("§5.3: a follower commits up to min(leaderCommit, the last entry it checked)", () => {
    const m = new Machine({ term: 1 });
    const log = makeLog([1, 1, 1]);
    m.receive(1, appendFrom(1, log, -1, 9, 2));
    expect(m.effects("commit")).to.deep.equal([{ type: "commit", index: 1 }]);
    m.receive(1, appendFrom(1, log, 1, 1, 1));
    expect(m.raft.view.commitIndex).to.equal(1);
    m.receive(1, heartbeatOf(1, 2));
    expect(m.raft.view.commitIndex).to.equal(2);
    m.receive(1, heartbeatOf(1, 0));
    expect(m.raft.view.commitIndex, "it never goes back").to.equal(2);
  });

  it("§5.3: entries of one index and term with other content are no conflict but a lie, and nothing is taken", () => {
    const m = new Machine({ term: 1 });
    m.receive(1, appendFrom(1, makeLog([1, 1]), -1));
    m.synced();
    m.receive(1, appendFrom(1, makeLog([1, 1, 1], "other"), -1));
    expect(m.effects("diverged")).to.deep.equal([{ type: "diverged", index: 0 }]);
    expect(m.sent("append-entries-result")).to.deep.equal([]);
    m.receive(1, appendFrom(1, makeLog([1, 1, 1], "other"), 1));
    expect(m.effects("diverged")).to.deep.equal([{ type: "diverged", index: 1 }]);
    m.receive(1, appendFrom(1, makeLog([1, 1, 1], "other"), 0));
    expect(m.effects("diverged")).to.deep.equal([{ type: "diverged", index: 0 }]);
    expect(m.raft.view.lastIndex).to.equal(1);
    const restarted = new Machine({ term: 1, log: [1, 1] });
    restarted.receive(1, appendFrom(1, makeLog([1, 1, 1], "other"), 1));
    expect(restarted.effects("diverged")).to.deep.equal([{ type: "diverged", index: 1 }]);
  });

  it("§5.3: entries that the own disk falls behind with are refused by silence, and taken once it caught up", () => {
    const m = new Machine({ term: 1, config: { uncommittedBytesMax: 100 } });
    const log = makeLog([1, 1, 1, 1]);
    m.receive(1, appendFrom(1, log, -1, -1, 3));
    m.receive(1, appendFrom(1, log, 2, -1, 1));
    expect(m.raft.view.lastIndex).to.equal(2);
    expect(m.effects("send")).to.deep.equal([]);
    m.synced();
    m.receive(1, appendFrom(1, log, 2, -1, 1));
    expect(m.raft.view.lastIndex).to.equal(3);
  });
});

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
