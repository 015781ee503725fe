import { LogError } from "../core/base/errors.ts";
import type { Done } from "../core/base/task.ts";
import type { ReadGate, ReadTurns } from "../core/node/read-pace.ts";
import { loadsWithin, ReadPace } from "../core/node/read-pace.ts";
import { bufferLimits } from "./frame-stream.ts";
import { streamsMax } from "./grpc-options.ts";

/** Reads that wait, those of calls that are over among them: nothing takes them back while the gate is closed. */
const readsMax = 4 * streamsMax;

export interface LogConnectionOptions {
  readonly turns: ReadTurns;
  /** What a connection may leave unread. */
  readonly answerBytesMax: number;
  /** Bytes of answers that the other end has not taken. */
  unsentBytes(): number;
  /** Told once, at the end. */
  closed(): void;
}

/**
 * A connection that carries calls of the service `Log`. Its reads are paced as those of a client that speaks frames:
 * while it has not taken what it was answered, further entries are not fetched.
 */
export class LogConnection {
  private readonly options: LogConnectionOptions;
  private readonly pace: ReadPace;
  private reads = 0;
  private open = true;

  constructor(options: LogConnectionOptions) {
    this.options = options;
    const { turns, answerBytesMax } = options;
    const unsentMax = Math.min(bufferLimits.client.bufferBytesMax, answerBytesMax);
    this.pace = new ReadPace({
      turns,
      loadsMax: loadsWithin(answerBytesMax),
      takesMore: () => this.open && options.unsentBytes() < unsentMax,
    });
  }

  /** What its reads go through. */
  get gate(): ReadGate {
    return this.pace;
  }

  /** Counts a read until it is answered. @throws LogError pending-full. */
  read<T>(done: Done<T>, bytesOf: (value: T) => number): Done<T> {
    if (this.reads >= readsMax)
      throw new LogError("pending-full", `${this.reads} reads of this connection wait for their answer`);
    this.reads += 1;
    return (error, value) => {
      this.reads -= 1;
      if (error === undefined) this.options.turns.spend(bytesOf(value));
      done(error, value);
    };
  }

  /** The other end took something. */
  drained(): void {
    this.pace.pump();
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.pace.clear();
    this.options.closed();
  }
}
