import { assert } from "../base/assert.ts";
import type { Done, Task } from "../base/task.ts";
import { runTask, wait } from "../base/task.ts";
import type { ReadLimit, ReadResult } from "./log-reader.ts";
import { readEntries } from "./log-reader.ts";
import type { LogWriter } from "./log-writer.ts";

interface WaitingRead {
  readonly first: number;
  readonly limit: ReadLimit;
  readonly done: Done<ReadResult>;
}

/** Readings run beside appends, but never beside a cut or a mending, which change bytes that are being read. */
export class ReadQueue {
  private readonly writer: LogWriter;
  private waiting: WaitingRead[] = [];
  private running = 0;
  private alone: (() => void) | undefined;
  private aloneRuns = false;

  constructor(writer: LogWriter) {
    this.writer = writer;
  }

  /** @param lastIndex the last entry that is there or being written: those are waited for. */
  read(first: number, limit: ReadLimit, done: Done<ReadResult>, lastIndex: number): void {
    this.waiting.push({ first, limit, done });
    this.resume(lastIndex);
  }

  /** Begins the readings that need not wait. Called after every operation of the writer. */
  resume(lastIndex: number): void {
    if (this.alone !== undefined || this.aloneRuns) return;
    for (const read of this.waiting.splice(0)) {
      if (read.first > this.writer.end.index && read.first <= lastIndex) this.waiting.push(read);
      else this.begin(read);
    }
  }

  private begin(read: WaitingRead): void {
    const { writer } = this;
    const task =
      read.first > writer.end.index ? this.nothing() : readEntries(writer.view(), read.first, read.limit);
    this.running += 1;
    runTask(task, (error, result) => {
      this.running -= 1;
      this.startAlone();
      read.done(error, result as ReadResult);
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
}
