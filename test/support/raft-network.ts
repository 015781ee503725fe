import type { NodeId } from "#core/base/brand";
import { ByteReader, ByteWriter } from "#core/base/bytes";
import type { Entry } from "#core/base/entry";
import { majority } from "#core/base/quorum";
import { decodeMessage, encodeMessage } from "#core/raft/codec";
import type { RaftConfig } from "#core/raft/config";
import type { Effect, HardState, RaftEvent } from "#core/raft/event";
import type { Message } from "#core/raft/message";
import { Raft } from "#core/raft/raft";
import { content, endOfLog, group, nodes, raftConfig, raftStart, TraceLog } from "./raft-machine.ts";

export interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly frame: Uint8Array;
}

type DiskOperation =
  | { readonly type: "save"; readonly hardState: HardState }
  | { readonly type: "append"; readonly entries: readonly Entry[] }
  | { readonly type: "truncate"; readonly from: number }
  | { readonly type: "load"; readonly peer: NodeId; readonly first: number; readonly bytes: number };

/** A machine with a disk of its own: what was synced survives a crash, the rest does not. */
export class Member {
  readonly id: NodeId;
  raft: Raft;
  up = true;
  /** What the disk certainly holds. */
  hardState: HardState = { term: 0, votedFor: "" };
  durable: Entry[] = [];
  /** The log as the machine has it. */
  log: Entry[] = [];
  /** What was handed to the disk and not done yet, in order. */
  readonly disk: DiskOperation[] = [];
  /** Messages behind a save that is not durable yet, with the number of saves to wait for. */
  readonly held: { packet: Packet; saves: number }[] = [];
  saves = 0;
  commitIndex = -1;
  /** Effects that are answers: proposed, read-ready, transferred, ... */
  answers: Effect[] = [];

  constructor(id: NodeId, raft: Raft) {
    this.id = id;
    this.raft = raft;
  }

  get role(): string {
    return this.up ? this.raft.view.role : "down";
  }
}

export interface NetworkOptions {
  readonly config?: Partial<RaftConfig>;
  readonly draw?: (node: number, key: number) => number;
}

/** A group in memory that checks the properties of Raft figure 3 at every step. */
export class RaftNetwork {
  readonly voters: readonly NodeId[];
  readonly members: readonly Member[];
  readonly trace: TraceLog = new TraceLog();
  now = 0;
  packets: Packet[] = [];
  /** Messages that left, by type. */
  readonly sentOf: Map<Message["type"], number> = new Map();
  /** Decides whether a packet arrives. */
  link: (from: NodeId, to: NodeId, message: Message) => boolean = () => true;
  private readonly options: NetworkOptions;
  private readonly writer = new ByteWriter();
  private readonly leaders = new Map<number, NodeId>();
  /** chainCrc of every index that anybody committed. */
  readonly committed: number[] = [];

  constructor(voters: number, options: NetworkOptions = {}) {
    this.options = options;
    this.voters = nodes(voters);
    this.members = this.voters.map((id, i) => new Member(id, this.machine(i, { term: 0, votedFor: "" }, [])));
    for (const member of this.members) this.step(member, { type: "start", now: this.now });
  }

  private machine(i: number, hardState: HardState, log: readonly Entry[]): Raft {
    const draw =
      this.options.draw ??
      ((member: number, key: number): number => Math.imul(member * 31 + key + 1, 0x9e3779b1) >>> 0);
    const config = raftConfig(this.voters[i] as NodeId, this.voters, this.options.config);
    return new Raft(config, raftStart(hardState, log), (key) => draw(i, key), this.trace, group);
  }

  member(id: NodeId | number): Member {
    const found = typeof id === "number" ? this.members[id] : this.members.find((member) => member.id === id);
    if (found === undefined) throw new Error(`no member ${id}`);
    return found;
  }

  get leader(): Member | undefined {
    let found: Member | undefined;
    for (const member of this.members) {
      if (member.role === "leader" && (found === undefined || member.raft.view.term > found.raft.view.term))
        found = member;
    }
    return found;
  }

  step(member: Member, event: RaftEvent): void {
    const out: Effect[] = [];
    member.raft.step(event, out);
    for (const effect of out) this.carryOut(member, effect);
    if (member.role === "leader") this.checkLeader(member);
  }

  private carryOut(member: Member, effect: Effect): void {
    switch (effect.type) {
      case "save":
        member.saves += 1;
        member.disk.push(effect);
        return;
      case "append":
        member.log.push(...effect.entries);
        member.disk.push(effect);
        return;
      case "truncate":
        member.log.length = effect.from;
        member.disk.push(effect);
        return;
      case "load":
        member.disk.push(effect);
        return;
      case "send":
        this.hold(member, effect.to, effect.message);
        return;
      case "commit":
        this.checkCommit(member, effect.index);
        return;
      case "diverged":
        throw new Error(`${member.id} diverged at ${effect.index}`);
      default:
        member.answers.push(effect);
    }
  }

  private hold(member: Member, to: NodeId, message: Message): void {
    encodeMessage(this.writer, message);
    this.sentOf.set(message.type, (this.sentOf.get(message.type) ?? 0) + 1);
    const packet = { from: member.id, to, frame: this.writer.finish() };
    if (member.saves === 0) this.packets.push(packet);
    else member.held.push({ packet, saves: member.saves });
  }

  /** Does the next thing that the disk was asked for. */
  diskStep(member: Member, tell = true): void {
    const operation = member.disk.shift();
    if (operation === undefined) return;
    const { now } = this;
    switch (operation.type) {
      case "save":
        member.hardState = operation.hardState;
        if (tell) this.savedOne(member);
        return;
      case "append": {
        member.durable.push(...operation.entries);
        let index = member.durable.length - 1;
        for (const later of member.disk)
          if (later.type === "truncate") index = Math.min(index, later.from - 1);
        if (tell) this.step(member, { type: "synced", now, index });
        return;
      }
      case "truncate":
        member.durable.length = operation.from;
        return;
      case "load": {
        const { peer, first, bytes } = operation;
        const before = endOfLog(member.durable.slice(0, first));
        const entries: Entry[] = [];
        let size = 0;
        for (const entry of member.durable.slice(first)) {
          size += entry.size;
          if (size > bytes && entries.length > 0) break;
          entries.push(entry);
        }
        if (tell) this.step(member, { type: "loaded", now, peer, before, entries });
      }
    }
  }

  private savedOne(member: Member): void {
    member.saves -= 1;
    for (const held of member.held) held.saves -= 1;
    while (member.held[0]?.saves === 0) this.packets.push((member.held.shift() as { packet: Packet }).packet);
    if (member.saves === 0) this.step(member, { type: "saved", now: this.now });
  }

  /** Delivers the packet at `at`, or loses it. */
  deliver(at = 0): void {
    const [packet] = this.packets.splice(at, 1);
    if (packet !== undefined) this.arrive(packet);
  }

  arrive(packet: Packet): void {
    const member = this.member(packet.to);
    const message = decodeMessage(new ByteReader(packet.frame.slice()));
    if (!member.up || !this.link(packet.from, packet.to, message)) return;
    this.step(member, { type: "receive", now: this.now, from: packet.from, message });
  }

  /** Delivers and syncs everything until nothing moves, without letting time pass. */
  settle(stepsMax = 20_000): void {
    for (let steps = 0; steps < stepsMax; steps++) {
      const busy = this.members.find((member) => member.up && member.disk.length > 0);
      if (busy !== undefined) this.diskStep(busy);
      else if (this.packets.length > 0) this.deliver();
      else return;
    }
    throw new Error("the group never comes to rest");
  }

  /** The next deadline of a live member. */
  get deadline(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const member of this.members) if (member.up) earliest = Math.min(earliest, member.raft.deadline());
    return earliest;
  }

  tickDue(): void {
    for (const member of this.members) {
      if (member.up && member.raft.deadline() <= this.now) this.step(member, { type: "tick", now: this.now });
    }
  }

  /** Lets time pass, with everything delivered at once. */
  advance(micros: number): void {
    const end = this.now + micros;
    this.settle();
    while (this.deadline <= end) {
      this.now = Math.max(this.now, this.deadline);
      this.tickDue();
      this.settle();
    }
    this.now = end;
  }

  /** Advances until there is a leader that has committed in its term. */
  elect(withinMicros = 5_000_000): Member {
    const end = this.now + withinMicros;
    while (this.now < end) {
      this.advance(10_000);
      const { leader } = this;
      if (leader !== undefined && leader.commitIndex >= leader.raft.view.termStart) return leader;
    }
    throw new Error(
      `no leader within ${withinMicros} us: ${this.members.map((m) => `${m.role}@${m.raft.view.term}`).join(" ")}`,
    );
  }

  propose(member: Member, ...texts: string[]): void {
    this.step(member, { type: "propose", now: this.now, request: 1, contents: texts.map(content) });
  }

  /** Ends the process; `done` operations at the front of the disk's queue still reach it. */
  crash(member: Member, done = 0): void {
    for (let i = 0; i < done; i++) this.diskStep(member, false);
    member.up = false;
    member.disk.length = 0;
    member.held.length = 0;
    member.saves = 0;
  }

  restart(member: Member): void {
    // A process takes time to come back, and by its clock tells the questions of its lives apart.
    this.now += 1_000;
    member.log = member.durable.slice();
    // Raft figure 2: the commit index is volatile and learnt anew.
    member.commitIndex = -1;
    member.raft = this.machine(this.members.indexOf(member), member.hardState, member.durable);
    member.up = true;
    this.step(member, { type: "start", now: this.now });
  }

  /** Raft figure 3: Election Safety and Leader Completeness. */
  private checkLeader(member: Member): void {
    const { term } = member.raft.view;
    const known = this.leaders.get(term);
    if (known === member.id) return;
    if (known !== undefined) throw new Error(`Election Safety: ${known} and ${member.id} lead term ${term}`);
    this.leaders.set(term, member.id);
    for (let index = 0; index < this.committed.length; index++) {
      if (member.log[index]?.chainCrc !== this.committed[index]) {
        throw new Error(
          `Leader Completeness: ${member.id} leads term ${term} without committed entry ${index}`,
        );
      }
    }
  }

  /** Committed entries are the same everywhere, for ever, and durable on a majority. */
  private checkCommit(member: Member, index: number): void {
    if (index <= member.commitIndex) throw new Error(`${member.id}: commit index went back to ${index}`);
    for (let i = Math.max(0, member.commitIndex); i <= index; i++) {
      const entry = member.log[i];
      if (entry === undefined) throw new Error(`${member.id} commits entry ${i} that it does not have`);
      const known = this.committed[i];
      if (known !== undefined && known !== entry.chainCrc) {
        throw new Error(`State Machine Safety: entry ${i} of ${member.id} is not the one that was committed`);
      }
      if (known === undefined) this.committed[i] = entry.chainCrc;
    }
    const chainCrc = this.committed[index];
    const holders = this.members.filter((other) => other.durable[index]?.chainCrc === chainCrc).length;
    if (holders < majority(this.voters.length)) {
      throw new Error(`entry ${index} was committed by ${member.id} and is durable on ${holders} only`);
    }
    member.commitIndex = index;
  }

  /** Raft figure 3, Log Matching: equal index and term means equal logs up to there. */
  checkLogMatching(): void {
    for (const one of this.members) {
      for (const two of this.members) {
        const shared = Math.min(one.log.length, two.log.length);
        for (let i = shared - 1; i >= 0; i--) {
          const a = one.log[i] as Entry;
          const b = two.log[i] as Entry;
          if (a.term === b.term && a.chainCrc !== b.chainCrc) {
            throw new Error(`Log Matching: entry ${i} of ${one.id} and ${two.id} differ`);
          }
        }
      }
    }
  }
}
