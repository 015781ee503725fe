import { expect } from "chai";
import { IncomingBudget } from "#prod/frame-socket";
import { IncomingCalls } from "#prod/incoming-calls";
import { framed } from "./support/raw-calls.ts";

const budgetBytes = 100_000;

/** A budget, the calls that share it, and a clock that the test moves. */
class Bench {
  readonly budget = new IncomingBudget(budgetBytes);
  now = 0;
  readonly calls = new IncomingCalls(this.budget, () => this.now);
  refused = 0;

  begin(): ReturnType<IncomingCalls["begin"]> {
    return this.calls.begin(() => {
      this.refused += 1;
    });
  }
}

describe("what calls have sent and nobody has taken", () => {
  it("counts from the first byte until somebody takes its message, however it is cut", () => {
    for (const size of [1, 3, 7, 1_000]) {
      const bench = new Bench();
      const call = bench.begin();
      const bytes = Buffer.concat([
        framed(new Uint8Array(40)),
        framed(new Uint8Array()),
        framed(new Uint8Array(9)),
      ]);
      for (let at = 0; at < bytes.length; at += size)
        expect(call.take(bytes.subarray(at, at + size))).to.equal(true);
      const held = [budgetBytes - bench.budget.available];
      for (let n = 0; n < 3; n++) {
        call.taken();
        held.push(budgetBytes - bench.budget.available);
      }
      expect(held[0]).to.be.at.least(bytes.length);
      expect(held).to.deep.equal(held.toSorted((a, b) => b - a));
      expect(new Set(held).size, "each message has its share").to.equal(4);
      expect(held[3], "nothing is kept").to.equal(0);
    }
  });

  it("counts many empty messages, and many empty pieces, as the burden that they are", () => {
    const messages = new Bench();
    const call = messages.begin();
    expect(call.take(Buffer.concat(Array.from({ length: 1_000 }, () => framed(new Uint8Array()))))).to.equal(
      false,
    );
    const pieces = new Bench();
    const dripping = pieces.begin();
    dripping.take(framed(new Uint8Array(), 1_000));
    let taken = 0;
    while (dripping.take(new Uint8Array(1)) && pieces.refused === 0) taken += 1;
    expect(taken).to.be.below(budgetBytes / 200);
  });

  it("ends the call that asks for more than there is, and gives back what it had", () => {
    const bench = new Bench();
    const [first, second] = [bench.begin(), bench.begin()];
    first.take(framed(new Uint8Array(60_000), 90_000));
    expect(second.take(framed(new Uint8Array(60_000), 90_000))).to.equal(false);
    expect([bench.refused, bench.calls.size]).to.deep.equal([1, 1]);
    expect(second.take(new Uint8Array(60_000)), "what comes behind is thrown away").to.equal(true);
    first.end();
    first.end();
    second.end();
    expect([bench.budget.available, bench.calls.size]).to.deep.equal([budgetBytes, 0]);
  });

  it("takes from the budget that it is a part of, and leaves the rest to others", () => {
    const whole = new IncomingBudget(100);
    const part = new IncomingBudget(40, whole);
    expect([part.take(41), part.take(30), whole.take(70), part.take(1)]).to.deep.equal([
      false,
      true,
      true,
      false,
    ]);
    part.give(30);
    expect([part.available, whole.available]).to.deep.equal([40, 30]);
  });

  it("ends calls that hold something and of which nobody could take anything for long", () => {
    const bench = new Bench();
    const [idle, half, whole, flowing] = [bench.begin(), bench.begin(), bench.begin(), bench.begin()];
    half.take(framed(new Uint8Array(5), 10));
    whole.take(framed(new Uint8Array(5)));
    flowing.take(framed(new Uint8Array(5)));
    flowing.take(framed(new Uint8Array(5), 10));
    bench.now = 50;
    flowing.taken();
    half.take(new Uint8Array(1));
    bench.now = 101;
    bench.calls.sweep(100);
    expect([bench.refused, bench.calls.size]).to.deep.equal([2, 2]);
    expect([half.take(new Uint8Array(1)), whole.take(new Uint8Array(1))]).to.deep.equal([true, true]);
    bench.now = 151;
    bench.calls.sweep(100);
    expect([bench.refused, bench.calls.size]).to.deep.equal([3, 1]);
    idle.end();
    expect(bench.budget.available).to.equal(budgetBytes);
  });

  it("are forgotten on a call that goes on, though the next message always waits when one is taken", () => {
    const call = new Bench().begin();
    const message = framed(new Uint8Array(3));
    call.take(message);
    for (let n = 0; n < 10_000; n++) {
      call.take(message);
      call.taken();
    }
    const { whole } = call as unknown as { readonly whole: readonly number[] };
    expect(whole.length).to.be.lessThan(5_000);
  });
});
