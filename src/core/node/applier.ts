import { assert } from "../base/assert.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import type { StateMachine } from "../commitlog/state-machine.ts";
import type { ReadLimit } from "../storage/log-reader.ts";

/** Where committed entries come from: the window in memory, or else the disk. */
export interface EntrySource {
  fromWindow(first: number, bytesMax: number): readonly Entry[] | undefined;
  fromDisk(
    first: number,
    limit: ReadLimit,
    done: (error: Error | undefined, value: { before: LogEnd; entries: readonly Entry[] }) => void,
  ): void;
}

export interface ApplierEvents {
  /** These entries were applied, in order. */
  applied(entries: readonly Entry[]): void;
  /** The disk could not give an entry; `retry` is to be called once it is mended. */
  blocked(index: number, error: Error): void;
}

const applyBytesMax = 1_048_576;

/** Feeds the state machine with committed entries, in log order, each once. Raft §5.3: "applies log[lastApplied]". */
export class Applier {
  private readonly machine: StateMachine;
  private readonly source: EntrySource;
  private readonly events: ApplierEvents;
  private commitIndex = -1;
  private loading = false;
  private stopped = false;

  constructor(machine: StateMachine, source: EntrySource, events: ApplierEvents) {
    this.machine = machine;
    this.source = source;
    this.events = events;
  }

  get appliedIndex(): number {
    return this.machine.appliedIndex;
  }

  /** Everything up to `index` is committed: apply what is at hand, load what is not. */
  commit(index: number): void {
    assert(index >= this.commitIndex, "the commit index never goes back");
    this.commitIndex = index;
    this.advance();
  }

  retry(): void {
    this.advance();
  }

  stop(): void {
    this.stopped = true;
  }

  private advance(): void {
    while (!this.loading && !this.stopped && this.machine.appliedIndex < this.commitIndex) {
      const first = this.machine.appliedIndex + 1;
      const entries = this.source.fromWindow(first, applyBytesMax);
      if (entries === undefined) return this.load(first);
      assert(entries.length > 0, "a committed entry is in the log");
      this.take(entries, this.commitIndex);
    }
  }

  private load(first: number): void {
    this.loading = true;
    // What lies beyond may be cut while the disk reads; only what is committed now can never change.
    const limit = this.commitIndex;
    this.source.fromDisk(first, { last: limit, bytesMax: applyBytesMax }, (error, value) => {
      this.loading = false;
      if (this.stopped) return;
      if (error !== undefined || value.entries.length === 0) {
        return this.events.blocked(first, error ?? new Error("the entry is not on the disk yet"));
      }
      this.take(value.entries, limit);
      this.advance();
    });
  }

  private take(entries: readonly Entry[], limit: number): void {
    const beyond = entries.findIndex((entry) => entry.index > limit);
    const committed = beyond === -1 ? entries : entries.slice(0, beyond);
    if (committed.length === 0) return;
    this.machine.apply(committed);
    this.events.applied(committed);
  }
}
