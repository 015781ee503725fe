import { expect } from "chai";
import {
  accepted,
  appendFrom,
  endOfLog,
  heartbeatOf,
  Machine,
  makeLog,
  node,
  refusal,
} from "../support/raft-machine.ts";

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

  it("§5.3: what was asserted to the leader of one term is asserted anew to the next", () => {
    const m = new Machine({ term: 1 });
    m.receive(1, appendFrom(1, makeLog([1, 1, 1, 1]), -1));
    m.synced();
    expect(m.sent("append-entries-result")[0]).to.include({ matchIndex: 3 });
    m.receive(1, heartbeatOf(1));
    expect(m.sent("heartbeat-result")[0]).to.include({ term: 1, matchIndex: 3 });
    m.receive(2, appendFrom(2, makeLog([1, 2]), 0));
    expect(m.sent("append-entries-result")).to.deep.equal([]);
    m.synced();
    expect(m.sent("append-entries-result")).to.deep.equal([{ ...accepted(2, 1), to: node(2) }]);
    m.receive(1, heartbeatOf(1));
    expect(m.sent("heartbeat-result")[0], "nothing to the old one").to.include({ term: 2, matchIndex: -1 });
  });

  it("§5.3: an entry that conflicts, and all behind it, give way to the leader's", () => {
    const m = new Machine({ term: 4, log: [1, 1, 2, 2, 2] });
    const log = makeLog([1, 1, 3, 3]);
    m.receive(1, appendFrom(4, log, 0));
    expect(m.last.slice(0, 3).map((effect) => effect.type)).to.deep.equal(["role", "truncate", "append"]);
    expect(m.effects("truncate")).to.deep.equal([
      { type: "truncate", from: 2, before: endOfLog(log.slice(0, 2)) },
    ]);
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
    expect(m.effects("truncate")).to.deep.equal([
      { type: "truncate", from: 2, before: endOfLog(log.slice(0, 2)) },
    ]);
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
