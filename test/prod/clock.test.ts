import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { expect } from "chai";
import { SystemClock } from "#prod/clock";
import { Turns } from "#prod/turn";

describe("the system clock", () => {
  const clock = (): SystemClock => new SystemClock(new Turns());
  const later = (time: SystemClock, micros: number): Promise<void> =>
    new Promise((resolve) => time.at(time.monotonic() + micros, resolve));

  it("fires timers in the order of deadline, then of arming", async () => {
    const time = clock();
    const fired: string[] = [];
    const now = time.monotonic();
    const arm = (name: string, micros: number): void => void time.at(now + micros, () => fired.push(name));
    arm("c", 9_000);
    arm("a", 3_000);
    arm("b1", 6_000);
    arm("b2", 6_000);
    await later(time, 20_000);
    expect(fired).to.deep.equal(["a", "b1", "b2", "c"]);
  });

  it("never fires early, down to the microsecond", async () => {
    const time = clock();
    for (const micros of [1, 400, 1_000, 1_001, 1_999, 5_500]) {
      const deadline = time.monotonic() + micros;
      await new Promise<void>((resolve) => time.at(deadline, resolve));
      expect(time.monotonic()).to.be.at.least(deadline);
    }
  });

  it("never fires a timer that was cancelled, even one due in the same turn", async () => {
    const time = clock();
    const fired: string[] = [];
    const deadline = time.monotonic() + 2_000;
    time.at(deadline, () => {
      fired.push("first");
      second.cancel();
    });
    const second = time.at(deadline, () => fired.push("second"));
    const third = time.at(deadline + 1_000, () => fired.push("third"));
    third.cancel();
    third.cancel();
    await later(time, 10_000);
    expect(fired).to.deep.equal(["first"]);
  });

  it("keeps its value for the whole of a turn", async () => {
    const time = clock();
    await later(time, 1_000);
    const at = time.monotonic();
    const wall = time.wall();
    const until = performance.now() + 3;
    while (performance.now() < until);
    expect(time.monotonic()).to.equal(at);
    expect(time.wall()).to.equal(wall);
    await new Promise<void>((resolve) => time.soon(resolve));
    expect(time.monotonic()).to.be.at.least(at + 3_000);
  });

  it("delivers input that was pending when a timer fell due before the timer", async () => {
    const time = clock();
    const order: string[] = [];
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
    const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
    socket.on("data", () => order.push("input"));
    const leader = await accepted;
    const fired = new Promise<void>((resolve) => {
      time.at(time.monotonic() + 1_000, () => {
        order.push("timer");
        resolve();
      });
    });
    // The heartbeat lies unread in the socket while a stall passes the election timeout.
    leader.end("heartbeat");
    const until = performance.now() + 30;
    while (performance.now() < until);
    await fired;
    socket.destroy();
    server.close();
    expect(order[0]).to.equal("input");
  });

  it("calls `soon` at the end of what is pending, never inside the call", async () => {
    const time = clock();
    const order: string[] = [];
    const done = new Promise<void>((resolve) =>
      time.soon(() => {
        order.push("soon");
        resolve();
      }),
    );
    order.push("after the call");
    process.nextTick(() => order.push("tick"));
    await done;
    expect(order).to.deep.equal(["after the call", "tick", "soon"]);
  });

  it("forgets cancelled timers, so that a timer re-armed for ever holds no memory", () => {
    const time = clock();
    const far = time.monotonic() + 3_600_000_000;
    const last = time.at(far, () => undefined);
    for (let i = 0; i < 10_000; i++) time.at(far + i, () => undefined).cancel();
    const { heap } = time as unknown as { heap: unknown[] };
    expect(heap.length).to.be.below(1_000);
    last.cancel();
  });

  it("keeps no process alive once every timer is cancelled", () => {
    const script = `
      const { SystemClock } = await import("#prod/clock");
      const { Turns } = await import("#prod/turn");
      const clock = new SystemClock(new Turns());
      for (let i = 1; i < 9; i++) clock.at(clock.monotonic() + i * 10_000_000, () => undefined).cancel();
    `;
    const file = path.join(import.meta.dirname, `.timers-${process.pid}.mts`);
    fs.writeFileSync(file, script);
    try {
      const run = spawnSync(process.execPath, [...process.execArgv, file], { timeout: 8_000 });
      expect(run.status, run.stderr.toString()).to.equal(0);
    } finally {
      fs.rmSync(file);
    }
  });
});
