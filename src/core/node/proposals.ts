import { assert, required } from "../base/assert.ts";
import type { Entry, EntryContent } from "../base/entry.ts";
import { recordOverheadBytes } from "../base/entry.ts";
import type { FaultCode } from "../base/errors.ts";
import { LogError } from "../base/errors.ts";
import { HighWater } from "../base/high-water.ts";
import type { Done } from "../base/task.ts";
import type { Admission, AppendBatch } from "../commitlog/admission.ts";

/** Where a client's entries ended up; `indexes` has one for each body, in order. */
export interface Appended {
  readonly term: number;
  readonly indexes: readonly number[];
}

export interface ProposalLimits {
  readonly pendingAppendsMax: number;
  readonly pendingAppendBytesMax: number;
}

/** What proposals need of their group. */
export interface Proposer {
  /** The gate of a leader that has applied its no-op; undefined while it has not. */
  readonly admission: Admission | undefined;
  /** Why nothing can be appended here; undefined at a leader with room for records of so many bytes. */
  refusal(bytes: number): LogError | undefined;
  /** Hands contents to Raft, which answers with `proposed` or `refused`, inside this call. */
  propose(request: number, contents: readonly EntryContent[]): void;
  /** The proposals of this turn are complete: they travel together. */
  sendProposed(): void;
  /** Asks for `flush` to be called at the end of the input that is already pending. */
  flushSoon(): void;
  termAt(index: number): number | undefined;
  readonly appliedIndex: number;
  duplicate(session: number, sequence: number, index: number): void;
  /** More waits than ever. */
  backlog(what: "appends" | "append-bytes", size: number, last: number): void;
}

interface Waiting {
  readonly batch: AppendBatch | undefined;
  readonly bytes: number;
  readonly done: Done<Appended>;
}

interface Pending {
  /** Answered once everything up to here is applied. */
  readonly lastIndex: number;
  readonly indexes: readonly number[];
  readonly bytes: number;
  readonly done: Done<Appended>;
}

/**
 * Appends on their way: waiting for the leader to be ready, then in the log waiting to be committed and applied.
 * An answer leaves only then. Bounded in count and bytes: beyond, `pending-full`.
 */
export class Proposals {
  private readonly limits: ProposalLimits;
  private readonly proposer: Proposer;
  private waiting: Waiting[] = [];
  /** Of the records of those: what a nearly full disk has room for must hold all of them. */
  private waitingBytes = 0;
  /** In log order but for duplicates, which may lie anywhere. */
  private pending: Pending[] = [];
  private readonly mostAppends = new HighWater();
  private readonly mostBytes = new HighWater();
  private count = 0;
  private bytes = 0;
  private requests = 0;
  private current: { readonly waiting: Waiting; readonly known: readonly number[] } | undefined;
  private flushing = false;

  constructor(limits: ProposalLimits, proposer: Proposer) {
    this.limits = limits;
    this.proposer = proposer;
  }

  /** Appends in flight, for status and metrics. */
  get inFlight(): number {
    return this.count;
  }

  /** A batch of client entries, or (undefined) the entry that opens a session, whose id is then its index. */
  submit(batch: AppendBatch | undefined, done: Done<Appended>): void {
    const bodies = batch?.bodies ?? [];
    let bytes = 0;
    for (const body of bodies) bytes += body.length;
    const recordBytes = bytes + bodies.length * recordOverheadBytes;
    const refusal = this.proposer.refusal(this.waitingBytes + recordBytes) ?? this.full(bytes);
    if (refusal !== undefined) return fail(done, refusal);
    this.count += 1;
    this.bytes += bytes;
    this.waitingBytes += recordBytes;
    this.waiting.push({ batch, bytes, done });
    if (this.mostAppends.rises(this.count)) this.proposer.backlog("appends", this.count, 1);
    if (this.mostBytes.rises(this.bytes)) this.proposer.backlog("append-bytes", this.bytes, bytes);
    if (this.waiting.length === 1) this.proposer.flushSoon();
  }

  private full(bytes: number): LogError | undefined {
    if (
      this.count < this.limits.pendingAppendsMax &&
      this.bytes + bytes <= this.limits.pendingAppendBytesMax
    ) {
      return undefined;
    }
    return new LogError(
      "pending-full",
      `${this.count} appends with ${this.bytes} bytes are already waiting here`,
    );
  }

  /** Proposes everything that waits, if the leader is ready. */
  flush(): void {
    const admission = this.proposer.admission;
    if (admission === undefined || this.waiting.length === 0 || this.flushing) return;
    this.flushing = true;
    const batch = this.takeWaiting();
    for (const waiting of batch) this.admit(admission, waiting);
    this.proposer.sendProposed();
    this.flushing = false;
    if (this.waiting.length > 0) this.proposer.flushSoon();
  }

  private takeWaiting(): Waiting[] {
    const { waiting } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    return waiting;
  }

  private admit(admission: Admission, waiting: Waiting): void {
    const { batch } = waiting;
    const admitted =
      batch === undefined
        ? { kind: "admitted" as const, known: [], contents: [admission.sessionContent()] }
        : admission.admit(batch);
    if (admitted.kind === "refused") return this.answer(waiting, admitted.error);
    const { known, contents } = admitted;
    if (batch !== undefined) {
      known.forEach((index, n) => {
        this.proposer.duplicate(batch.session, batch.firstSequence + n, index);
      });
    }
    if (contents.length === 0) return this.wait(waiting, known);
    this.requests += 1;
    this.current = { waiting, known };
    this.proposer.propose(this.requests, contents);
    assert(this.current === undefined, "Raft answers a proposal in the step that takes it");
  }

  /** Raft appended the proposal. */
  proposed(request: number, entries: readonly Entry[]): void {
    const current = this.take(request);
    const admission = required(
      this.proposer.admission,
      "an append is proposed only through the leader's gate",
    );
    admission.appended(entries);
    this.wait(current.waiting, [...current.known, ...entries.map((entry) => entry.index)]);
  }

  /** Raft refused the proposal: nothing was appended. */
  refused(request: number, code: FaultCode): void {
    this.answer(this.take(request).waiting, new LogError(code, "the leader cannot take the append now"));
  }

  private take(request: number): { waiting: Waiting; known: readonly number[] } {
    assert(request === this.requests, "one proposal at a time");
    const current = required(this.current, "Raft answers a proposal once");
    this.current = undefined;
    return current;
  }

  private wait(waiting: Waiting, indexes: readonly number[]): void {
    const lastIndex = indexes.reduce((a, b) => Math.max(a, b), -1);
    const pending = { lastIndex, indexes, bytes: waiting.bytes, done: waiting.done };
    if (lastIndex <= this.proposer.appliedIndex) return this.complete(pending);
    this.pending.push(pending);
  }

  /** Everything up to `index` is applied: answer what waited for it. */
  applied(index: number): void {
    let keep = 0;
    const pending = this.pending;
    // Nearly always a prefix is done and the rest is not; duplicates are the exception.
    const done: Pending[] = [];
    for (const entry of pending) {
      if (entry.lastIndex <= index) done.push(entry);
      else pending[keep++] = entry;
    }
    pending.length = keep;
    for (const entry of done) this.complete(entry);
  }

  private complete(pending: Pending): void {
    this.count -= 1;
    this.bytes -= pending.bytes;
    const last = pending.indexes[pending.indexes.length - 1] as number;
    const term = required(this.proposer.termAt(last), "an applied entry has a term");
    pending.done(undefined, { term, indexes: pending.indexes });
  }

  private answer(waiting: Waiting, error: LogError): void {
    this.count -= 1;
    this.bytes -= waiting.bytes;
    fail(waiting.done, error);
  }

  /**
   * This node leads no more. What waited was never proposed; what is in the log may yet be committed by another
   * leader or cut by it: only the client's session makes a retry safe.
   */
  abandon(code: FaultCode): void {
    const waiting = this.takeWaiting();
    const { pending } = this;
    this.pending = [];
    for (const entry of waiting) this.answer(entry, new LogError(code, "this node does not lead"));
    for (const entry of pending) {
      this.count -= 1;
      this.bytes -= entry.bytes;
      fail(
        entry.done,
        new LogError("outcome-unknown", "leadership was lost before the append was committed"),
      );
    }
  }
}

function fail(done: Done<Appended>, error: LogError): void {
  done(error, undefined as never);
}
