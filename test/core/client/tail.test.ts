import { expect } from "chai";
import { LogError } from "#core/base/errors";
import { millisecond, second } from "#core/base/units";
import type { TailHandle, TailOptions } from "#core/client/client";
import type { LogEntry, Tail } from "#core/commitlog/protocol";
import { Harness } from "./harness.ts";
import type { Script } from "./scripted-node.ts";
import { fault, hintTo, refuse } from "./scripted-node.ts";

/** A log of `size` entries, every third one internal, that grows only by `size`. */
function logOf(log: { size: number }, perAnswer = 2): Script {
  const answer = (request: Tail, link: Parameters<Script>[1], node: Parameters<Script>[2]): void => {
    const entries: LogEntry[] = [];
    let next = request.from;
    while (next < log.size && entries.length < Math.min(perAnswer, request.entriesMax)) {
      if (next % 3 !== 0) entries.push({ index: next, term: 1, body: new Uint8Array([next & 255]) });
      next += 1;
    }
    const { requestId } = request;
    node.send(link, { type: "entries", requestId, next, commitIndex: log.size - 1, entries });
  };
  return (request, link, node) => {
    if (request.type !== "tail") return undefined;
    if (request.from < log.size) answer(request, link, node);
    else link.later(() => setWait(node, link, request));
    return undefined;
  };
  function setWait(node: Parameters<Script>[2], link: Parameters<Script>[1], request: Tail): void {
    waits.push(() => answer(request, link, node));
  }
}

/** Long polls that the scripted nodes hold; `release` answers them. */
let waits: (() => void)[] = [];
function release(): void {
  const held = waits;
  waits = [];
  for (const act of held) act();
}

interface Followed {
  readonly seen: number[];
  readonly nexts: number[];
  readonly failures: LogError[];
  readonly handle: TailHandle;
}

function follow(h: Harness, from: number, options: TailOptions = {}, each?: (f: Followed) => void): Followed {
  const followed: Followed = {
    seen: [],
    nexts: [],
    failures: [],
    handle: h.client.tail(from, options, {
      entries: (batch, next) => {
        followed.seen.push(...batch.map((entry) => entry.index));
        followed.nexts.push(next);
        each?.(followed);
      },
      failed: (error) => followed.failures.push(error),
    }),
  };
  return followed;
}

function dataUpTo(size: number, from = 0): number[] {
  return Array.from({ length: size - from }, (_, i) => from + i).filter((index) => index % 3 !== 0);
}

describe("client tails", () => {
  beforeEach(() => {
    waits = [];
  });

  it("hands over every data entry from an index on, in order, each once, and waits for more", () => {
    const log = { size: 20 };
    const h = new Harness([logOf(log)]);
    const tail = follow(h, 4);
    h.run(second);
    expect(tail.seen).to.deep.equal(dataUpTo(20, 4));
    log.size = 30;
    release();
    h.run(second);
    expect(tail.seen).to.deep.equal(dataUpTo(30, 4));
    expect(tail.nexts.at(-1)).to.equal(30);
  });

  it("goes on where it stood when nodes and connections come and go", () => {
    const log = { size: 200 };
    let answers = 0;
    const flaky: Script = (request, link, node) => {
      answers += 1;
      if (answers % 5 === 0) link.reset();
      if (answers % 7 === 0) return fault(request, "no-quorum");
      return logOf(log)(request, link, node);
    };
    const h = new Harness([flaky, flaky, flaky]);
    const tail = follow(h, 0);
    h.run(60 * second);
    expect(tail.seen).to.deep.equal(dataUpTo(200));
    expect(tail.failures).to.deep.equal([]);
    expect(h.network.dialled.length).to.be.greaterThan(10);
  });

  it("leaves a node that hears of nothing new, and does not go back to it after each answer of another", () => {
    const log = { size: 200 };
    for (let seed = 1; seed <= 4; seed++) {
      const h = new Harness([refuse("unavailable"), logOf(log), refuse("unavailable")], {}, seed);
      const tail = follow(h, 0);
      h.run(2 * second);
      expect(tail.seen, `seed ${seed}`).to.deep.equal(dataUpTo(200));
      expect(tail.failures).to.deep.equal([]);
      expect(h.node(0).requests.length + h.node(2).requests.length).to.be.at.most(2);
    }
  });

  it("hands nothing over while it is paused, asks for nothing, and holds one answer at most", () => {
    const log = { size: 40 };
    const h = new Harness([logOf(log)]);
    const tail = follow(h, 0, {}, (f) => {
      if (f.seen.length >= 6) f.handle.pause();
    });
    h.run(second);
    expect(tail.seen.length).to.equal(6);
    const asked = h.node(0).requests.length;
    h.run(5 * second);
    expect(h.node(0).requests.length).to.equal(asked);
    tail.handle.resume();
    h.run(millisecond * 5);
    tail.handle.pause();
    const seen = tail.seen.length;
    h.run(second);
    expect(tail.seen.length).to.equal(seen);
    expect(h.node(0).requests.length).to.be.at.most(asked + 2);
    tail.handle.resume();
    tail.handle.resume();
    h.run(second);
    expect(new Set(tail.seen).size).to.equal(tail.seen.length);
  });

  it("hands over what arrived during the pause, once it is resumed", () => {
    const log = { size: 3 };
    const h = new Harness([logOf(log)]);
    const tail = follow(h, 3);
    h.run(100 * millisecond);
    tail.handle.pause();
    log.size = 6;
    release();
    h.run(100 * millisecond);
    expect(tail.seen).to.deep.equal([]);
    tail.handle.resume();
    expect(tail.seen, "not inside the call").to.deep.equal([]);
    h.run(100 * millisecond);
    expect(tail.seen).to.deep.equal([4, 5]);
  });

  it("asks for as much as it is told to, of the node it is told to", () => {
    const h = new Harness([logOf({ size: 9 }), logOf({ size: 9 })]);
    for (const node of h.nodes) node.hint = hintTo("n1");
    follow(h, 0, { target: "follower", entriesMax: 1, bytesMax: 77, wait: 5 });
    h.run(50 * millisecond);
    const [first] = [...h.node(0).requests, ...h.node(1).requests];
    expect(first).to.include({ entriesMax: 1, bytesMax: 77, waitMicros: 5, linearizable: false });
  });

  it("waits a node's long poll out before it counts as silent", () => {
    const h = new Harness([() => undefined], { requestTimeout: 500 * millisecond });
    follow(h, 0, { wait: 4 * second });
    h.run(4 * second);
    expect(h.network.dialled.length).to.equal(1);
    h.run(2 * second);
    expect(h.network.dialled.length).to.equal(2);
  });

  it("fails when a node refuses it for good, and ends without a word when it is closed", () => {
    const h = new Harness([refuse("index-out-of-range")]);
    const tail = follow(h, 10);
    h.run(second);
    expect(tail.failures.map((error) => error.code)).to.deep.equal(["index-out-of-range"]);
    const other = new Harness([logOf({ size: 40 })]);
    const closed = follow(other, 0, {}, (f) => f.handle.close());
    other.run(second);
    expect(closed.nexts.length).to.equal(1);
    expect(closed.failures).to.deep.equal([]);
  });

  it("breaks with a node whose answer goes back or leaves its range", () => {
    const wrong: Script = (request) => ({
      type: "entries",
      requestId: request.requestId,
      next: 9,
      commitIndex: 9,
      entries: [{ index: 2, term: 1, body: new Uint8Array(0) }],
    });
    const h = new Harness([wrong]);
    const tail = follow(h, 5);
    h.run(second);
    expect(tail.seen).to.deep.equal([]);
    expect(h.network.dialled.length).to.be.greaterThan(1);
  });

  it("bounds how many tails are open", () => {
    const h = new Harness(["absent"], { tailsMax: 1 });
    const tail = follow(h, 0);
    expect(() => follow(h, 0))
      .to.throw(LogError)
      .with.property("code", "pending-full");
    tail.handle.close();
    follow(h, 0);
  });
});
