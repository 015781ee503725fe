import { expect } from "chai";
import { SimProcess } from "#sim/process";
import { callEvent, eventKinds, Scheduler, turnInput, turnSoon, turnTimer } from "#sim/scheduler";
import { TraceHash } from "#sim/trace-hash";

function started(id = "n0", index = 0): SimProcess {
  const process = new SimProcess(index, id);
  process.life = 1;
  process.up = true;
  return process;
}

describe("scheduler", () => {
  it("carries out events of one instant in the order input, ends of batches, timers, each in order of scheduling", () => {
    const scheduler = new Scheduler(new TraceHash());
    const order: string[] = [];
    const add = (turn: number, name: string): void => {
      scheduler.schedule(
        5,
        callEvent(eventKinds.world, turn, undefined, 0, () => order.push(name)),
      );
    };
    add(turnTimer, "timer 1");
    add(turnSoon, "soon 1");
    add(turnInput, "input 1");
    add(turnTimer, "timer 2");
    add(turnInput, "input 2");
    expect(scheduler.run(10)).to.equal("idle");
    expect(order).to.deep.equal(["input 1", "input 2", "soon 1", "timer 1", "timer 2"]);
    expect(scheduler.now).to.equal(10);
  });

  it("drops what completes for an earlier life of a process", () => {
    const scheduler = new Scheduler(new TraceHash());
    const process = started();
    const seen: string[] = [];
    scheduler.schedule(
      1,
      callEvent(eventKinds.disk, turnInput, process, 0, () => seen.push("stale")),
    );
    process.life += 1;
    scheduler.schedule(
      2,
      callEvent(eventKinds.disk, turnInput, process, 0, () => seen.push("fresh")),
    );
    scheduler.run(10);
    expect(seen).to.deep.equal(["fresh"]);
    expect(scheduler.events).to.equal(1);
  });

  it("holds back what comes for a paused process", () => {
    const scheduler = new Scheduler(new TraceHash());
    const process = started();
    process.paused = true;
    scheduler.schedule(
      1,
      callEvent(eventKinds.frame, turnInput, process, 0, () => expect.fail("it is paused")),
    );
    scheduler.run(10);
    expect(process.held).to.have.length(1);
    expect(scheduler.events).to.equal(0);
  });

  it("runs in slices without a difference to the hash", () => {
    const runIn = (slice: number): string => {
      const hash = new TraceHash();
      const scheduler = new Scheduler(hash);
      let left = 500;
      const tick = (): void => {
        if (--left > 0) scheduler.call(scheduler.now + (left % 3), tick);
      };
      scheduler.call(0, tick);
      while (scheduler.run(10_000, slice) === "slice") {
        // The next slice.
      }
      return hash.digest();
    };
    expect(runIn(1)).to.equal(runIn(Number.POSITIVE_INFINITY));
    expect(runIn(7)).to.equal(runIn(1));
  });

  it("notices that time stands still", () => {
    const scheduler = new Scheduler(new TraceHash());
    const again = (): void => {
      scheduler.call(scheduler.now, again);
    };
    scheduler.call(3, again);
    expect(scheduler.run(10)).to.equal("stuck");
    expect(scheduler.now).to.equal(3);
  });

  it("counts turns down to a planned crash", () => {
    const scheduler = new Scheduler(new TraceHash());
    const process = started();
    const order: string[] = [];
    for (let i = 1; i <= 4; i++) {
      scheduler.schedule(
        i,
        callEvent(eventKinds.frame, turnInput, process, 0, () => order.push(`turn ${i}`)),
      );
    }
    process.turnsLeft = 2;
    process.onTurnsDone = () => {
      order.push("crash");
      process.life += 1;
    };
    scheduler.run(10);
    expect(order).to.deep.equal(["turn 1", "turn 2", "crash"]);
  });
});

describe("trace hash", () => {
  const hashOf = (lines: readonly (readonly [number, number, number, number])[]): string => {
    const hash = new TraceHash();
    for (const [at, node, kind, digest] of lines) hash.add(at, node, kind, digest);
    return hash.digest();
  };

  it("changes with the time, the node, the kind and the payload of any event, and with their order", () => {
    const lines = [
      [1, 0, 2, 3],
      [5, 1, 6, 7],
      [9, 2, 1, 0],
    ] as const;
    const seen = new Set([hashOf(lines), hashOf([lines[1], lines[0], lines[2]]), hashOf(lines.slice(0, 2))]);
    for (let i = 0; i < lines.length; i++) {
      for (let field = 0; field < 4; field++) {
        const changed = lines.map((line, n) => line.map((v, f) => (n === i && f === field ? v + 1 : v)));
        seen.add(hashOf(changed as unknown as [number, number, number, number][]));
      }
    }
    expect(seen.size).to.equal(3 + 12);
  });

  it("tells times above 2^32 apart", () => {
    expect(hashOf([[2 ** 33, 0, 1, 0]])).to.not.equal(hashOf([[2 ** 34, 0, 1, 0]]));
  });
});
