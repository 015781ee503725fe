import { expect } from "chai";
import { endOfAll, recordOf, TestLog } from "#bench/storage/log-script";
import type { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";
import type { Effect, RaftEvent } from "#core/raft/event";
import type { Message } from "#core/raft/message";
import { Raft } from "#core/raft/raft";
import { group, node, nodes, raftConfig, TraceLog } from "../../support/raft-machine.ts";
import { entriesOf, options, reopened } from "./damaged-log.ts";
import { flipRecord1, leaders, own, ownDisk } from "./two-logs.ts";

const term = 5;

/** A follower of term 5: a log on a disk and the machine that drives it. */
class Follower {
  readonly log: TestLog;
  /** The index that it vouched for last. */
  matched = -1;
  private readonly raft: Raft;

  constructor(disk: MemoryDisk) {
    this.log = reopened(disk);
    this.log.disk.run();
    const { end, terms } = this.log.recovered;
    const start = { hardState: { term, votedFor: "" as const }, end, terms };
    this.raft = new Raft(raftConfig(node(0), nodes(3)), start, () => 0, new TraceLog(), group);
    const first = this.log.store.damage()[0]?.first;
    const participation = first === undefined ? "full" : "none";
    const intactTo = first === undefined ? Number.POSITIVE_INFINITY : first - 1;
    this.step({ type: "participation", now: 1, participation, intactTo });
    this.step({ type: "start", now: 1 });
  }

  private step(event: RaftEvent): void {
    const effects: Effect[] = [];
    this.raft.step(event, effects);
    for (const effect of effects) {
      if (effect.type === "append") this.log.store.append(effect.entries);
      else if (effect.type === "truncate") this.log.store.truncate(effect.from, effect.before);
      else if (effect.type === "send") this.sent(effect.message);
    }
    this.log.disk.run();
    for (const index of this.log.synced.splice(0)) this.step({ type: "synced", now: 1, index });
  }

  private sent(message: Message): void {
    if (message.type === "append-entries-result") this.matched = message.matchIndex;
  }

  /** The leader sends what it has behind `previous` up to `last`. */
  receive(previous: number, last: number, commitIndex: number): void {
    const before = endOf(leaders[previous] as Entry);
    this.step({
      type: "receive",
      now: 1,
      from: node(1),
      message: {
        type: "append-entries",
        term,
        prevIndex: previous,
        prevTerm: before.term,
        prevChainCrc: before.chainCrc,
        prevPos: before.pos,
        commitIndex,
        entries: leaders.slice(previous + 1, last + 1),
      } as Message,
    });
  }
}

function expectLeaders(log: TestLog, last: number): void {
  for (let index = 0; index <= last; index++) {
    const [entry] = log.read(index, 1, index).entries;
    expect(recordOf(entry as Entry), `record ${index}`).to.equal(recordOf(leaders[index] as Entry));
  }
}

describe("records that a cut within damage took away", () => {
  for (const when of ["before", "after"] as const) {
    it(`are not vouched for when the disk gives them again ${when} the cut`, () => {
      const disk = ownDisk();
      flipRecord1(disk);
      const follower = new Follower(disk);
      expect(follower.log.store.damage()).to.deep.equal([{ first: 1, last: 4 }]);
      if (when === "before") flipRecord1(follower.log.disk);
      // 1 and 2 are of a term that lies between those around the damage; 3 conflicts.
      follower.receive(0, 3, 0);
      follower.receive(3, 5, 0);
      if (when === "after") flipRecord1(follower.log.disk);
      follower.receive(5, 5, 5);
      expectLeaders(follower.log, follower.matched);
      follower.log.store.markIdle();
      follower.log.disk.run();

      const again = new Follower(follower.log.disk);
      again.receive(5, 5, 5);
      const [hole] = again.log.store.damage();
      if (hole !== undefined) again.log.mend(leaders.slice(hole.first, hole.last + 1));
      expectLeaders(again.log, again.matched);
      expect(again.log.readAll().map(recordOf)).to.deep.equal(leaders.map(recordOf));
    });

    it(`are damage until the leader's are in their place, when the disk gives them again ${when} the cut`, () => {
      const disk = ownDisk();
      flipRecord1(disk);
      const log = reopened(disk);
      if (when === "before") flipRecord1(log.disk);
      log.store.truncate(3, endOf(leaders[2] as Entry));
      log.store.append(leaders.slice(3));
      log.disk.run();
      if (when === "after") flipRecord1(log.disk);
      const again = reopened(log.disk);
      expect(again.store.damage()).to.deep.equal([{ first: 1, last: 2 }]);
      expect(again.mend(leaders.slice(1, 3))).to.equal(true);
      expect(again.readAll().map(recordOf)).to.deep.equal(leaders.map(recordOf));
    });
  }

  it("are given to no reader while the cut waits for what is being written", () => {
    const disk = ownDisk();
    flipRecord1(disk);
    const log = new TestLog(disk, options);
    log.disk.run();
    flipRecord1(log.disk);
    // The former leader's entry is under way when the new leader's come.
    log.store.append(entriesOf([[4, [100]]], endOfAll(own, emptyLogEnd)));
    log.store.truncate(3, endOf(leaders[2] as Entry));
    log.store.append(leaders.slice(3));
    let answered = false;
    let got: readonly Entry[] = [];
    log.store.read(1, { last: 5, bytesMax: 10_000 }, (_error, value) => {
      answered = true;
      got = value?.entries ?? [];
    });
    log.disk.run();
    expect(answered).to.equal(true);
    for (const entry of got)
      expect(recordOf(entry), `record ${entry.index}`).to.equal(recordOf(leaders[entry.index] as Entry));
  });
});
