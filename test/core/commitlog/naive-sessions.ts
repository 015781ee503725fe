import type { SessionLimits } from "#core/commitlog/limits";
import type { Standing } from "#core/commitlog/session-table";

interface NaiveSession {
  readonly id: number;
  readonly indexes: readonly number[];
}

/** The session rules at their plainest: every index is kept, every question is a scan. */
export class NaiveSessions {
  private readonly limits: SessionLimits;
  /** Every session ever opened, evicted ones too. */
  readonly opened: number[] = [];
  private live: NaiveSession[] = [];

  constructor(limits: SessionLimits) {
    this.limits = limits;
  }

  clone(): NaiveSessions {
    const copy = new NaiveSessions(this.limits);
    copy.opened.push(...this.opened);
    copy.live = [...this.live];
    return copy;
  }

  private find(session: number): NaiveSession | undefined {
    return this.live.find(({ id }) => id === session);
  }

  private lastUse({ id, indexes }: NaiveSession): number {
    return indexes.at(-1) ?? id;
  }

  idsByLastUse(): number[] {
    return [...this.live].sort((a, b) => this.lastUse(a) - this.lastUse(b)).map(({ id }) => id);
  }

  lastSequence(session: number): number | undefined {
    return this.find(session)?.indexes.length;
  }

  open(index: number, sessionsMax: number): number[] {
    this.opened.push(index);
    this.live.push({ id: index, indexes: [] });
    const ids = this.idsByLastUse();
    const evicted = ids.slice(0, Math.max(0, ids.length - sessionsMax));
    this.live = this.live.filter(({ id }) => !evicted.includes(id));
    return evicted;
  }

  admit(session: number, sequence: number): Standing {
    const found = this.find(session);
    if (found === undefined) return { kind: "refused", code: "session-expired" };
    const last = found.indexes.length;
    if (sequence === last + 1) return { kind: "fresh" };
    if (sequence > last) return { kind: "refused", code: "sequence-gap" };
    const kept = found.indexes.slice(-this.limits.inFlightMax);
    const index = sequence < 1 ? undefined : kept[sequence - 1 - (last - kept.length)];
    if (index === undefined) return { kind: "refused", code: "sequence-too-old" };
    return { kind: "duplicate", index };
  }

  record(session: number, sequence: number, index: number): boolean {
    if (this.admit(session, sequence).kind !== "fresh") return false;
    this.live = this.live.map((s) => (s.id === session ? { id: s.id, indexes: [...s.indexes, index] } : s));
    return true;
  }
}
