import { expect } from "chai";
import { LogError } from "#core/base/errors";
import type { TailEvents } from "#core/client/client";
import type { LogEntry } from "#core/commitlog/protocol";
import { TailIterator } from "#prod/tail-iterator";

/** The client's tail, by hand. */
class FakeTail {
  readonly said: string[] = [];
  events: TailEvents | undefined;

  readonly open = (events: TailEvents): { close(): void; pause(): void; resume(): void } => {
    this.events = events;
    const say = (what: string) => () => void this.said.push(what);
    return { close: say("close"), pause: say("pause"), resume: say("resume") };
  };

  give(...indexes: number[]): void {
    const batch = indexes.map((index) => ({ index, term: 1, body: new Uint8Array(1) }) as LogEntry);
    const next = (indexes.at(-1) ?? -1) + 1;
    this.events?.entries(batch, next, next - 1);
  }
}

const always = { signal: undefined, last: Number.POSITIVE_INFINITY, idleMsMax: undefined };
const indexesOf = (batch: readonly LogEntry[] | undefined) => batch?.map(({ index }) => index);

async function faultOf(promise: Promise<unknown>): Promise<LogError> {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  if (error instanceof LogError) return error;
  throw new Error(`no LogError: ${String(error)}`);
}

describe("the iterator of a tail", () => {
  it("gives batches in order, and pauses the tail while its reader is behind", async () => {
    const tail = new FakeTail();
    const iterator = new TailIterator(tail.open, always);
    tail.give(0, 1);
    expect(tail.said).to.deep.equal([]);
    tail.give(2);
    expect(tail.said).to.deep.equal(["pause"]);
    expect(indexesOf(await iterator.next())).to.deep.equal([0, 1]);
    expect(indexesOf(await iterator.next())).to.deep.equal([2]);
    const waiting = iterator.next();
    expect(tail.said).to.deep.equal(["pause", "resume"]);
    tail.give(3);
    expect(indexesOf(await waiting)).to.deep.equal([3]);
    iterator.close();
    expect(tail.said.at(-1)).to.equal("close");
    expect(await iterator.next()).to.equal(undefined);
  });

  it("ends behind the last index, whichever batch crosses it", async () => {
    const tail = new FakeTail();
    const iterator = new TailIterator(tail.open, { ...always, last: 2 });
    tail.give(1, 2, 3);
    expect(indexesOf(await iterator.next())).to.deep.equal([1, 2]);
    expect(await iterator.next()).to.equal(undefined);
  });

  it("gives what came before a failure, then throws it", async () => {
    const tail = new FakeTail();
    const iterator = new TailIterator(tail.open, always);
    tail.give(0);
    tail.events?.failed(new LogError("unknown-group", "no such group"));
    expect(indexesOf(await iterator.next())).to.deep.equal([0]);
    expect((await faultOf(iterator.next())).code).to.equal("unknown-group");
  });

  it("ends at an abort, also while it waits, and drops what was not read", async () => {
    const tail = new FakeTail();
    const abort = new AbortController();
    const iterator = new TailIterator(tail.open, { ...always, signal: abort.signal });
    const waiting = faultOf(iterator.next());
    abort.abort("enough");
    expect(await waiting).to.include({ code: "cancelled", cause: "enough" });
    tail.give(0);
    const late = new TailIterator(tail.open, { ...always, signal: abort.signal });
    expect((await faultOf(late.next())).code).to.equal("cancelled");
  });

  it("fails when nothing comes for too long", async () => {
    const tail = new FakeTail();
    const iterator = new TailIterator(tail.open, { ...always, idleMsMax: 20 });
    tail.give(0);
    expect(indexesOf(await iterator.next())).to.deep.equal([0]);
    expect((await faultOf(iterator.next())).code).to.equal("timeout");
  });
});
