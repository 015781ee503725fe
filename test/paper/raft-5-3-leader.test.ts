import { expect } from "chai";
import { bodyOf } from "#core/base/entry";
import { content, heartbeat, heartbeatOf, Machine, node, refusal } from "../support/raft-machine.ts";

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

  it("§5.3: what one directory acknowledged does not hold for the next one of the same peer", () => {
    const m = new Machine();
    m.becomeReadyLeader();
    m.propose("a");
    m.accept(1, 1);
    m.step({ type: "peer-counts", now: m.now, peer: node(1), counts: false });
    expect(m.raft.view.progress(node(1))).to.include({ matchIndex: -1, state: "probe" });
    expect(m.sent("append-entries").map((sent) => sent.to)).to.deep.equal([node(1)]);
    m.step({ type: "peer-counts", now: m.now, peer: node(1), counts: true });
    m.synced();
    expect(m.raft.view.commitIndex).to.equal(0);
    m.accept(1, 1);
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
    // It knows nothing of the others' logs any more and sends them nothing.
    expect(m.raft.view.progress(node(1))).to.equal(undefined);
    expect(m.step({ type: "peer-up", now: m.now, peer: node(1) })).to.deep.equal([]);
  });
});
