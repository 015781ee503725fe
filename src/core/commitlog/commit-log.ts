import { assert } from "../base/assert.ts";
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import { bodyOf, emptyLogEnd, endOf, entryBodyBytesMax, sequenceOf, sessionOf } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import type { SessionLimits } from "./limits.ts";
import { sessionsMaxOf } from "./session-entry.ts";
import { SessionTable } from "./session-table.ts";
import type { StateMachine } from "./state-machine.ts";

/** Told of changes to the applied session table, for the trace. */
export interface CommitLogEvents {
  session(session: number, change: "opened" | "evicted"): void;
}

const snapshotVersion = 2;
/** "QLCS" */
const snapshotMagic = 0x51_4c_43_53;
/** A chunk is closed once it is this large; a session of 1,024 kept indexes adds 8 KiB at most. */
const chunkBytes = 64 * 1_024;

/**
 * The commit log as a state machine: the session table, the group's configuration and the end of the log, as of the
 * last applied entry. The entries themselves stay in the log on disk.
 */
export class CommitLog implements StateMachine {
  private readonly limits: SessionLimits;
  private readonly events: CommitLogEvents | undefined;
  private table: SessionTable;
  private end: LogEnd = emptyLogEnd;
  private lastConfiguration: Uint8Array | undefined = undefined;

  constructor(limits: SessionLimits, events?: CommitLogEvents) {
    this.limits = limits;
    this.events = events;
    this.table = new SessionTable(limits);
  }

  get appliedIndex(): number {
    return this.end.index;
  }

  /** Where the applied log ends: with the sessions and the configuration, what a snapshot starts from. */
  get appliedEnd(): LogEnd {
    return this.end;
  }

  /** The body of the last configuration entry applied; undefined before the first. */
  get configuration(): Uint8Array | undefined {
    return this.lastConfiguration;
  }

  /** The applied sessions. Whoever wants to write clones first. */
  get sessions(): SessionTable {
    return this.table;
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.end.index + 1, "entries are applied in log order, each once");
      this.end = endOf(entry);
      if (entry.kind === "configuration") this.lastConfiguration = bodyOf(entry).slice();
      else if (entry.kind === "session") this.opened(entry);
      else applyAppend(this.table, entry);
    }
  }

  private opened(entry: Entry): void {
    const evicted = applyOpening(this.table, entry, this.limits.sessionsMax);
    this.events?.session(entry.index, "opened");
    for (const session of evicted) this.events?.session(session, "evicted");
  }

  *snapshot(): Iterable<Uint8Array> {
    const w = new ByteWriter(chunkBytes + 16 * 1_024);
    let number = 0;
    w.u32(snapshotMagic).u16(snapshotVersion).u32(this.limits.inFlightMax);
    w.index(this.end.index).u64(this.end.term).u64(this.end.pos).u32(this.end.chainCrc);
    w.u8(this.lastConfiguration === undefined ? 0 : 1).bytes(this.lastConfiguration ?? new Uint8Array(0));
    w.u32(this.table.size);
    for (const id of this.table.ids()) {
      if (w.position >= chunkBytes) yield sealed(w, number++);
      this.table.encode(w, id);
    }
    yield sealed(w, number);
  }

  restore(chunks: Iterable<Uint8Array>): void {
    let number = 0;
    let left = -1;
    const table = new SessionTable(this.limits);
    let head: Head | undefined;
    for (const chunk of chunks) {
      const r = unsealed(chunk, number);
      if (number === 0) {
        head = this.readHead(r);
        left = head.sessions;
      }
      number += 1;
      while (r.remaining > 0) {
        if (left <= 0) throw new LogError("damaged", "a snapshot has more sessions than it says");
        damagedIfMalformed(() => table.decode(r));
        left -= 1;
      }
    }
    if (head === undefined || left !== 0)
      throw new LogError("damaged", "a snapshot ends before its last session");
    this.table = table;
    this.end = head.end;
    this.lastConfiguration = head.configuration;
  }

  private readHead(r: ByteReader): Head {
    return damagedIfMalformed(() => {
      if (r.u32() !== snapshotMagic) throw new LogError("damaged", "not a snapshot of a commit log");
      const version = r.u16();
      if (version !== snapshotVersion)
        throw new LogError("wrong-version", `a snapshot of version ${version}`);
      // The indexes that a session keeps are encoded by it. How many sessions there are follows from the log.
      const inFlightMax = r.u32();
      if (inFlightMax !== this.limits.inFlightMax) {
        throw new LogError(
          "bad-configuration",
          `the snapshot has inFlightMax ${inFlightMax}, this node ${this.limits.inFlightMax}`,
        );
      }
      const end = { index: r.index(), term: r.u64(), pos: r.u64(), chainCrc: r.u32() };
      const known = r.flag();
      const body = r.bytes(entryBodyBytesMax);
      return { end, configuration: known ? body : undefined, sessions: r.u32() };
    });
  }
}

interface Head {
  readonly end: LogEnd;
  readonly configuration: Uint8Array | undefined;
  readonly sessions: number;
}

/**
 * Applies an entry that opens a session to a table of sessions: at the leader's gate as at every node, before it is committed
 * and after.
 * @param own the node's own limit, for entries that tell none.
 * @returns the sessions that it evicted.
 */
export function applyOpening(table: SessionTable, entry: Entry, own: number): readonly number[] {
  return table.open(entry.index, sessionsMaxOf(entry, own));
}

/**
 * Applies a data entry to a table of sessions. The leader let only the next sequence of a live session into the log,
 * against a table of everything before it, so whoever applies the same log finds the same.
 */
export function applyAppend(table: SessionTable, entry: Entry): void {
  const session = sessionOf(entry);
  if (session === 0) return;
  const recorded = table.record(session, sequenceOf(entry), entry.index);
  assert(recorded, "an entry of a session is in the log only as the next of a live session");
}

/** Closes a chunk: its number in front of the content would be too late to put, so both stand behind it. */
function sealed(w: ByteWriter, number: number): Uint8Array {
  w.u32(number);
  w.u32(0);
  const chunk = w.finish();
  const crc = crc32c(chunk, 0, chunk.length - 4);
  new DataView(chunk.buffer, chunk.byteOffset).setUint32(chunk.length - 4, crc);
  return chunk;
}

function unsealed(chunk: Uint8Array, number: number): ByteReader {
  if (chunk.length < 8) throw new LogError("damaged", "a chunk of a snapshot is cut short");
  const tail = new ByteReader(chunk, chunk.length - 8);
  if (tail.u32() !== number) throw new LogError("damaged", `chunk ${number} of a snapshot is out of place`);
  if (tail.u32() !== crc32c(chunk, 0, chunk.length - 4)) {
    throw new LogError("damaged", `chunk ${number} of a snapshot has a wrong checksum`);
  }
  return new ByteReader(chunk, 0, chunk.length - 8);
}

function damagedIfMalformed<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof LogError) || cause.code !== "malformed-frame") throw cause;
    throw new LogError("damaged", "a snapshot ends within a field", { cause });
  }
}
