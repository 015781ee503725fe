import { expect } from "chai";
import fc from "fast-check";
import { EventHeap } from "#sim/event-heap";

interface Waiting {
  readonly time: number;
  readonly order: number;
  readonly handle: number;
}

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("push" as const), time: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("pop" as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), which: fc.nat() }) },
  ),
  { maxLength: 2_000 },
);

describe("event heap", () => {
  it("gives values in the order of time, then of order, and never a cancelled one", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const heap = new EventHeap<Waiting>();
        let model: Waiting[] = [];
        const gone: number[] = [];
        let order = 0;
        for (const step of list) {
          if (step.kind === "push") {
            order += 1;
            const value = { time: step.time, order, handle: -1 };
            model.push({ ...value, handle: heap.push(step.time, order, value) });
          } else if (step.kind === "pop") {
            model.sort((a, b) => a.time - b.time || a.order - b.order);
            const first = model.shift();
            const popped = heap.pop();
            expect(popped?.order).to.equal(first?.order);
            if (first !== undefined) gone.push(first.handle);
          } else if (model.length > 0) {
            const [taken] = model.splice(step.which % model.length, 1) as [Waiting];
            expect(heap.cancel(taken.handle)).to.equal(true);
            gone.push(taken.handle);
          }
          expect(heap.size).to.equal(model.length);
          expect(heap.nextTime()).to.equal(
            Math.min(Number.POSITIVE_INFINITY, ...model.map(({ time }) => time)),
          );
        }
        // A stale handle never touches the value that took its slot.
        for (const handle of gone) expect(heap.cancel(handle)).to.equal(false);
        model = model.sort((a, b) => a.time - b.time || a.order - b.order);
        expect(model.map(() => heap.pop()?.order)).to.deep.equal(model.map((value) => value.order));
        expect(heap.pop()).to.equal(undefined);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps its order when most of many entries are cancelled", () => {
    const heap = new EventHeap<number>();
    const handles = Array.from({ length: 5_000 }, (_, i) => heap.push((i * 7_919) % 1_000, i, i));
    for (const [i, handle] of handles.entries()) if (i % 10 !== 0) heap.cancel(handle);
    expect(heap.size).to.equal(500);
    const popped: [number, number][] = [];
    for (let value = heap.pop(); value !== undefined; value = heap.pop()) {
      popped.push([(value * 7_919) % 1_000, value]);
    }
    expect(popped).to.have.length(500);
    expect(popped).to.deep.equal([...popped].sort(([a, i], [b, j]) => a - b || i - j));
  });
});
