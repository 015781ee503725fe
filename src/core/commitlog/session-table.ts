import { assert, required } from "../base/assert.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { LogError } from "../base/errors.ts";
import type { SessionLimits } from "./limits.ts";
import { sessionsCeiling } from "./limits.ts";

/** How an append of a session stands to what the session appended before. */
export type Standing =
  /** The next of its session. */
  | { readonly kind: "fresh" }
  /** Appended before, at `index`. */
  | { readonly kind: "duplicate"; readonly index: number }
  | { readonly kind: "refused"; readonly code: "session-expired" | "sequence-gap" | "sequence-too-old" };

const fresh: Standing = { kind: "fresh" };
const expired: Standing = { kind: "refused", code: "session-expired" };
const gap: Standing = { kind: "refused", code: "sequence-gap" };
const tooOld: Standing = { kind: "refused", code: "sequence-too-old" };

const nobody: readonly number[] = [];
const ringSlotsMin = 8;

interface Session {
  /** The table that may write this object; another one that shares it copies it first. */
  owner: object;
  /** The session's last sequence; sequences start at 1. */
  lastSequence: number;
  /** Index of its last entry, the opening one at first: the smallest of all is evicted first. */
  lastIndex: number;
  /** The index of sequence s at s % length; grows up to inFlightMax slots. */
  ring: Float64Array;
}

/**
 * The sessions of a commit log as of one place in the log, and the indexes of the last `inFlightMax` sequences of each.
 * A function of the entries before that place alone: eviction follows the log, never a clock.
 * Source: dissertation §6.3, "the session tracks the latest serial number processed for the client, along with the
 * associated response"; several in flight, as that section allows.
 */
export class SessionTable {
  /** How many sessions there may be is not among them: each entry that opens one says it. */
  private readonly limits: Pick<SessionLimits, "inFlightMax">;
  /** In the order of lastIndex: a session moves to the end when it is used. */
  private sessions: Map<number, Session>;
  private owner: object = {};
  /** The session at the end of the map; 0 for none. */
  private newest = 0;
  /** The highest index that was opened or recorded. */
  private lastIndex = -1;

  constructor(limits: Pick<SessionLimits, "inFlightMax">) {
    this.limits = limits;
    this.sessions = new Map();
  }

  get size(): number {
    return this.sessions.size;
  }

  has(session: number): boolean {
    return this.sessions.has(session);
  }

  /** The last sequence that a session appended, 0 before its first; undefined when there is no such session. */
  lastSequence(session: number): number | undefined {
    return this.sessions.get(session)?.lastSequence;
  }

  /**
   * Opens the session whose entry is at `index`, which becomes its id, and leaves `sessionsMax` open at most.
   * @returns the sessions that were evicted, in the order of their last use: several where the limit was lowered.
   */
  open(index: number, sessionsMax: number): readonly number[] {
    // Records use 0 for "no session". Every leader starts its term with a no-op, so index 0 never opens a session.
    assert(index >= 1, "a session's id is at least 1");
    assert(index > this.lastIndex, "sessions are opened and used in log order");
    assert(sessionsMax >= 1, "a session that is opened has room itself");
    this.lastIndex = index;
    const session = { owner: this.owner, lastSequence: 0, lastIndex: index, ring: new Float64Array(0) };
    this.sessions.set(index, session);
    this.newest = index;
    if (this.sessions.size <= sessionsMax) return nobody;
    const evicted: number[] = [];
    for (const id of this.sessions.keys()) {
      this.sessions.delete(id);
      evicted.push(id);
      if (this.sessions.size <= sessionsMax) break;
    }
    return evicted;
  }

  /** Says how sequence `sequence` (from 1) of a session stands; changes nothing. */
  admit(session: number, sequence: number): Standing {
    const found = this.sessions.get(session);
    if (found === undefined) return expired;
    if (sequence > found.lastSequence) return sequence === found.lastSequence + 1 ? fresh : gap;
    if (sequence <= found.lastSequence - this.limits.inFlightMax || sequence < 1) return tooOld;
    return { kind: "duplicate", index: found.ring[sequence % found.ring.length] as number };
  }

  /**
   * Records the entry at `index` as sequence `sequence` of a session.
   * @returns false, with nothing changed, when it is not the session's next: only `fresh` ones are recorded.
   */
  record(session: number, sequence: number, index: number): boolean {
    const found = this.sessions.get(session);
    if (found === undefined || sequence !== found.lastSequence + 1) return false;
    assert(index > this.lastIndex, "sessions are opened and used in log order");
    this.lastIndex = index;
    const own = found.owner === this.owner ? found : this.copyOf(found);
    if (this.newest !== session) {
      this.sessions.delete(session);
      this.sessions.set(session, own);
      this.newest = session;
    } else if (own !== found) this.sessions.set(session, own);
    own.ring = ringFor(own, sequence, this.limits.inFlightMax);
    own.ring[sequence % own.ring.length] = index;
    own.lastSequence = sequence;
    own.lastIndex = index;
    return true;
  }

  /** A table of its own with the same content. The sessions are shared until either table writes one. */
  clone(): SessionTable {
    const copy = new SessionTable(this.limits);
    copy.sessions = new Map(this.sessions);
    copy.newest = this.newest;
    copy.lastIndex = this.lastIndex;
    // What both share now belongs to neither.
    this.owner = {};
    return copy;
  }

  private copyOf(session: Session): Session {
    return { ...session, owner: this.owner, ring: session.ring.slice() };
  }

  /** Sessions by last use, the one to be evicted first in front. */
  ids(): Iterable<number> {
    return this.sessions.keys();
  }

  /** Encodes one session: id, last sequence, last index, then the kept indexes, oldest first. */
  encode(w: ByteWriter, id: number): void {
    const session = required(this.sessions.get(id), "a session that is encoded is in the table");
    const kept = Math.min(session.lastSequence, this.limits.inFlightMax);
    w.u64(id).u64(session.lastSequence).u64(session.lastIndex);
    for (let s = session.lastSequence - kept + 1; s <= session.lastSequence; s++) {
      w.u64(session.ring[s % session.ring.length] as number);
    }
  }

  /**
   * Adds the session that `encode` put, in the same order.
   * @throws LogError `damaged` when it cannot stand behind those already there.
   */
  decode(r: ByteReader): void {
    const id = r.u64();
    const lastSequence = r.u64();
    const lastIndex = r.u64();
    const kept = Math.min(lastSequence, this.limits.inFlightMax);
    if (kept * 8 > r.remaining) throw new LogError("damaged", "a session ends before its indexes");
    const slots = ringSlots(lastSequence, this.limits.inFlightMax);
    const ring = new Float64Array(lastSequence === 0 ? 0 : slots);
    let index = id;
    for (let s = lastSequence - kept + 1; s <= lastSequence; s++) {
      const next = r.u64();
      if (next <= index) throw new LogError("damaged", `session ${id} has its indexes out of order`);
      ring[s % slots] = next;
      index = next;
    }
    if (id < 1 || index !== lastIndex || lastIndex <= this.lastIndex || this.sessions.has(id)) {
      throw new LogError("damaged", `session ${id} does not follow the one before`);
    }
    // Not this node's limit: the log that made the table may have had a larger one.
    if (this.sessions.size >= sessionsCeiling) throw new LogError("damaged", "too many sessions");
    this.sessions.set(id, { owner: this.owner, lastSequence, lastIndex, ring });
    this.newest = id;
    this.lastIndex = lastIndex;
  }
}

/** Slots of the ring of a session that reached `sequence`: doubling, so that a session of few appends stays small. */
function ringSlots(sequence: number, inFlightMax: number): number {
  let slots = Math.min(ringSlotsMin, inFlightMax);
  while (slots < sequence && slots < inFlightMax) slots = Math.min(slots * 2, inFlightMax);
  return slots;
}

function ringFor(session: Session, sequence: number, inFlightMax: number): Float64Array {
  const old = session.ring;
  if (old.length === inFlightMax || sequence <= old.length) return old;
  const ring = new Float64Array(ringSlots(sequence, inFlightMax));
  // While the ring still grows it holds every sequence from 1.
  for (let s = 1; s < sequence; s++) ring[s % ring.length] = old[s % old.length] as number;
  return ring;
}
