import type { GroupId } from "../../core/base/brand.ts";
import { LogError } from "../../core/base/errors.ts";
import type { Micros } from "../../core/base/units.ts";
import type {
  AppendOperation,
  Crowd,
  GetOperation,
  History,
  Operation,
  ReadIndexOperation,
  TailOperation,
  Watch,
} from "./history.ts";
import { decodePayload } from "./payload.ts";

/** An entry as a client reads it. */
export interface ReadEntry {
  readonly index: number;
  readonly body: Uint8Array;
}

/** Writes one group's history while clients work on it. Times are of one clock for all clients. */
export class Recorder implements History {
  readonly group: GroupId;
  readonly operations: Operation[] = [];
  readonly crowds: Crowd[] = [];
  readonly watches: Watch[] = [];
  end?: number;
  /** Entries acknowledged so far. */
  acked = 0;
  /** The highest index that any client was told of; -1 before the first. */
  highestIndex = -1;
  private tails = 0;

  constructor(group: GroupId) {
    this.group = group;
  }

  // Written out field by field: spread from a common part, operations took five times the time of a run that they take so.
  append(client: number, now: Micros, keys: readonly number[]): AppendOperation {
    const operation: AppendOperation = {
      client,
      invokedAt: now,
      returnedAt: Number.POSITIVE_INFINITY,
      outcome: "unknown",
      kind: "append",
      keys,
      indexes: [],
    };
    this.operations.push(operation);
    return operation;
  }

  appended(operation: AppendOperation, now: Micros, indexes: readonly number[]): void {
    operation.outcome = "ok";
    operation.returnedAt = now;
    operation.indexes = indexes;
    this.acked += operation.keys.length;
    for (const index of indexes) this.heardOf(index);
  }

  get(client: number, now: Micros, index: number): GetOperation {
    const operation: GetOperation = {
      client,
      invokedAt: now,
      returnedAt: Number.POSITIVE_INFINITY,
      outcome: "unknown",
      kind: "get",
      index,
      key: undefined,
    };
    this.operations.push(operation);
    return operation;
  }

  /** @param key `internalKey` when the entry is internal, undefined when the log ends before the index. */
  got(operation: GetOperation, now: Micros, key: number | undefined): void {
    operation.outcome = "ok";
    operation.returnedAt = now;
    operation.key = key;
  }

  readIndex(client: number, now: Micros): ReadIndexOperation {
    const operation: ReadIndexOperation = {
      client,
      invokedAt: now,
      returnedAt: Number.POSITIVE_INFINITY,
      outcome: "unknown",
      kind: "read-index",
      index: -1,
    };
    this.operations.push(operation);
    return operation;
  }

  confirmed(operation: ReadIndexOperation, now: Micros, index: number): void {
    operation.outcome = "ok";
    operation.returnedAt = now;
    operation.index = index;
    this.heardOf(index);
  }

  /** A number for a new tail. */
  newTail(): number {
    this.tails += 1;
    return this.tails - 1;
  }

  /** A number for a new tail that has to come to the end. */
  newWatch(client: number): number {
    const tail = this.newTail();
    this.watches.push({ client, tail });
    return tail;
  }

  tailed(
    at: { readonly client: number; readonly tail: number; readonly now: Micros },
    range: { readonly from: number; readonly next: number },
    entries: readonly ReadEntry[],
  ): void {
    const operation: TailOperation = {
      kind: "tail",
      client: at.client,
      tail: at.tail,
      invokedAt: at.now,
      returnedAt: at.now,
      outcome: "ok",
      from: range.from,
      next: range.next,
      indexes: entries.map((entry) => entry.index),
      keys: entries.map((entry) => decodePayload(entry.body)),
    };
    this.operations.push(operation);
    this.heardOf(range.next - 1);
  }

  /** An error whose retry advice is `unknown` leaves the outcome open; every other one says that nothing happened. */
  refused(operation: Operation, now: Micros, error: LogError): void {
    if (operation.kind === "append") operation.refusal = { at: now, codes: codesOf(error) };
    if (error.retry === "unknown") return;
    operation.outcome = "failed";
    operation.returnedAt = now;
  }

  /** A client has no room for one more append. @returns what is told, once, when it has some again. */
  crowded(crowd: Omit<Crowd, "until">): (now: Micros) => void {
    const noted: Crowd = { ...crowd, until: Number.POSITIVE_INFINITY };
    this.crowds.push(noted);
    return (now) => {
      noted.until = now;
    };
  }

  private heardOf(index: number): void {
    if (index > this.highestIndex) this.highestIndex = index;
  }
}

function codesOf(error: LogError): string[] {
  return error.cause instanceof LogError ? [error.code, ...codesOf(error.cause)] : [error.code];
}
