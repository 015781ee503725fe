import { expect } from "chai";
import { identity, recordOf } from "#bench/storage/log-script";
import type { MemoryDisk } from "#bench/storage/memory-disk";
import { nodeId } from "#core/base/brand";
import { ByteReader } from "#core/base/bytes";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";
import type { Micros } from "#core/base/units";
import { decodeFetch, readFrameHeader } from "#core/node/peer-frame";
import type { DamagedRange } from "#core/node/repair";
import { Repair } from "#core/node/repair";
import type { Effect, RaftEvent } from "#core/raft/event";
import type { Message } from "#core/raft/message";
import { Raft } from "#core/raft/raft";
import type { LogStore, Opened } from "#core/storage/log-store";
import { openStore } from "#core/storage/log-store";
import { appendFrom, group, node, nodes, raftConfig, TraceLog } from "../../support/raft-machine.ts";
import { options } from "../storage/damaged-log.ts";
import type { LoneLeader } from "./lone-leader.ts";

export interface FollowerOptions {
  /** At least the terms of its entries. */
  readonly term: number;
  readonly windowEntriesMax: number;
  /** Copies that repair holds at a time. */
  readonly copyBytesMax: number;
  /** The leader of a term, which the follower answered in. */
  readonly leaderOf: (term: number) => LoneLeader | undefined;
  /** Takes an answer and for whom it is. */
  readonly send: (to: number, message: Message) => void;
}

/** What happened to it. */
export interface Tally {
  /** Cuts whose first entry was damaged, and some before it. */
  cutsThroughDamage: number;
  mendings: number;
}

/**
 * A store, the Raft machine that drives it and the repair of what it lost, wired as a node wires them. It applies what it
 * reads from the store. The one who plays its world carries out the disk's calls.
 */
export class FollowerUnderRepair {
  readonly disk: MemoryDisk;
  readonly tally: Tally = { cutsThroughDamage: 0, mendings: 0 };
  /** The last index of what it was given to open. */
  readonly openedAt: number;
  /** The highest index that it vouched for, to the leader of each term. */
  readonly vouched = new Map<number, number>();
  applied = -1;
  now: Micros = 1_000_000;
  private readonly options: FollowerOptions;
  private readonly store: LogStore;
  private readonly opened: Opened;
  private readonly raft: Raft;
  private readonly repair: Repair;
  private readonly fetches: DamagedRange[] = [];
  private readonly waiting: RaftEvent[] = [];
  private readonly failures: string[] = [];
  private stepping = false;
  private standing: "member" | "damaged" = "member";
  private committed = -1;
  private reading = false;

  constructor(disk: MemoryDisk, options: FollowerOptions) {
    this.disk = disk;
    this.options = options;
    this.opened = this.open();
    const { store, recovered } = this.opened;
    this.store = store;
    this.openedAt = recovered.end.index;
    const limits = { windowEntriesMax: options.windowEntriesMax };
    const { end, terms } = recovered;
    const start = { hardState: { term: options.term, votedFor: "" as const }, end, terms };
    this.raft = new Raft(raftConfig(node(0), nodes(3), limits), start, () => 0, new TraceLog(), group);
    this.repair = this.makeRepair();
    if (store.damage().length > 0) this.standing = "damaged";
    this.participate();
    this.step({ type: "start", now: this.now });
  }

  private open(): Opened {
    let opened: Opened | undefined;
    const events = {
      synced: (index: number): void => this.step({ type: "synced", now: this.now, index }),
      saved: (): void => this.step({ type: "saved", now: this.now }),
      failed: (error: Error, operation: string): number =>
        this.failures.push(`${operation}: ${error.message}`),
      damaged: (): void => this.hurt(),
    };
    openStore(
      this.disk,
      options,
      () => identity,
      events,
      (error, value) => {
        if (error !== undefined) throw error;
        opened = value;
      },
    );
    while (opened === undefined && this.disk.step());
    if (opened === undefined) throw new Error("the store did not open");
    return opened;
  }

  private makeRepair(): Repair {
    const { store } = this;
    return new Repair(
      {
        group,
        others: [nodeId("n1"), nodeId("n2")],
        bytesMax: this.options.copyBytesMax,
        send: (_to, frame) => {
          const reader = new ByteReader(frame, 0);
          readFrameHeader(reader);
          this.fetches.push(decodeFetch(reader));
        },
        hole: () => store.hole(),
        mend: (entries, upTo, done) => store.mend(entries, done, upTo),
      },
      {
        placed: (records) => {
          this.tally.mendings += 1;
          this.step({ type: "learned", now: this.now, records });
        },
        mended: () => {
          if (store.damage().length === 0) return this.healed();
          this.participate();
          this.repair.ask();
        },
        failed: (error) => this.failures.push(`repair: ${error.message}`),
      },
    );
  }

  // ---- Standing

  private hurt(): void {
    this.standing = "damaged";
    this.participate();
  }

  private healed(): void {
    if (this.standing === "member") return;
    this.standing = "member";
    this.participate();
  }

  private participate(): void {
    const participation = this.standing === "member" ? "full" : "none";
    const first = this.store.damage()[0]?.first;
    const intactTo = first === undefined ? Number.POSITIVE_INFINITY : first - 1;
    this.step({ type: "participation", now: this.now, participation, intactTo });
  }

  // ---- The machine

  receive(from: number, message: Message): void {
    this.step({ type: "receive", now: this.now, from: node(from), message });
  }

  /** What an effect leads to at once is the next turn's. */
  private step(event: RaftEvent): void {
    this.waiting.push(event);
    if (this.stepping) return;
    this.stepping = true;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      const effects: Effect[] = [];
      this.raft.step(next, effects);
      for (const effect of effects) this.carryOut(effect);
    }
    this.stepping = false;
  }

  private carryOut(effect: Effect): void {
    const { store } = this;
    if (effect.type === "append") store.append(effect.entries);
    else if (effect.type === "truncate") {
      const { from } = effect;
      if (store.damage().some(({ first, last }) => first < from && from <= last))
        this.tally.cutsThroughDamage += 1;
      store.truncate(from, effect.before);
    } else if (effect.type === "save") store.saveMeta({ ...this.opened.recovered.meta, ...effect.hardState });
    else if (effect.type === "send") this.sent(Number(effect.to.slice(1)), effect.message);
    else if (effect.type === "commit") this.committed = effect.index;
    else expect(effect.type, `the logs differ: ${JSON.stringify(effect)}`).to.not.equal("diverged");
  }

  private sent(to: number, message: Message): void {
    if (message.type !== "append-entries-result" && message.type !== "heartbeat-result") return;
    if (message.matchIndex >= 0) this.expectHeld(message.term, message.matchIndex);
    this.options.send(to, message);
  }

  /** What it vouches for is synced, readable and, having the leader's term there, the leader's (Log Matching, Raft §5.3). */
  private expectHeld(term: number, index: number): void {
    const leader = this.options.leaderOf(term);
    expect(index, "what is vouched for is synced").to.be.at.most(this.store.durableIndex);
    const first = this.store.damage()[0]?.first ?? Number.POSITIVE_INFINITY;
    expect(index, "what is vouched for lies before all damage").to.be.lessThan(first);
    expect(this.raft.termAt(index), `what is vouched for is the leader's, ${index}`).to.equal(
      leader?.log[index]?.term,
    );
    this.vouched.set(term, Math.max(index, this.vouched.get(term) ?? -1));
  }

  // ---- Timers and peers

  /** The timer of a node that has damage. */
  askPeers(): void {
    if (this.store.damage().length === 0) this.healed();
    else this.repair.ask();
  }

  /** Fetches that no peer has answered yet. */
  get asked(): number {
    return this.fetches.length;
  }

  /** A peer answers one fetch out of a log with at most so many records. Those before it are lost. */
  help(log: readonly Entry[], place: number, count: number): void {
    const fetch = this.fetches.splice(0, place + 1)[place];
    if (fetch === undefined) return;
    const entries = log.slice(fetch.first, Math.min(fetch.last + 1, fetch.first + count));
    if (entries.length === 0) return;
    const previous = log[fetch.first - 1];
    this.repair.received(previous === undefined ? emptyLogEnd : endOf(previous), entries);
  }

  /** Applies some of what is committed; all of it must be what `log` holds. */
  apply(bytesMax: number, log: readonly Entry[]): void {
    if (this.reading || this.applied >= this.committed) return;
    this.reading = true;
    this.store.read(this.applied + 1, { last: this.committed, bytesMax }, (error, value) => {
      this.reading = false;
      if (error !== undefined) {
        if (this.standing !== "damaged") this.hurt();
        return;
      }
      for (const entry of value.entries) {
        this.applied += 1;
        expect(entry.index).to.equal(this.applied);
        const leaders = log[entry.index];
        expect(leaders && recordOf(leaders), `what is applied is the leader's, ${entry.index}`).to.equal(
          recordOf(entry),
        );
      }
    });
  }

  /** Somebody reads, so that damage is met; what it gets does not matter. */
  scrub(first: number): void {
    this.store.read(
      Math.min(first, this.raft.view.lastIndex),
      { last: this.raft.view.lastIndex, bytesMax: 1 << 20 },
      () => undefined,
    );
  }

  // ---- The end

  expectSound(): void {
    expect(this.failures, "the store never fails").to.deep.equal([]);
  }

  /** Whether nothing is left to do: all of the leader's log is here, committed and applied. */
  hasAllOf(log: readonly Entry[]): boolean {
    const last = log.length - 1;
    const whole = this.standing === "member" && this.store.damage().length === 0;
    return whole && this.applied === last && this.raft.view.lastIndex === last;
  }

  /** Every term is known and right. Of those that only bounds are known of it would take another one for its own, too. */
  expectTermsOf(leader: LoneLeader): void {
    const { log } = leader;
    for (const { index, term } of log) {
      expect(this.raft.termAt(index), `term of ${index}`).to.equal(term);
      const taken = [term - 1, term, term + 1].filter((prevTerm) => this.takes(leader, index, prevTerm));
      expect(taken, `terms that ${index} may be of`).to.deep.equal([term]);
    }
  }

  private takes(leader: LoneLeader, prevIndex: number, prevTerm: number): boolean {
    const effects: Effect[] = [];
    const message = { ...appendFrom(leader.term, leader.log, prevIndex, -1, 0), prevTerm };
    this.raft.step({ type: "receive", now: this.now, from: node(leader.number), message }, effects);
    return effects.some(
      (effect) =>
        effect.type === "send" && effect.message.type === "append-entries-result" && effect.message.accepted,
    );
  }

  toString(): string {
    return JSON.stringify({
      standing: this.standing,
      damage: this.store.damage(),
      applied: this.applied,
      committed: this.committed,
      last: this.raft.view.lastIndex,
    });
  }
}
