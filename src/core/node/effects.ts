import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import { ByteWriter } from "../base/bytes.ts";
import type { Entry } from "../base/entry.ts";
import type { FaultCode } from "../base/errors.ts";
import type { Timer } from "../io/clock.ts";
import { encodeHead } from "../raft/codec.ts";
import type { Effect, RaftEvent } from "../raft/event.ts";
import type { Message } from "../raft/message.ts";
import type { Raft } from "../raft/raft.ts";
import type { LogStore, Meta } from "../storage/log-store.ts";
import type { NodeLimits } from "./config.ts";
import type { Lane } from "./links.ts";
import { beginFrame } from "./peer-frame.ts";
import type { NodePorts } from "./ports.ts";

export interface EffectEvents {
  committed(index: number): void;
  proposed(request: number, entries: readonly Entry[]): void;
  proposeFailed(request: number, code: FaultCode): void;
  readReady(request: number, index: number): void;
  readFailed(request: number, code: FaultCode): void;
  roleChanged(reason: string): void;
  diverged(index: number): void;
  /** Entries that a peer needs were read here, or the first of them could not be. */
  loaded(peer: NodeId): void;
  loadFailed(peer: NodeId, index: number, error: Error): void;
}

export interface EffectRunnerOptions {
  readonly node: NodeId;
  readonly group: GroupId;
  readonly limits: NodeLimits;
  readonly ports: NodePorts;
  readonly raft: Raft;
  readonly store: LogStore;
  /** What the directory remembers. */
  readonly recovered: Meta;
  send(to: NodeId, lane: Lane, frame: Uint8Array, rest: readonly Uint8Array[]): boolean;
  /** The peers' incarnations, saved beside every hard state. */
  peers(): Meta["peers"];
  readonly events: EffectEvents;
}

/** Messages that may wait for a hard state; of more the oldest are dropped, as a network would: Raft repeats them. */
const heldMax = 4_096;

/**
 * Steps a group's Raft machine and carries its effects out in order. The rule of the house: what a message asserts is
 * synced before it leaves. A message behind a `save` is held until term and vote are on the disk; entries are asserted
 * by the machine itself, only after `synced`.
 */
export class EffectRunner {
  readonly raft: Raft;
  private readonly options: EffectRunnerOptions;
  private readonly effects: Effect[] = [];
  private readonly waiting: RaftEvent[] = [];
  private stepping = false;
  private stopped = false;
  private meta: Omit<Meta, "peers">;
  /** Completions of saves, in order: hard states, and the peers' incarnations that are saved beside them. */
  private readonly saves: { readonly hardState: boolean; readonly done: () => void }[] = [];
  /** Hard states handed to the store, and how many of them are durable. */
  private hardStates = 0;
  private hardStatesDurable = 0;
  /** Messages that wait for the hard state they were emitted behind, in order. */
  private readonly held: { readonly to: NodeId; readonly message: Message; readonly behind: number }[] = [];
  private readonly writer = new ByteWriter();
  private lastSynced = 0;
  private marking = false;
  private timer: Timer | undefined;
  private timerAt = Number.POSITIVE_INFINITY;
  private transfers = 0;
  private readonly transferring = new Map<number, (code: FaultCode | "ok") => void>();

  constructor(options: EffectRunnerOptions) {
    this.options = options;
    this.raft = options.raft;
    const { term, votedFor } = options.raft.view;
    this.meta = { ...options.recovered, term, votedFor };
  }

  /** One input of the machine; inputs that arise while effects are carried out wait for their turn. */
  step(event: RaftEvent): void {
    if (this.stopped) return;
    if (this.stepping) {
      this.waiting.push(event);
      return;
    }
    this.stepping = true;
    let next: RaftEvent | undefined = event;
    while (next !== undefined && !this.stopped) {
      this.effects.length = 0;
      this.raft.step(next, this.effects);
      // Effects run to their end before the next input, so they see the machine as it was when it emitted them.
      const effects = this.effects;
      for (let n = 0; n < effects.length; n++) this.run(effects[n] as Effect);
      next = this.waiting.shift();
    }
    this.stepping = false;
    this.arm();
  }

  private run(effect: Effect): void {
    const { store, events } = this.options;
    switch (effect.type) {
      case "send":
        return this.send(effect.to, effect.message);
      case "append":
        return store.append(effect.entries);
      case "commit":
        return events.committed(effect.index);
      case "proposed":
        return events.proposed(effect.request, effect.entries);
      case "save":
        return this.save(effect.hardState);
      case "truncate":
        return store.truncate(effect.from, effect.before);
      case "load":
        return this.load(effect.peer, effect.first, effect.bytes);
      case "propose-failed":
        return events.proposeFailed(effect.request, effect.code);
      case "read-ready":
        return events.readReady(effect.request, effect.index);
      case "read-failed":
        return events.readFailed(effect.request, effect.code);
      case "transferred":
        return this.transferred(effect.request, effect.code);
      case "role":
        return events.roleChanged(effect.reason);
      case "diverged":
        return this.diverged(effect.index);
    }
  }

  // ---- Messages

  private send(to: NodeId, message: Message): void {
    if (message.type === "append-entries-result" || message.type === "heartbeat-result") {
      assert(
        message.matchIndex <= this.options.store.durableIndex,
        "only entries that the disk has synced are acknowledged (figure 2, persistent state)",
      );
    }
    if (this.hardStates === this.hardStatesDurable) this.transmit(to, message);
    else {
      this.held.push({ to, message, behind: this.hardStates });
      if (this.held.length > heldMax) this.held.shift();
    }
  }

  private transmit(to: NodeId, message: Message): void {
    const { node, group, ports } = this.options;
    if (message.type === "request-vote-result" && message.granted) {
      ports.trace.emit({ kind: "vote", node, group, term: message.term, candidate: to });
    }
    const records = encodeHead(beginFrame(this.writer, "raft", group), message);
    const bulk = message.type === "append-entries" && message.entries.length > 0;
    // A frame that is not taken is as a lost one: Raft sends it again.
    this.options.send(to, bulk ? "bulk" : "control", this.writer.finish(), records);
  }

  // ---- Hard state

  private save(hardState: Meta | { readonly term: number; readonly votedFor: NodeId | "" }): void {
    this.meta = { ...this.meta, term: hardState.term, votedFor: hardState.votedFor };
    this.hardStates += 1;
    const { term, votedFor } = this.meta;
    this.saves.push({ hardState: true, done: () => this.hardStateSaved(term, votedFor) });
    this.options.store.saveMeta({ ...this.meta, peers: this.options.peers() });
  }

  savePeers(peers: Meta["peers"], done: () => void): void {
    this.saves.push({ hardState: false, done });
    this.options.store.saveMeta({ ...this.meta, peers });
  }

  /**
   * The log differs from the leader's where it must not. The directory remembers it: a node that forgot would vote by a log
   * that is known to be wrong somewhere, or lead with it.
   */
  private diverged(index: number): void {
    if (this.meta.divergedAt === undefined) {
      this.meta = { ...this.meta, divergedAt: index };
      this.savePeers(this.options.peers(), () => undefined);
    }
    this.options.events.diverged(index);
  }

  /** The store finished the oldest save. */
  saved(): void {
    if (this.stopped) return;
    const save = this.saves.shift();
    assert(save !== undefined, "every save is answered once");
    save.done();
  }

  private hardStateSaved(term: number, votedFor: NodeId | ""): void {
    const { node, group, ports } = this.options;
    ports.trace.emit({ kind: "hard-state", node, group, term, votedFor });
    this.hardStatesDurable += 1;
    while (this.held.length > 0 && (this.held[0]?.behind ?? 0) <= this.hardStatesDurable) {
      const next = this.held.shift();
      // While it waited the node went on to a newer term: what it said in the old one matters to nobody now.
      if (next !== undefined && next.message.term >= this.raft.view.term)
        this.transmit(next.to, next.message);
    }
    if (this.hardStatesDurable < this.hardStates) return;
    this.step({ type: "saved", now: ports.clock.monotonic() });
  }

  // ---- Log

  /** The store synced everything up to `index`. */
  synced(index: number): void {
    const { node, group, ports } = this.options;
    if (this.stopped) return;
    if (ports.trace.detailed) ports.trace.emit({ kind: "sync", node, group, index });
    this.lastSynced = ports.clock.monotonic();
    this.armMark();
    this.step({ type: "synced", now: ports.clock.monotonic(), index });
  }

  /**
   * An idle log soon marks how far it is synced, so that a damaged last batch is told from a torn one; a busy one is
   * left alone, for its next batch carries the mark.
   */
  private armMark(): void {
    if (this.marking || this.stopped) return;
    this.marking = true;
    const { clock } = this.options.ports;
    clock.at(this.lastSynced + this.options.limits.idleMarkDelay, () => {
      this.marking = false;
      if (this.stopped) return;
      if (clock.monotonic() - this.lastSynced < this.options.limits.idleMarkDelay) return this.armMark();
      this.options.store.markIdle();
    });
  }

  /**
   * Whether the disk has room for a leader's entries; without it they are not taken, as if the message was lost. The
   * reserve is for what an election needs: the leader's no-op, and what it held before. Its clients' entries never get it.
   */
  hasRoom(entries: readonly Entry[], leaderTerm: number): boolean {
    const { clientBytes, reserveBytes } = this.options.store.space();
    if (clientBytes === Number.MAX_SAFE_INTEGER) return true;
    // What waits for the disk will take its part of the room.
    let bytes = this.raft.view.undurableBytes;
    let room = clientBytes + reserveBytes;
    for (const entry of entries) {
      bytes += entry.size;
      if (entry.term === leaderTerm && entry.kind !== "no-op") room = clientBytes;
    }
    return bytes <= room;
  }

  /** Bytes that entries of clients may still take; Number.MAX_SAFE_INTEGER while the disk takes all. */
  clientRoom(): number {
    const { clientBytes } = this.options.store.space();
    if (clientBytes === Number.MAX_SAFE_INTEGER) return clientBytes;
    return Math.max(0, clientBytes - this.raft.view.undurableBytes);
  }

  private load(peer: NodeId, first: number, bytes: number): void {
    const { limits, store, ports, events } = this.options;
    const limit = { last: first + limits.messageEntriesMax - 1, bytesMax: bytes };
    store.read(first, limit, (error, value) => {
      if (error === undefined) events.loaded(peer);
      else events.loadFailed(peer, first, error);
      const found =
        error === undefined
          ? value
          : { before: { index: first - 1, term: 0, chainCrc: 0, pos: 0 }, entries: [] };
      this.step({
        type: "loaded",
        now: ports.clock.monotonic(),
        peer,
        before: found.before,
        entries: found.entries,
      });
    });
  }

  // ---- Transfer

  /** @param done is told once: "ok", or why leadership stays. */
  transfer(to: NodeId, done: (code: FaultCode | "ok") => void): void {
    this.transfers += 1;
    this.transferring.set(this.transfers, done);
    this.step({ type: "transfer", now: this.options.ports.clock.monotonic(), request: this.transfers, to });
  }

  private transferred(request: number, code: FaultCode | "ok"): void {
    const done = this.transferring.get(request);
    this.transferring.delete(request);
    done?.(code);
  }

  // ---- Time

  /** One timer stands for all of the machine's deadlines; it is moved forward only, and fires early at worst. */
  private arm(): void {
    if (this.stopped) return;
    const deadline = this.raft.deadline();
    if (deadline >= this.timerAt) return;
    this.timer?.cancel();
    this.timerAt = deadline;
    this.timer = this.options.ports.clock.at(deadline, () => {
      this.timerAt = Number.POSITIVE_INFINITY;
      this.step({ type: "tick", now: this.options.ports.clock.monotonic() });
    });
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    for (const request of [...this.transferring.keys()]) this.transferred(request, "stopping");
  }
}
