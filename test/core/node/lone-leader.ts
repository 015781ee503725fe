import { expect } from "chai";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";
import type { Micros } from "#core/base/units";
import type { Effect, RaftEvent } from "#core/raft/event";
import type { Message } from "#core/raft/message";
import { Raft } from "#core/raft/raft";
import {
  electionMax,
  group,
  node,
  nodes,
  raftConfig,
  raftStart,
  TraceLog,
} from "../../support/raft-machine.ts";

export interface LeaderOptions {
  /** 1 or 2; the follower that this leader is watched with is 0. */
  readonly number: number;
  readonly term: number;
  /** What it holds when it is elected. */
  readonly log: readonly Entry[];
  readonly now: Micros;
  /** Entries in one message, and messages in flight. */
  readonly messageEntriesMax: number;
  readonly inFlightMessagesMax: number;
}

/** A real leader with a disk that never fails. The third voter elects it, answers its heartbeats and holds nothing. */
export class LoneLeader {
  readonly number: number;
  readonly term: number;
  readonly log: Entry[];
  private readonly raft: Raft;
  private readonly third: number;
  private readonly send: (message: Message) => void;
  private readonly waiting: RaftEvent[] = [];
  private now: Micros;

  /** @param send takes what is for the follower. */
  constructor(options: LeaderOptions, send: (message: Message) => void) {
    const { number, term, log, messageEntriesMax, inFlightMessagesMax } = options;
    this.number = number;
    this.third = 3 - number;
    this.term = term;
    this.log = log.slice();
    this.send = send;
    this.now = options.now;
    const limits = { messageEntriesMax, inFlightMessagesMax, windowEntriesMax: 4 };
    const start = raftStart({ term: term - 1, votedFor: "" }, log);
    this.raft = new Raft(raftConfig(node(number), nodes(3), limits), start, () => 0, new TraceLog(), group);
    this.step({ type: "start", now: this.now - electionMax });
    this.step({ type: "tick", now: this.now });
    this.fromThird({ type: "pre-vote-result", term, granted: true });
    this.step({ type: "saved", now: this.now });
    this.fromThird({ type: "request-vote-result", term, granted: true });
    expect(this.raft.view.role, "the third voter's vote is enough").to.equal("leader");
  }

  get commitIndex(): number {
    return this.raft.view.commitIndex;
  }

  tick(now: Micros): void {
    this.now = now;
    this.step({ type: "tick", now });
    expect(this.raft.view.role, "the third voter still follows").to.equal("leader");
  }

  propose(bytes: number): void {
    const body = new Uint8Array(bytes).fill(7);
    const contents = [{ kind: "data", body, session: 0, sequence: 0 }] as const;
    this.step({ type: "propose", now: this.now, request: 1, contents });
  }

  /** The follower's answer. */
  receive(message: Message): void {
    this.step({ type: "receive", now: this.now, from: node(0), message });
  }

  private fromThird(message: Message): void {
    this.step({ type: "receive", now: this.now, from: node(this.third), message });
  }

  /** What an event leads to on the own disk and at the third voter happens at once. */
  private step(event: RaftEvent): void {
    for (let next: RaftEvent | undefined = event; next !== undefined; next = this.waiting.shift()) {
      const effects: Effect[] = [];
      this.raft.step(next, effects);
      for (const effect of effects) this.carryOut(effect);
    }
  }

  private carryOut(effect: Effect): void {
    const { now } = this;
    if (effect.type === "append") {
      this.log.push(...effect.entries);
      this.waiting.push({ type: "synced", now, index: this.log.length - 1 });
    } else if (effect.type === "load") {
      const { first, peer } = effect;
      const previous = this.log[first - 1];
      const before = previous === undefined ? emptyLogEnd : endOf(previous);
      this.waiting.push({ type: "loaded", now, peer, before, entries: this.log.slice(first, first + 3) });
    } else if (effect.type === "send") this.sent(Number(effect.to.slice(1)), effect.message);
  }

  private sent(to: number, message: Message): void {
    const { type } = message;
    if (to === 0 && (type === "append-entries" || type === "heartbeat")) this.send(message);
    if (to !== this.third || type !== "heartbeat") return;
    const answer = {
      type: "heartbeat-result",
      term: this.term,
      round: message.round,
      matchIndex: -1,
    } as const;
    this.waiting.push({ type: "receive", now: this.now, from: node(this.third), message: answer });
  }
}
