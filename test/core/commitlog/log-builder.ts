import type { Entry, EntryContent } from "#core/base/entry";
import { emptyLogEnd, encodeEntries, endOf } from "#core/base/entry";

const none: Uint8Array = new Uint8Array(0);
export const noOp: EntryContent = { kind: "no-op", body: none, session: 0, sequence: 0 };
/** As earlier builds wrote it: without a limit. */
export const opening: EntryContent = { kind: "session", body: none, session: 0, sequence: 0 };

/** The entry of a leader with this limit, or whose body is these bytes. */
export function openingOf(limit: number | Uint8Array): EntryContent {
  if (typeof limit !== "number") return { ...opening, body: limit };
  return { ...opening, body: Uint8Array.of(limit >>> 24, limit >>> 16, limit >>> 8, limit) };
}

export function data(text: string, session = 0, sequence = 0): EntryContent {
  return { kind: "data", body: new TextEncoder().encode(text), session, sequence };
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A log in memory, as Raft would append it. */
export class LogBuilder {
  entries: Entry[] = [];

  append(term: number, contents: readonly EntryContent[]): Entry[] {
    const last = this.entries.at(-1);
    const added = encodeEntries(last === undefined ? emptyLogEnd : endOf(last), term, contents);
    this.entries.push(...added);
    return added;
  }

  truncate(from: number): void {
    this.entries.length = from;
  }

  get lastIndex(): number {
    return this.entries.length - 1;
  }
}
