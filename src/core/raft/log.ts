import type { Entry, LogEnd } from "../base/entry.ts";
import { endOf } from "../base/entry.ts";
import type { TermRun } from "./event.ts";
import {
  assertDurableWithinLog,
  assertEntryContinues,
  assertKeepsCommitted,
  assertTermsCoverLog,
  assertTermsFit,
} from "./invariants.ts";

/** Slots of left entries at the front of the window before they are compacted away. */
const vacantSlotsMax = 1_024;

/** Where a log ends, for the comparison of two. */
interface LogTip {
  readonly lastTerm: number;
  readonly lastIndex: number;
}

/** Raft §5.4.1: the later last term wins, and of equal ones the longer log. @returns whether `one` is at least as complete. */
export function isAsComplete(one: LogTip, other: LogTip): boolean {
  if (one.lastTerm !== other.lastTerm) return one.lastTerm > other.lastTerm;
  return one.lastIndex >= other.lastIndex;
}

/**
 * The log as the machine sees it: where it ends, the terms of all its entries as runs, how far it is durable, and the
 * latest entries in a bounded window. Everything before the window is on disk only.
 */
export class RaftLog {
  lastIndex: number;
  lastTerm: number;
  chainCrc: number;
  /** Where the next record begins: bytes of all records. */
  endPos: number;
  /** Everything up to here was reported as synced. */
  durableIndex: number;
  /** Runs of equal terms, ascending: run r covers runFirst[r] .. runFirst[r + 1] - 1. */
  private readonly runFirst: number[] = [];
  private readonly runTerm: number[] = [];
  /** As runTerm, except for damaged entries: there the highest term they may be of, runTerm being the lowest. */
  private readonly runTermMax: number[] = [];
  private window: (Entry | undefined)[] = [];
  /** Where the window begins in its array; the slots before are vacant. */
  private head = 0;
  /** The log's end just before the window. */
  private before: LogEnd;

  constructor(end: LogEnd, terms: readonly TermRun[]) {
    this.lastIndex = end.index;
    this.lastTerm = end.term;
    this.chainCrc = end.chainCrc;
    this.endPos = end.pos;
    this.durableIndex = end.index;
    this.before = end;
    for (const run of terms) {
      this.runFirst.push(run.firstIndex);
      this.runTerm.push(run.term);
      this.runTermMax.push(run.termMax ?? run.term);
    }
    assertTermsCoverLog(end, terms);
  }

  /** @returns 0 for -1 (before the first entry), undefined where there is no entry. */
  termAt(index: number): number | undefined {
    if (index === this.lastIndex) return this.lastTerm;
    if (index === -1) return 0;
    return index > this.lastIndex ? undefined : this.runTerm[this.runOf(index)];
  }

  /**
   * Whether the entry at `index` is of `term`, as far as can be told: of a damaged one only bounds may be known, and
   * within them nothing proves a conflict. What is cut behind it later shows whether it was one.
   */
  matchesTerm(index: number, term: number): boolean {
    if (index < 0 || index >= this.lastIndex) return this.termAt(index) === term;
    const run = this.runOf(index);
    return (this.runTerm[run] as number) <= term && term <= (this.runTermMax[run] as number);
  }

  /**
   * How far a log that was found equal up to `index` is known to be so: terms within bounds prove nothing. An entry of a
   * known term behind them does, by Log Matching (Raft §5.3).
   */
  provenTo(index: number): number {
    if (index < 0 || index >= this.lastIndex) return index;
    const run = this.runOf(index);
    return this.runTermMax[run] === this.runTerm[run] ? index : (this.runFirst[run] as number) - 1;
  }

  /** The terms of these entries, which lie in the log in this order, are known; of damaged ones only bounds were. */
  learn(entries: readonly Entry[]): void {
    const first = entries[0];
    const last = entries[entries.length - 1];
    if (first === undefined || last === undefined) return;
    assertTermsFit(this, entries);
    const behind = this.runsFrom(last.index + 1, last.term);
    this.dropRunsFrom(first.index);
    let term = -1;
    for (const entry of entries) {
      if (entry.term !== term) this.beginRun(entry.index, entry.term);
      term = entry.term;
    }
    for (const run of behind) this.beginRun(run.firstIndex, run.term, run.termMax);
  }

  /** The runs from `index` on, the first of them cut to begin there. Terms rise, so what is unknown there is at least `term`. */
  private runsFrom(index: number, term: number): Required<TermRun>[] {
    const runs: Required<TermRun>[] = [];
    if (index > this.lastIndex) return runs;
    for (let run = this.runOf(index); run < this.runFirst.length; run++) {
      runs.push({
        firstIndex: Math.max(index, this.runFirst[run] as number),
        term: Math.max(term, this.runTerm[run] as number),
        termMax: this.runTermMax[run] as number,
      });
    }
    return runs;
  }

  /** The run that covers `index`; -1 when it is before the first. */
  private runOf(index: number): number {
    let low = 0;
    let high = this.runFirst.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if ((this.runFirst[middle] as number) <= index) low = middle + 1;
      else high = middle - 1;
    }
    return high;
  }

  /** The highest index up to `index` (at most the log's end) whose term is at most `term`; -1 for none. */
  lastIndexWithTermAtMost(index: number, term: number): number {
    let found = Math.min(index, this.lastIndex);
    let run = this.runOf(found);
    while (run >= 0 && (this.runTerm[run] as number) > term) {
      found = (this.runFirst[run] as number) - 1;
      run -= 1;
    }
    return found;
  }

  /** The first index that is in memory; lastIndex + 1 when none is. */
  get windowFirst(): number {
    return this.before.index + 1;
  }

  /** Record bytes in memory. */
  get windowBytes(): number {
    return this.endPos - this.before.pos;
  }

  /** Records that are not durable yet, in bytes; those before the window always are. */
  get undurableBytes(): number {
    return this.endPos - this.posAfter(this.durableIndex);
  }

  entryAt(index: number): Entry | undefined {
    return this.window[index - this.before.index - 1 + this.head];
  }

  /** Whether chainCrc and position just after `index` are in memory. */
  knowsEnd(index: number): boolean {
    return index >= this.before.index && index <= this.lastIndex;
  }

  /** The chainCrc at `index`, for which `knowsEnd` holds. */
  chainAt(index: number): number {
    if (index === this.lastIndex) return this.chainCrc;
    return this.entryAt(index)?.chainCrc ?? this.before.chainCrc;
  }

  /** Bytes of all records up to and with `index`, for which `knowsEnd` holds. */
  posAfter(index: number): number {
    if (index === this.lastIndex) return this.endPos;
    const entry = this.entryAt(index);
    return entry === undefined ? this.before.pos : entry.pos + entry.size;
  }

  /** Entries from `first`, which is in the window or just behind it: at least one if there is one, then up to both limits. */
  slice(first: number, bytesMax: number, entriesMax: number): Entry[] {
    const from = first - this.before.index - 1 + this.head;
    let to = from;
    let bytes = 0;
    const limit = Math.min(this.window.length, from + entriesMax);
    while (to < limit) {
      bytes += this.window[to]?.size ?? 0;
      if (bytes > bytesMax && to > from) break;
      to += 1;
    }
    return this.window.slice(from, to) as Entry[];
  }

  /** Adds entries behind the end. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assertEntryContinues(this, entry);
      if (entry.term !== this.lastTerm || this.runFirst.length === 0) this.beginRun(entry.index, entry.term);
      this.window.push(entry);
      this.lastIndex = entry.index;
      this.lastTerm = entry.term;
      this.chainCrc = entry.chainCrc;
      this.endPos = entry.pos + entry.size;
    }
  }

  private beginRun(firstIndex: number, term: number, termMax: number = term): void {
    this.runFirst.push(firstIndex);
    this.runTerm.push(term);
    this.runTermMax.push(termMax);
  }

  private dropRunsFrom(index: number): void {
    while (this.runFirst.length > 0 && (this.runFirst[this.runFirst.length - 1] as number) >= index) {
      this.runFirst.pop();
      this.runTerm.pop();
      this.runTermMax.pop();
    }
  }

  /** Cuts everything behind `end`, which the caller knows to be this log's own content there. */
  truncate(end: LogEnd, commitIndex: number): void {
    assertKeepsCommitted(end.index, commitIndex);
    const from = end.index + 1;
    this.dropRunsFrom(from);
    const run = this.runFirst.length - 1;
    if (run >= 0 && this.runTermMax[run] !== this.runTerm[run]) {
      // The cut goes through damage: of its last entry the term is known from now on.
      this.dropRunsFrom(end.index);
      this.beginRun(end.index, end.term);
    }
    if (from <= this.windowFirst) {
      this.window = [];
      this.head = 0;
      this.before = end;
    } else {
      this.window.length = from - this.windowFirst + this.head;
    }
    this.lastIndex = end.index;
    this.lastTerm = end.term;
    this.chainCrc = end.chainCrc;
    this.endPos = end.pos;
    this.durableIndex = Math.min(this.durableIndex, end.index);
  }

  /** @returns whether the durable part grew. */
  synced(index: number): boolean {
    assertDurableWithinLog(index, this.lastIndex);
    const durable = Math.min(index, this.lastIndex);
    if (durable <= this.durableIndex) return false;
    this.durableIndex = durable;
    return true;
  }

  /** Lets entries up to `upTo` leave the window for as long as it holds more than either limit. */
  evict(upTo: number, bytesMax: number, entriesMax: number): void {
    let head = this.head;
    let last: Entry | undefined;
    let bytes = this.windowBytes;
    let count = this.window.length - head;
    while (bytes > bytesMax || count > entriesMax) {
      const entry = this.window[head];
      if (entry === undefined || entry.index > upTo) break;
      this.window[head] = undefined;
      last = entry;
      head += 1;
      count -= 1;
      bytes -= entry.size;
    }
    if (last === undefined) return;
    this.before = endOf(last);
    this.head = head;
    if (head > vacantSlotsMax && head * 2 > this.window.length) {
      this.window = this.window.slice(head);
      this.head = 0;
    }
  }
}
