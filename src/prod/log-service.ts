import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServiceError,
  sendUnaryData,
} from "@grpc/grpc-js";
import { Metadata, status } from "@grpc/grpc-js";
import type { FaultCode } from "../core/base/errors.ts";
import { LogError } from "../core/base/errors.ts";
import type { Done } from "../core/base/task.ts";
import { second } from "../core/base/units.ts";
import type { Group } from "../core/node/group.ts";
import type { Node } from "../core/node/node.ts";
import type { ReadEntry, TailAnswer } from "../core/node/reads.ts";
import { LogConnection } from "./log-connection.ts";
import type { Batch } from "./proto.ts";
import type { Turns } from "./turn.ts";

interface GroupRequest {
  readonly group: string;
}

interface AppendRequest extends GroupRequest {
  readonly data: Buffer;
}

interface AppendBatch extends GroupRequest {
  readonly data: readonly Buffer[];
}

interface GetRequest extends GroupRequest {
  readonly index: number;
}

interface TailRequest extends GroupRequest {
  readonly from: number;
  readonly follow: boolean;
}

/** A round of a tail that may wait for its entry. */
interface Waiting {
  readonly group: Group;
  readonly done: Done<TailAnswer>;
}

/** Batches of one append stream that may wait for their answer; then the stream is read no further. */
const streamBatchesMax = 64;
const tailEntriesMax = 1_024;
const tailBytesMax = 1_024 * 1_024;
const tailWait = 5 * second;
/** Longer than elections take; a node that hears of nothing new for so long may be cut off, or wait for a person. */
const tailPatience = 4 * second;
const tailRetryMs = 100;
/** Characters of a group's name that is told to be unknown. */
const shownMax = 64;

const grpcCodes: { readonly [code in FaultCode]?: status } = {
  "entry-too-large": status.INVALID_ARGUMENT,
  "batch-too-large": status.INVALID_ARGUMENT,
  "malformed-frame": status.INVALID_ARGUMENT,
  "index-out-of-range": status.OUT_OF_RANGE,
  "internal-entry": status.OUT_OF_RANGE,
  "unknown-group": status.NOT_FOUND,
  "unknown-node": status.NOT_FOUND,
  "pending-full": status.RESOURCE_EXHAUSTED,
  "sessions-full": status.RESOURCE_EXHAUSTED,
  "disk-full": status.RESOURCE_EXHAUSTED,
  "not-leader": status.FAILED_PRECONDITION,
  "outcome-unknown": status.UNKNOWN,
  timeout: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
};

/**
 * The plain methods of the service `Log`, for people and other languages. Faults come as a gRPC status with the
 * trailers `quorumlog-code`, `quorumlog-retry` and, where the node knows it, `quorumlog-leader`.
 */
export class LogService {
  private readonly node: () => Node;
  private readonly turns: Pick<Turns, "enter" | "now">;
  private readonly pause: (then: () => void) => void;
  /** By the address of the other end. */
  private readonly connections = new Map<string, LogConnection>();

  /**
   * @param node asked at each call: the service exists before its node does.
   * @param pause what a tail that was refused does before it asks again.
   */
  constructor(
    node: () => Node,
    turns: Pick<Turns, "enter" | "now">,
    pause: (then: () => void) => void = (then): void => void setTimeout(then, tailRetryMs),
  ) {
    this.node = node;
    this.turns = turns;
    this.pause = pause;
  }

  /** A connection whose calls come; undefined when the node has as many clients as it may have. */
  connected(from: string, unsentBytes: () => number): LogConnection | undefined {
    const node = this.node();
    const giveBack = node.takePlace();
    if (giveBack === undefined) return undefined;
    const connection = new LogConnection({
      turns: node.readTurns,
      answerBytesMax: node.config.limits.connectionAnswerBytesMax,
      unsentBytes,
      closed: () => {
        giveBack();
        if (this.connections.get(from) === connection) this.connections.delete(from);
      },
    });
    this.connections.set(from, connection);
    return connection;
  }

  /** The connection that a call came on. @throws LogError cancelled: it is gone. */
  private connectionOf(call: { getPeer(): string }): LogConnection {
    const found = this.connections.get(call.getPeer());
    if (found === undefined) throw new LogError("cancelled", "the connection is gone");
    return found;
  }

  readonly handlers: { readonly [method: string]: (...call: never[]) => void } = {
    Append: this.unary<AppendRequest>((group, { data }, done) => {
      group.append(
        batchOf([data]),
        answer(done, ({ indexes, term }) => ({ index: indexes[0], term })),
      );
    }),
    Get: this.unary<GetRequest>((group, { index }, done, connection) => {
      const answered = answer(done, (entry: ReadEntry) => ({
        index: entry.index,
        term: entry.term,
        data: entry.body,
      }));
      group.get(index, true, connection.read(answered, bytesOf), connection.gate);
    }),
    ReadIndex: this.unary<GroupRequest>((group, _request, done) => {
      group.readIndex(answer(done, (index) => ({ index })));
    }),
    Status: this.unary<GroupRequest>((group, _request, done) => done(undefined, group.status())),
    AppendStream: this.appendStream(),
    Tail: this.tail(),
  };

  /** @throws LogError unknown-group. */
  private groupOf(name: string): Group {
    const groups = [...this.node().groups.values()];
    const found =
      name === "" && groups.length === 1 ? groups[0] : groups.find((group) => group.group === name);
    if (found === undefined) {
      // A name may be as long as a message, and the answer is a header.
      const shown = JSON.stringify(name.slice(0, shownMax));
      throw new LogError("unknown-group", `this node has no group ${shown}`);
    }
    return found;
  }

  private unary<Request extends GroupRequest>(
    serve: (group: Group, request: Request, done: Done<object>, connection: LogConnection) => void,
  ): handleUnaryCall<Request, object> {
    return (call, callback: sendUnaryData<object>) => {
      this.turns.enter();
      const done: Done<object> = (error, value) => {
        if (error === undefined) callback(null, value);
        else callback(this.statusOf(error, call.request.group));
      };
      try {
        serve(this.groupOf(call.request.group), call.request, done, this.connectionOf(call));
      } catch (error) {
        done(error as Error, {});
      }
    };
  }

  private appendStream(): handleBidiStreamingCall<Batch<AppendBatch>, object> {
    return (call) => {
      const answers: { value: object | undefined }[] = [];
      let ended = false;
      let broken = false;
      let blocked = false;
      const fail = (error: Error, group: string): void => {
        if (broken) return;
        broken = true;
        call.emit("error", this.statusOf(error, group));
      };
      // Answers leave in the order of the batches, whichever is committed first.
      const flush = (): void => {
        for (let first = answers[0]; !broken && !blocked && first?.value !== undefined; first = answers[0]) {
          answers.shift();
          if (call.write(first.value)) continue;
          // Whoever does not read the answers is not read from either.
          blocked = true;
          call.once("drain", () => {
            blocked = false;
            flush();
          });
        }
        if (!blocked && answers.length < streamBatchesMax) call.resume();
        if (ended && answers.length === 0 && !broken) call.end();
      };
      call.on("data", (batch: Batch<AppendBatch>) => {
        if (broken) return;
        this.turns.enter();
        const waiting: { value: object | undefined } = { value: undefined };
        answers.push(waiting);
        if (answers.length >= streamBatchesMax) call.pause();
        let group = "";
        try {
          const message = batch.message();
          group = message.group;
          this.groupOf(group).append(batchOf(message.data), (error, appended) => {
            if (error !== undefined) return fail(error, group);
            waiting.value = { term: appended.term, indexes: appended.indexes };
            flush();
          });
        } catch (error) {
          fail(error as Error, group);
        }
      });
      call.on("end", () => {
        ended = true;
        flush();
      });
      call.on("cancelled", () => {
        broken = true;
      });
    };
  }

  /**
   * Ends as UNAVAILABLE, and not in silence, when the node has heard of nothing new for longer than an election takes:
   * whoever follows then goes on at another node, from the `next` of the last message.
   */
  private tail(): handleServerStreamingCall<TailRequest, object> {
    return (call) => {
      const { group: name, follow } = call.request;
      const connection = this.connections.get(call.getPeer());
      if (connection === undefined)
        return void call.emit(
          "error",
          this.statusOf(new LogError("cancelled", "the connection is gone"), name),
        );
      let over = false;
      let refusedSince = Number.POSITIVE_INFINITY;
      let waiting: Waiting | undefined;
      call.on("cancelled", () => {
        over = true;
        // Nobody waits for it: its place is somebody else's.
        waiting?.group.cancelTail(waiting.done);
      });
      const fail = (error: Error): void => {
        if (!over) call.emit("error", this.statusOf(error, name));
        over = true;
      };
      const next = (group: Group, from: number, last: number): void => {
        if (over) return;
        if (from > last) return void call.end();
        const request = {
          from,
          entriesMax: tailEntriesMax,
          bytesMax: tailBytesMax,
          wait: tailWait,
          linearizable: false,
        };
        const done: Done<TailAnswer> = (error, tail) => {
          waiting = undefined;
          if (over) return;
          if (error !== undefined) {
            const now = this.turns.now();
            refusedSince = Math.min(refusedSince, now);
            if (!isUnavailable(error) || now - refusedSince >= tailPatience) return fail(error);
            return this.pause(() => {
              this.turns.enter();
              next(group, from, last);
            });
          }
          refusedSince = Number.POSITIVE_INFINITY;
          sendTail(call, connection, tail, () => next(group, tail.next, last));
        };
        let counted: Done<TailAnswer>;
        try {
          counted = connection.read(done, (tail) => tail.entries.reduce((sum, one) => sum + bytesOf(one), 0));
        } catch (error) {
          return fail(error as Error);
        }
        waiting = { group, done: counted };
        group.tail(request, counted, connection.gate);
      };
      /** Follows for ever, or up to what a majority confirms to be committed by now. */
      const begin = (group: Group, from: number): void => {
        if (follow) return next(group, from, Number.POSITIVE_INFINITY);
        group.readIndex((error, last) => (error === undefined ? next(group, from, last) : fail(error)));
      };
      this.turns.enter();
      try {
        begin(this.groupOf(name), call.request.from);
      } catch (error) {
        fail(error as Error);
      }
    };
  }

  private statusOf(error: Error, groupName: string): Partial<ServiceError> & { code: status } {
    const fault = error instanceof LogError ? error : new LogError("disk-error", error.message);
    const metadata = new Metadata();
    metadata.set("quorumlog-code", fault.code);
    metadata.set("quorumlog-retry", fault.retry);
    const group = [...this.node().groups.values()].find((one) => groupName === "" || one.group === groupName);
    if (group !== undefined && group.leader !== "") {
      metadata.set("quorumlog-leader", `${group.leader}-${group.addressOf(group.leader)}`);
    }
    return { code: grpcCodes[fault.code] ?? status.UNAVAILABLE, details: fault.message, metadata };
  }
}

/** A reader is not read ahead for: what it is sent has left before more is asked for. */
function sendTail(
  call: { write(message: object, sent: () => void): unknown },
  connection: LogConnection,
  tail: TailAnswer,
  sent: () => void,
): void {
  if (tail.entries.length === 0) return void setImmediate(sent);
  const entries = tail.entries.map(({ index, term, body }) => ({ index, term, data: body }));
  call.write({ entries, next: tail.next }, () => {
    // The stream itself tells it only where much was left to send.
    connection.drained();
    sent();
  });
}

function isUnavailable(error: Error): boolean {
  return error instanceof LogError && error.code === "unavailable";
}

/** What an entry counts as where reads are paced. */
function bytesOf({ body }: ReadEntry): number {
  return body.length;
}

/** Outside any session. Plain Uint8Arrays: core relies on `slice` copying, a Buffer's does not. */
function batchOf(data: readonly Buffer[]) {
  const bodies = data.map((bytes) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  return { session: 0, firstSequence: 0, bodies };
}

function answer<T>(done: Done<object>, make: (value: T) => object): Done<T> {
  return (error, value) => {
    if (error !== undefined) done(error, {});
    else done(undefined, make(value));
  };
}
