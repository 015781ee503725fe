import { LogError } from "../../core/base/errors.ts";
import type { Done } from "../../core/base/task.ts";
import type { Micros } from "../../core/base/units.ts";
import { second } from "../../core/base/units.ts";
import type { Client } from "../../core/client/client.ts";
import type { Target } from "../../core/client/client-event.ts";
import type { Recorder } from "../history/recorder.ts";

const readIndexTimeout: Micros = 30 * second;

/**
 * Reads a group's whole log back, as any client can: a read-index tells how far it goes, a tail from the first index gives it. What it saw goes into the history as one more tail.
 */
export class FinalRead {
  private readonly client: Client;
  private readonly number: number;
  private readonly recorder: Recorder;
  private readonly now: () => Micros;
  private readonly target: Target;
  private end = -1;
  private next = 0;
  private ended = false;

  /** @param target of whom the tail asks. */
  constructor(client: Client, number: number, recorder: Recorder, now: () => Micros, target: Target) {
    this.client = client;
    this.number = number;
    this.recorder = recorder;
    this.now = now;
    this.target = target;
  }

  start(done: Done<void>): void {
    const operation = this.recorder.readIndex(this.number, this.now());
    this.client.readIndex({ timeout: readIndexTimeout }, (error, index) => {
      if (error !== undefined) {
        done(error, undefined);
        return;
      }
      this.recorder.confirmed(operation, this.now(), index);
      this.findEnd(index, done);
    });
  }

  /** A tail tells of clients' entries only: it is over at the last one of those, which the log's own may follow. */
  private findEnd(index: number, done: Done<void>): void {
    this.end = index;
    this.recorder.end = index;
    if (index < 0) {
      done(undefined, undefined);
      return;
    }
    this.client.get(index, { timeout: readIndexTimeout }, (error) => {
      if (error === undefined) this.tail(done);
      else if (error instanceof LogError && error.code === "internal-entry") this.findEnd(index - 1, done);
      else done(error, undefined);
    });
  }

  waitingFor(): string {
    if (this.end < 0) return `${this.recorder.group}: the last read-index`;
    return this.ended
      ? `${this.recorder.group}: nothing`
      : `${this.recorder.group}: the last tail, at index ${this.next} of ${this.end}`;
  }

  private tail(done: Done<void>): void {
    const tail = this.recorder.newTail();
    const handle = this.client.tail(
      0,
      { target: this.target },
      {
        entries: (entries, next) => {
          if (this.ended) return;
          const at = { client: this.number, tail, now: this.now() };
          this.recorder.tailed(at, { from: this.next, next }, entries);
          this.next = next;
          if (next <= this.end) return;
          this.ended = true;
          handle.close();
          done(undefined, undefined);
        },
        failed: (error) => {
          if (this.ended) return;
          this.ended = true;
          done(error, undefined);
        },
      },
    );
  }
}
