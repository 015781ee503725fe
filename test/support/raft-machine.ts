import type { GroupId, NodeId } from "#core/base/brand";
import type { Entry, EntryContent, LogEnd } from "#core/base/entry";
import { emptyLogEnd, encodeEntries, endOf } from "#core/base/entry";
import type { Trace, TraceEvent } from "#core/io/trace";
import type { RaftConfig } from "#core/raft/config";
import type { Effect, HardState, RaftEvent, RaftStart, TermRun } from "#core/raft/event";
import type { AppendEntries, AppendEntriesResult, Heartbeat, Message, RequestVote } from "#core/raft/message";
import { Raft } from "#core/raft/raft";

export const group = "g0" as GroupId;

export function node(number: number): NodeId {
  return `n${number}` as NodeId;
}

export function nodes(count: number): NodeId[] {
  return Array.from({ length: count }, (_, i) => node(i));
}

export const heartbeat = 75_000;
export const electionMin = 300_000;
export const electionMax = 600_000;

export function raftConfig(
  self: NodeId,
  voters: readonly NodeId[],
  changes: Partial<RaftConfig> = {},
): RaftConfig {
  return {
    self,
    voters,
    heartbeatInterval: heartbeat,
    electionTimeoutMin: electionMin,
    electionTimeoutMax: electionMax,
    hintDelayMax: 50_000,
    transferTimeout: 1_000_000,
    retransmitTimeout: 200_000,
    inFlightMessagesMax: 8,
    inFlightBytesMax: 1 << 20,
    messageBytesMax: 1 << 18,
    messageEntriesMax: 256,
    windowBytesMax: 1 << 20,
    windowEntriesMax: 4_096,
    uncommittedBytesMax: 4 << 20,
    uncommittedEntriesMax: 8_192,
    pendingReadsMax: 64,
    ...changes,
  };
}

export function content(text: string): EntryContent {
  return { kind: "data", body: new TextEncoder().encode(text), session: 0, sequence: 0 };
}

/** A log whose entry i is of term terms[i]; `salt` makes equal shapes differ in content. */
export function makeLog(terms: readonly number[], salt = "", before: LogEnd = emptyLogEnd): Entry[] {
  const entries: Entry[] = [];
  let end = before;
  for (const term of terms) {
    const [entry] = encodeEntries(end, term, [content(`${salt}${end.index + 1}`)]);
    if (entry === undefined) throw new Error("one entry is encoded");
    entries.push(entry);
    end = endOf(entry);
  }
  return entries;
}

export function endOfLog(entries: readonly Entry[]): LogEnd {
  const last = entries[entries.length - 1];
  return last === undefined ? emptyLogEnd : endOf(last);
}

export function termRuns(entries: readonly Entry[]): TermRun[] {
  const runs: TermRun[] = [];
  for (const entry of entries) {
    if (runs[runs.length - 1]?.term !== entry.term) runs.push({ firstIndex: entry.index, term: entry.term });
  }
  return runs;
}

export function raftStart(hardState: HardState, entries: readonly Entry[]): RaftStart {
  return { hardState, end: endOfLog(entries), terms: termRuns(entries) };
}

export class TraceLog implements Trace {
  readonly detailed = true;
  readonly events: TraceEvent[] = [];

  emit(event: TraceEvent): void {
    this.events.push(event);
  }

  of<K extends TraceEvent["kind"]>(kind: K): Extract<TraceEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<TraceEvent, { kind: K }> => event.kind === kind);
  }
}

export interface MachineOptions {
  readonly voters?: number;
  readonly term?: number;
  readonly votedFor?: NodeId | "";
  /** Terms of the entries that the log begins with. */
  readonly log?: readonly number[];
  readonly config?: Partial<RaftConfig>;
  readonly draw?: (key: number) => number;
}

type Sent<T extends Message["type"]> = Extract<Message, { type: T }> & { readonly to: NodeId };

/** One machine, n0, without any world around it: the test plays disk, clock and peers. */
export class Machine {
  readonly raft: Raft;
  readonly trace: TraceLog = new TraceLog();
  readonly log: readonly Entry[];
  now = 1_000_000;
  /** Effects of the last step. */
  last: Effect[] = [];

  constructor(options: MachineOptions = {}) {
    const voters = nodes(options.voters ?? 3);
    this.log = makeLog(options.log ?? []);
    const hardState = { term: options.term ?? 0, votedFor: options.votedFor ?? "" };
    const config = raftConfig(node(0), voters, options.config);
    this.raft = new Raft(
      config,
      raftStart(hardState, this.log),
      options.draw ?? (() => 0),
      this.trace,
      group,
    );
    this.step({ type: "start", now: this.now });
  }

  step(event: RaftEvent): Effect[] {
    const out: Effect[] = [];
    this.raft.step(event, out);
    this.last = out;
    return out;
  }

  receive(from: number, message: Message): Effect[] {
    return this.step({ type: "receive", now: this.now, from: node(from), message });
  }

  tick(after = 0): Effect[] {
    this.now += after;
    return this.step({ type: "tick", now: this.now });
  }

  saved(): Effect[] {
    return this.step({ type: "saved", now: this.now });
  }

  synced(index: number = this.raft.view.lastIndex): Effect[] {
    return this.step({ type: "synced", now: this.now, index });
  }

  propose(...texts: string[]): Effect[] {
    return this.step({ type: "propose", now: this.now, request: 1, contents: texts.map(content) });
  }

  /** Messages of one type in the effects of the last step. */
  sent<T extends Message["type"]>(type: T, effects: readonly Effect[] = this.last): Sent<T>[] {
    const found: Sent<T>[] = [];
    for (const effect of effects) {
      if (effect.type === "send" && effect.message.type === type) {
        found.push({ ...(effect.message as Extract<Message, { type: T }>), to: effect.to });
      }
    }
    return found;
  }

  effects<T extends Effect["type"]>(
    type: T,
    effects: readonly Effect[] = this.last,
  ): Extract<Effect, { type: T }>[] {
    return effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
  }

  /** Lets the election timer run out and wins the pre-vote: a candidate whose vote is not durable yet. */
  becomeCandidate(): Effect[] {
    this.now = Math.max(this.now, this.raft.deadline());
    this.tick();
    const term = this.raft.view.term + 1;
    for (let i = 1; i < this.raft.view.voters.length && this.raft.view.role === "pre-candidate"; i++) {
      this.receive(i, { type: "pre-vote-result", term, granted: true });
    }
    return this.last;
  }

  /** Wins an election; the no-op is appended and not yet durable. @returns the effects of the winning step. */
  becomeLeader(): Effect[] {
    this.becomeCandidate();
    let effects = this.saved();
    for (let i = 1; i < this.raft.view.voters.length && this.raft.view.role === "candidate"; i++) {
      effects = this.receive(i, { type: "request-vote-result", term: this.raft.view.term, granted: true });
    }
    return effects;
  }

  /** A leader whose no-op is committed and acknowledged by all. */
  becomeReadyLeader(): void {
    this.becomeLeader();
    this.synced();
    for (let i = 1; i < this.raft.view.voters.length; i++) this.accept(i, this.raft.view.lastIndex);
  }

  accept(from: number, matchIndex: number): Effect[] {
    return this.receive(from, accepted(this.raft.view.term, matchIndex));
  }
}

export function accepted(term: number, matchIndex: number): AppendEntriesResult {
  return {
    type: "append-entries-result",
    term,
    accepted: true,
    matchIndex,
    rejectedIndex: -1,
    hintIndex: -1,
    hintTerm: 0,
  };
}

export function refusal(
  term: number,
  rejectedIndex: number,
  hintIndex: number,
  hintTerm: number,
): AppendEntriesResult {
  return {
    type: "append-entries-result",
    term,
    accepted: false,
    matchIndex: -1,
    rejectedIndex,
    hintIndex,
    hintTerm,
  };
}

/** AppendEntries behind the first `prev + 1` entries of `log`, with those after it. */
export function appendFrom(
  term: number,
  log: readonly Entry[],
  prev: number,
  commitIndex = -1,
  count = log.length,
): AppendEntries {
  const before = endOfLog(log.slice(0, prev + 1));
  return {
    type: "append-entries",
    term,
    prevIndex: before.index,
    prevTerm: before.term,
    prevChainCrc: before.chainCrc,
    prevPos: before.pos,
    commitIndex,
    entries: log.slice(prev + 1, prev + 1 + count),
  };
}

export function heartbeatOf(term: number, commitIndex = -1, round = 1): Heartbeat {
  return { type: "heartbeat", term, commitIndex, round };
}

export function requestVote(
  term: number,
  lastIndex: number,
  lastTerm: number,
  transfer = false,
): RequestVote {
  return { type: "request-vote", term, lastIndex, lastTerm, transfer };
}
