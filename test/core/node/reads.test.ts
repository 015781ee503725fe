import { expect } from "chai";
import type { Clock } from "#core/io/clock";
import type { Behind, TailAnswer } from "#core/node/reads";
import { Reads } from "#core/node/reads";
import { makeLog } from "../../support/raft-machine.ts";

/** Three applied entries, a clock that the test moves, and a majority that the test speaks for. */
class Bench {
  readonly log = makeLog([1, 1, 1, 1]);
  readonly confirming: number[] = [];
  readonly answers: (TailAnswer | string)[] = [];
  applied = 2;
  now = 0;
  behind: Behind | undefined;
  private readonly timers: { readonly at: number; readonly act: () => void }[] = [];
  readonly reads: Reads;

  constructor() {
    const clock = {
      monotonic: () => this.now,
      at: (at: number, act: () => void) => {
        const timer = { at, act };
        this.timers.push(timer);
        return { cancel: () => void this.timers.splice(this.timers.indexOf(timer), 1) };
      },
    } as unknown as Clock;
    const bench = this;
    this.reads = new Reads({
      clock,
      tailsMax: 2,
      readsMax: 2,
      behind: () => this.behind,
      tailsWait: (count) => void count,
      get appliedIndex() {
        return bench.applied;
      },
      confirm: (request) => void this.confirming.push(request),
      fromWindow: (first) => this.log.slice(first),
      fromDisk: () => undefined,
    });
  }

  tail(from: number, wait: number, linearizable: boolean): void {
    this.reads.tail({ from, entriesMax: 9, bytesMax: 999, wait, linearizable }, (error, answer) =>
      this.answers.push(error === undefined ? answer : ((error as { code?: string }).code ?? error.message)),
    );
  }

  advance(to: number): void {
    this.now = to;
    for (const timer of [...this.timers])
      if (timer.at <= to) {
        this.timers.splice(this.timers.indexOf(timer), 1);
        timer.act();
      }
  }
}

describe("reads of a replica", () => {
  for (const wait of [0, 50]) {
    it(`tell "nothing yet" after ${wait} us only once a majority confirmed it`, () => {
      const bench = new Bench();
      bench.tail(3, wait, true);
      bench.advance(50);
      expect(bench.answers).to.deep.equal([]);
      expect(bench.confirming).to.deep.equal([1]);
      bench.reads.ready(1, 2);
      expect(bench.answers).to.deep.equal([{ next: 3, commitIndex: 2, entries: [] }]);
    });

    it(`give what the confirmation brought, after ${wait} us`, () => {
      const bench = new Bench();
      bench.tail(3, wait, true);
      bench.advance(50);
      bench.reads.ready(1, 3);
      expect(bench.answers).to.deep.equal([]);
      bench.applied = 3;
      bench.reads.applied(3);
      expect(bench.answers).to.have.length(1);
      expect(bench.answers[0]).to.deep.include({ next: 4, commitIndex: 3 });
    });

    it(`tell what this node knows, after ${wait} us, to whoever asks for no more`, () => {
      const bench = new Bench();
      bench.tail(3, wait, false);
      bench.advance(50);
      expect(bench.confirming).to.deep.equal([]);
      expect(bench.answers).to.deep.equal([{ next: 3, commitIndex: 2, entries: [] }]);
    });
  }

  for (const wait of [0, 50]) {
    it(`do not tell "nothing yet" after ${wait} us while the node hears of nothing new`, () => {
      const bench = new Bench();
      bench.behind = { why: "it knows no leader", lasting: false };
      bench.tail(3, wait, false);
      if (wait > 0) expect(bench.answers, "a leader may be known by then").to.deep.equal([]);
      bench.advance(50);
      expect(bench.answers).to.deep.equal(["unavailable"]);
      expect(bench.confirming).to.deep.equal([]);
    });
  }

  it("tell it when a leader is known again by the end of the wait", () => {
    const bench = new Bench();
    bench.behind = { why: "it knows no leader", lasting: false };
    bench.tail(3, 50, false);
    bench.behind = undefined;
    bench.advance(50);
    expect(bench.answers).to.deep.equal([{ next: 3, commitIndex: 2, entries: [] }]);
  });

  it("keep nobody waiting where nothing will come, and give what is there", () => {
    const bench = new Bench();
    bench.behind = { why: "the node is failed (write failed)", lasting: true };
    bench.tail(3, 50, false);
    expect(bench.answers).to.deep.equal(["unavailable"]);
    bench.tail(1, 50, false);
    expect(bench.answers[1]).to.deep.include({ next: 3, commitIndex: 2 });
  });

  it("leave it to the majority whether there is nothing yet, where that is asked for", () => {
    const bench = new Bench();
    bench.behind = { why: "the node is failed (write failed)", lasting: true };
    bench.tail(3, 50, true);
    bench.advance(50);
    expect(bench.confirming).to.deep.equal([1]);
    bench.reads.failed(1, "unavailable");
    expect(bench.answers).to.deep.equal(["unavailable"]);
  });

  it("are bounded, those included that are confirmed and wait to be applied", () => {
    const bench = new Bench();
    const told: (number | string)[] = [];
    const read = (): void =>
      bench.reads.readIndex((error, index) =>
        told.push((error as { code?: string } | undefined)?.code ?? index),
      );
    read();
    read();
    bench.reads.ready(1, 3);
    bench.reads.ready(2, 4);
    read();
    expect(told).to.deep.equal(["pending-full"]);
    expect(bench.confirming, "Raft is not asked").to.deep.equal([1, 2]);
    bench.applied = 3;
    bench.reads.applied(3);
    read();
    expect(told).to.deep.equal(["pending-full", 3]);
    expect(bench.reads.pending).to.equal(2);
  });

  it("refuse more tails than may wait, and tell all of them when the node stops", () => {
    const bench = new Bench();
    for (let n = 0; n < 3; n++) bench.tail(3, 50, true);
    expect(bench.answers).to.deep.equal(["pending-full"]);
    bench.reads.stop();
    expect(bench.answers).to.deep.equal(["pending-full", "stopping", "stopping"]);
  });

  it("give up a tail that waits when whoever asked is gone", () => {
    const bench = new Bench();
    const told: (string | undefined)[] = [];
    const request = { from: 3, entriesMax: 9, bytesMax: 999, wait: 50, linearizable: false };
    const done = (error: Error | undefined): void =>
      void told.push((error as { code?: string } | undefined)?.code);
    bench.reads.tail(request, done);
    bench.reads.tail(request, () => told.push("the other"));
    bench.reads.cancelTail(done);
    bench.reads.cancelTail(done);
    expect([told, bench.reads.waitingTails]).to.deep.equal([["cancelled"], 1]);
    bench.advance(50);
    expect([told, bench.reads.waitingTails]).to.deep.equal([["cancelled", "the other"], 0]);
  });
});
