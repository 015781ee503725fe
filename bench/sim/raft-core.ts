import type { GroupId, NodeId } from "#core/base/brand";
import { ByteReader, ByteWriter } from "#core/base/bytes";
import type { EntryContent } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { kibibyte, mebibyte, millisecond, second } from "#core/base/units";
import type { Trace } from "#core/io/trace";
import { decodeMessage, encodeMessage } from "#core/raft/codec";
import type { RaftConfig } from "#core/raft/config";
import type { Effect, RaftEvent } from "#core/raft/event";
import { Raft } from "#core/raft/raft";
import type { Measurement, Row } from "./measurement.ts";
import { Shortest, shareOf, timed } from "./measurement.ts";

export const raftNodes = 3;
export const raftBatch = 64;
export const proposalBytes = 100;

const group = "g0" as GroupId;
const voters = Array.from({ length: raftNodes }, (_, i) => `n${i}` as NodeId);
const silent: Trace = { detailed: false, emit() {} };

function configOf(self: NodeId): RaftConfig {
  return {
    self,
    voters,
    heartbeatInterval: 75 * millisecond,
    electionTimeoutMin: 300 * millisecond,
    electionTimeoutMax: 600 * millisecond,
    hintDelayMax: 50 * millisecond,
    transferTimeout: second,
    retransmitTimeout: 200 * millisecond,
    // As raft-rs is set up beside it: `max_inflight_msgs`, `max_size_per_msg`.
    inFlightMessagesMax: 256,
    inFlightBytesMax: 8 * mebibyte,
    messageBytesMax: mebibyte,
    messageEntriesMax: 1_024,
    windowBytesMax: 512 * kibibyte,
    windowEntriesMax: 4_096,
    uncommittedBytesMax: 8 * mebibyte,
    uncommittedEntriesMax: 16_384,
    pendingReadsMax: 64,
  };
}

interface Packet {
  readonly from: NodeId;
  readonly to: number;
  readonly frame: Uint8Array;
}

interface Core {
  readonly id: NodeId;
  readonly raft: Raft;
}

/** Three machines whose disks are done at once and whose messages wait in one queue. */
class MemoryGroup {
  messages = 0;
  private readonly cores: readonly Core[];
  private readonly writer = new ByteWriter();
  private packets: Packet[] = [];
  private now = 0;

  constructor() {
    this.cores = voters.map((id) => {
      const start = { hardState: { term: 0, votedFor: "" }, end: emptyLogEnd, terms: [] } as const;
      return { id, raft: new Raft(configOf(id), start, () => 0, silent, group) };
    });
    for (const core of this.cores) this.step(core, { type: "start", now: this.now });
    this.now = second;
    this.step(this.leader, { type: "tick", now: this.now });
    this.deliver();
    if (this.leader.raft.view.role !== "leader") throw new Error("n0 was not elected");
  }

  /** Hands `count` proposals to the leader before any of its messages leaves. */
  propose(content: EntryContent, count: number, grouped: boolean): void {
    const { leader, now } = this;
    const out: Effect[] = [];
    const contents = [content];
    for (let request = 0; request < count; request++)
      leader.raft.step({ type: "propose", now, request, contents, more: grouped }, out);
    if (grouped) leader.raft.step({ type: "flush", now }, out);
    this.carryOut(leader, out);
  }

  /** Lets every message arrive, and those that come of it. */
  deliver(): void {
    while (this.packets.length > 0) {
      const packets = this.packets;
      this.packets = [];
      for (const { from, to, frame } of packets) {
        this.messages += 1;
        const message = decodeMessage(new ByteReader(frame));
        this.step(this.cores[to] as Core, { type: "receive", now: this.now, from, message });
      }
    }
  }

  get committed(): number {
    return Math.min(...this.cores.map(({ raft }) => raft.view.commitIndex));
  }

  private get leader(): Core {
    return this.cores[0] as Core;
  }

  private step(core: Core, event: RaftEvent): void {
    const out: Effect[] = [];
    core.raft.step(event, out);
    this.carryOut(core, out);
  }

  private carryOut(core: Core, effects: readonly Effect[]): void {
    let index = -1;
    let saved = false;
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          encodeMessage(this.writer, effect.message);
          this.packets.push({ from: core.id, to: voters.indexOf(effect.to), frame: this.writer.finish() });
          break;
        case "append":
          index = effect.entries[effect.entries.length - 1]?.index ?? index;
          break;
        case "save":
          saved = true;
          break;
        case "load":
        case "truncate":
        case "propose-failed":
        case "diverged":
          throw new Error(`${core.id}: ${effect.type} in a group where nothing goes wrong`);
        default:
      }
    }
    if (saved) this.step(core, { type: "saved", now: this.now });
    if (index >= 0) this.step(core, { type: "synced", now: this.now, index });
  }
}

/** @returns how many messages the proposals took. */
export function raftCore(proposals: number, grouped: boolean): number {
  const content: EntryContent = {
    kind: "data",
    body: new Uint8Array(proposalBytes).fill(7),
    session: 0,
    sequence: 0,
  };
  const memory = new MemoryGroup();
  const before = memory.messages;
  for (let done = 0; done < proposals; done += raftBatch) {
    memory.propose(content, Math.min(raftBatch, proposals - done), grouped);
    memory.deliver();
  }
  // The no-op of the election is entry 0.
  if (memory.committed !== proposals) throw new Error(`${memory.committed} of ${proposals} were committed`);
  return memory.messages - before;
}

/** (e) The Raft core alone: three nodes in memory, every message through its codec both ways. */
export class RaftCore implements Measurement {
  readonly letter = "e";
  private readonly proposals: number;
  private readonly modes = [false, true].map((grouped) => ({
    grouped,
    messages: 0,
    shortest: new Shortest(),
  }));

  constructor(proposals: number) {
    this.proposals = proposals;
  }

  round(): void {
    for (const mode of this.modes)
      mode.messages = timed(mode.shortest, () => raftCore(this.proposals, mode.grouped));
  }

  rows(bare: number | undefined): Row[] {
    return this.modes.flatMap(({ grouped, messages, shortest }): Row[] => {
      const value = shortest.perSecond(messages);
      const how = grouped ? `grouped by ${raftBatch}` : "each by itself";
      return [
        {
          letter: "e",
          what: `Raft core with its codec, proposals ${how}`,
          value,
          unit: "messages/s",
          ...shareOf(value, bare),
        },
        { letter: "e", what: "  the same", value: shortest.perSecond(this.proposals), unit: "proposals/s" },
      ];
    });
  }
}
