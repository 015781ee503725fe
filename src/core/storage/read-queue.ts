import { assert } from "../base/assert.ts";
import { LogError } from "../base/errors.ts";
import type { Done, Task } from "../base/task.ts";
import { runTask, wait } from "../base/task.ts";
import type { ReadLimit, ReadResult } from "./log-reader.ts";
import { readEntries } from "./log-reader.ts";
import type { LogWriter } from "./log-writer.ts";

/** The log as its owner knows it, where the disk may still be behind. */
export interface Expected {
  /** The last entry that is there or being written. */
  readonly last: number;
  /** What the disk holds from here on is about to be cut; Infinity when no cut waits. */
  readonly cutFrom: number;
}

interface WaitingRead {
  readonly first: number;
  readonly limit: ReadLimit;
  readonly done: Done<ReadResult>;
}

/** Readings under way at a time: each holds what it has read, whoever asked for it and however many asked. */
const runningMax = 16;

/** Readings run beside appends, but never beside a cut or a mending, which change bytes that are being read. */
export class ReadQueue {
  private readonly writer: LogWriter;
  private readonly expected: () => Expected;
  private waiting: WaitingRead[] = [];
  private running = 0;
  private alone: (() => void) | undefined;
  private aloneRuns = false;

  constructor(writer: LogWriter, expected: () => Expected) {
    this.writer = writer;
    this.expected = expected;
  }

  read(first: number, limit: ReadLimit, done: Done<ReadResult>): void {
    this.waiting.push({ first, limit, done });
    this.resume();
  }

  /** Begins the readings that need not wait. Called after every operation of the writer. */
  resume(): void {
    if (this.alone !== undefined || this.aloneRuns || this.running >= runningMax) return;
    for (const read of this.waiting.splice(0)) {
      const { cutFrom, last } = this.expected();
      const written = Math.min(this.writer.end.index, cutFrom - 1);
      const unwritten = read.first > written && read.first <= last;
      if (unwritten || this.running >= runningMax) this.waiting.push(read);
      else this.begin(read, written);
    }
  }

  /** @param last the last index whose record on the disk is the one that its owner means. */
  private begin(read: WaitingRead, last: number): void {
    const { writer } = this;
    const limit = { ...read.limit, last: Math.min(read.limit.last, last) };
    const task = read.first > last ? this.nothing() : readEntries(writer.view(), read.first, limit);
    this.running += 1;
    runTask(task, (error, result) => {
      this.running -= 1;
      this.startAlone();
      read.done(error, result as ReadResult);
      this.resume();
    });
  }

  /** Beyond the end there is nothing; a turn later all the same, since a completion never comes inside the call. */
  private *nothing(): Task<ReadResult> {
    const { files } = this.writer;
    yield* wait<number>((done) => files.get(files.lastNumber).file.size(done));
    return { before: this.writer.end, entries: [] };
  }

  /** Calls `begin` once no reading is under way; none begins before `aloneDone`. */
  whenAlone(begin: () => void): void {
    assert(this.alone === undefined && !this.aloneRuns, "one operation at a time is alone");
    this.alone = begin;
    this.startAlone();
  }

  private startAlone(): void {
    const { alone } = this;
    if (this.running > 0 || alone === undefined) return;
    this.alone = undefined;
    this.aloneRuns = true;
    alone();
  }

  aloneDone(): void {
    this.aloneRuns = false;
  }

  /** The log is closed: what still waits is told so. */
  giveUp(): void {
    const error = new LogError("stopping", "the log is closed");
    for (const { done } of this.waiting.splice(0)) done(error, undefined as never);
  }
}
