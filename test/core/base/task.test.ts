import { expect } from "chai";
import type { Done, Task } from "#core/base/task";
import { runTask, wait } from "#core/base/task";

/** Calls that complete when the test says so. */
class Calls {
  readonly open: Done<number>[] = [];
  readonly call = (done: Done<number>): void => {
    this.open.push(done);
  };
}

describe("task", () => {
  it("goes on with the result of each call, and tells its own at the end", () => {
    const calls = new Calls();
    const told: unknown[] = [];
    function* sum(): Task<number> {
      const a = yield* wait<number>(calls.call);
      const b = yield* wait<number>(calls.call);
      return a + b;
    }
    runTask(sum(), (error, value) => told.push(error, value));
    expect(told).to.deep.equal([]);
    expect(calls.open).to.have.length(1);
    calls.open[0]?.(undefined, 3);
    expect(calls.open).to.have.length(2);
    calls.open[1]?.(undefined, 4);
    expect(told).to.deep.equal([undefined, 7]);
  });

  it("throws a call's error where it was waited for, so that it can be caught there", () => {
    const calls = new Calls();
    const told: unknown[] = [];
    const fault = new Error("no room");
    function* careful(): Task<string> {
      try {
        yield* wait<number>(calls.call);
        return "written";
      } catch (error) {
        return `caught ${(error as Error).message}`;
      }
    }
    runTask(careful(), (error, value) => told.push(error, value));
    calls.open[0]?.(fault, undefined as never);
    expect(told).to.deep.equal([undefined, "caught no room"]);
    runTask(wait<number>(calls.call), (error, value) => told.push(error, value));
    calls.open[1]?.(fault, undefined as never);
    expect(told.slice(2)).to.deep.equal([fault, undefined]);
  });

  it("that never waits is done at once", () => {
    const told: unknown[] = [];
    // biome-ignore lint/correctness/useYield: that is what the test is about
    function* nothing(): Task<string> {
      return "done";
    }
    runTask(nothing(), (error, value) => told.push(error, value));
    expect(told).to.deep.equal([undefined, "done"]);
  });

  it("lets what its end throws go on up, instead of taking it for its own", () => {
    const calls = new Calls();
    let told = 0;
    runTask(wait<number>(calls.call), () => {
      told += 1;
      throw new Error("a bug above");
    });
    expect(() => calls.open[0]?.(undefined, 1)).to.throw("a bug above");
    expect(told).to.equal(1);
  });
});
