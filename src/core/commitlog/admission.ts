import { assert } from "../base/assert.ts";
import type { Entry, EntryContent } from "../base/entry.ts";
import { LogError } from "../base/errors.ts";
import { applyAppend, applyOpening } from "./commit-log.ts";
import type { CommitLogLimits } from "./limits.ts";
import { openingBody } from "./session-entry.ts";
import type { SessionTable } from "./session-table.ts";

/** An append as a client asks for it; session and firstSequence are both 0 outside a session. */
export interface AppendBatch {
  readonly session: number;
  /** The sequence of the first body; the others follow it. */
  readonly firstSequence: number;
  readonly bodies: readonly Uint8Array[];
}

/**
 * - `admitted`: `known` are the indexes of leading bodies that are in the log already (they may not be committed yet:
 *   answer when all of them are), `contents` the rest, to be proposed as one proposal; either may be empty, not both.
 * - `refused`: as a whole, with nothing proposed.
 */
export type Admitted =
  | {
      readonly kind: "admitted";
      readonly known: readonly number[];
      readonly contents: readonly EntryContent[];
    }
  | { readonly kind: "refused"; readonly error: LogError };

const nothingKnown: readonly number[] = [];
const nothingFresh: readonly EntryContent[] = [];

/**
 * A leader's gate before its log: decides each append against the sessions as of the LAST entry of the log, committed
 * or not, so that a second copy of an append, or one of an evicted session, never enters the log.
 *
 * It begins once the leader has applied its own no-op, when the applied table is that of the whole log, and is thrown
 * away when the leader steps down. An admitted append is recorded only once Raft took it (`appended`), so nothing is
 * left behind by a proposal that Raft refused; an append must be proposed before the next one is admitted.
 */
export class Admission {
  private readonly limits: CommitLogLimits;
  private readonly table: SessionTable;
  private last: number;

  /** @param applied the state machine's sessions as of `lastIndex`, the last entry of the log: the leader's no-op. */
  constructor(applied: SessionTable, lastIndex: number, limits: CommitLogLimits) {
    this.table = applied.clone();
    this.last = lastIndex;
    this.limits = limits;
  }

  /** The last entry of the log that this gate knows of. */
  get lastIndex(): number {
    return this.last;
  }

  admit(batch: AppendBatch): Admitted {
    const tooLarge = this.checkSizes(batch.bodies);
    if (tooLarge !== undefined) return { kind: "refused", error: tooLarge };
    const { session, firstSequence, bodies } = batch;
    if (session === 0) return { kind: "admitted", known: nothingKnown, contents: contentsOf(batch, 0) };
    const first = this.table.admit(session, firstSequence);
    if (first.kind === "fresh")
      return { kind: "admitted", known: nothingKnown, contents: contentsOf(batch, 0) };
    if (first.kind === "refused") return { kind: "refused", error: refusal(first.code, batch) };
    const known = [first.index];
    for (let i = 1; i < bodies.length; i++) {
      const standing = this.table.admit(session, firstSequence + i);
      if (standing.kind !== "duplicate") {
        assert(standing.kind === "fresh", "behind a session's last sequence comes its next one");
        return { kind: "admitted", known, contents: contentsOf(batch, i) };
      }
      known.push(standing.index);
    }
    return { kind: "admitted", known, contents: nothingFresh };
  }

  /** The entry that opens a session; its index will be the session's id. Its body tells every node this leader's limit. */
  sessionContent(): EntryContent {
    return { kind: "session", body: openingBody(this.limits.sessionsMax), session: 0, sequence: 0 };
  }

  /** Records what Raft appended: every entry behind the leader's no-op passes here, in order. */
  appended(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.last + 1, "the leader's gate sees every entry of its log in order");
      this.last = entry.index;
      if (entry.kind === "session") applyOpening(this.table, entry, this.limits.sessionsMax);
      else if (entry.kind === "data") applyAppend(this.table, entry);
    }
  }

  private checkSizes(bodies: readonly Uint8Array[]): LogError | undefined {
    const { appendEntriesMax, appendBytesMax, entryBodyBytesMax } = this.limits;
    if (bodies.length === 0) return new LogError("malformed-frame", "an append without an entry");
    if (bodies.length > appendEntriesMax) {
      return new LogError(
        "batch-too-large",
        `${bodies.length} entries, where ${appendEntriesMax} are allowed`,
      );
    }
    let bytes = 0;
    for (const body of bodies) {
      if (body.length > entryBodyBytesMax) {
        return new LogError(
          "entry-too-large",
          `an entry of ${body.length} bytes, where ${entryBodyBytesMax} are allowed`,
        );
      }
      bytes += body.length;
    }
    if (bytes <= appendBytesMax) return undefined;
    return new LogError("batch-too-large", `${bytes} bytes, where ${appendBytesMax} are allowed`);
  }
}

function contentsOf({ session, firstSequence, bodies }: AppendBatch, from: number): EntryContent[] {
  const contents: EntryContent[] = [];
  for (let i = from; i < bodies.length; i++) {
    const sequence = session === 0 ? 0 : firstSequence + i;
    contents.push({ kind: "data", body: bodies[i] as Uint8Array, session, sequence });
  }
  return contents;
}

function refusal(
  code: "session-expired" | "sequence-gap" | "sequence-too-old",
  batch: AppendBatch,
): LogError {
  return new LogError(code, `sequence ${batch.firstSequence} of session ${batch.session}`);
}
