import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import type { ByteReader } from "../base/bytes.ts";
import { ByteWriter } from "../base/bytes.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import { decodeEntry, endOf } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { LogStore } from "../storage/log-store.ts";
import { beginFrame, encodeFetch, putLogEnd, readLogEnd } from "./peer-frame.ts";

/** Indexes whose records cannot be read. */
export interface DamagedRange {
  readonly first: number;
  readonly last: number;
}

export interface RepairOptions {
  readonly group: GroupId;
  /** The other voters, sorted. */
  readonly others: readonly NodeId[];
  send(to: NodeId, frame: Uint8Array): void;
  damage(): readonly DamagedRange[];
  mend(entries: readonly Entry[], done: (error: Error | undefined, mended: boolean) => void): void;
}

export interface RepairEvents {
  mended(range: DamagedRange): void;
  failed(error: Error): void;
}

/**
 * Mends damaged records with peers' copies. Any peer may answer: a copy is accepted only if it chains from the record
 * before the damage into the one behind it, so it can only be the very record that was there.
 */
export class Repair {
  private readonly options: RepairOptions;
  private readonly events: RepairEvents;
  private gathered: Entry[] = [];
  private asked = 0;
  private mending = false;

  constructor(options: RepairOptions, events: RepairEvents) {
    this.options = options;
    this.events = events;
  }

  /** Asks the next peer for what is missing of the first damaged range. Called by a timer while there is damage. */
  ask(): void {
    const range = this.options.damage()[0];
    if (range === undefined || this.mending || this.options.others.length === 0) return;
    const peer = this.options.others[this.asked % this.options.others.length];
    assert(peer !== undefined, "a peer to ask");
    this.asked += 1;
    this.options.send(peer, encodeFetch(this.options.group, this.next(range), range.last));
  }

  private next(range: DamagedRange): number {
    const last = this.gathered[this.gathered.length - 1];
    if (last === undefined || this.gathered[0]?.index !== range.first || last.index >= range.last) {
      this.gathered = [];
      return range.first;
    }
    return last.index + 1;
  }

  /** A peer's copies. Those that do not fit what is asked for are dropped: late, doubled, or of another log. */
  received(before: LogEnd, entries: readonly Entry[]): void {
    const range = this.options.damage()[0];
    if (range === undefined || this.mending || entries.length === 0) return;
    const next = this.next(range);
    if (entries[0]?.index !== next) return;
    const last = this.gathered[this.gathered.length - 1];
    if (last !== undefined && last.chainCrc !== before.chainCrc) {
      this.gathered = [];
      return;
    }
    for (const entry of entries) if (entry.index <= range.last) this.gathered.push(entry);
    if (this.gathered[this.gathered.length - 1]?.index === range.last) this.mend(range);
    else this.ask();
  }

  private mend(range: DamagedRange): void {
    const entries = this.gathered;
    this.gathered = [];
    this.mending = true;
    this.options.mend(entries, (error, mended) => {
      this.mending = false;
      if (error !== undefined) return this.events.failed(error);
      if (mended) this.events.mended(range);
    });
  }
}

/** What a node needs to help a peer with copies of its records. */
export interface RecordSource {
  readonly group: GroupId;
  readonly store: Pick<LogStore, "read">;
  readonly bytesMax: number;
}

/** A peer's records are damaged: any node that can read its own copies may help. */
export function answerFetch(
  source: RecordSource,
  range: DamagedRange,
  send: (frame: Uint8Array) => void,
): void {
  source.store.read(range.first, { last: range.last, bytesMax: source.bytesMax }, (error, value) => {
    if (error !== undefined || value.entries.length === 0) return;
    send(encodeRecords(new ByteWriter(), source.group, value.before, value.entries));
  });
}

/** Encodes records for a peer that lost them: the log's end before them, then the records. */
export function encodeRecords(
  writer: ByteWriter,
  group: GroupId,
  before: LogEnd,
  entries: readonly Entry[],
): Uint8Array {
  putLogEnd(beginFrame(writer, "records", group), before);
  for (const entry of entries) writer.raw(entry.block, entry.offset, entry.offset + entry.size);
  return writer.finish();
}

/** @throws LogError malformed-frame unless every record chains from the one before. */
export function decodeRecords(reader: ByteReader): { before: LogEnd; entries: Entry[] } {
  const before = readLogEnd(reader);
  const entries: Entry[] = [];
  let end = before;
  while (reader.remaining > 0) {
    const entry = decodeEntry(reader.buffer, reader.position, reader.position + reader.remaining, end);
    if (typeof entry === "string")
      throw new LogError("malformed-frame", `a record that does not follow: ${entry}`);
    reader.skip(entry.size);
    entries.push(entry);
    end = endOf(entry);
  }
  return { before, entries };
}
