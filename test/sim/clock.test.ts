import { expect } from "chai";
import fc from "fast-check";
import { SimClock } from "#sim/clock";
import { callEvent, eventKinds, turnInput } from "#sim/scheduler";
import { World } from "#sim/world";

function clockWith(driftPpm: number) {
  const world = new World({ seed: 1 });
  const process = world.process("n0");
  world.begin(process);
  const clock = new SimClock(world.scheduler, process, { monotonic: 1_000, wall: 5_000, driftPpm });
  return { world, process, clock };
}

describe("simulated clock", () => {
  it("fires timers in the order of (deadline, arming) and never early, however the clock drifts", () => {
    const timers = fc.array(fc.integer({ min: 1_000, max: 20_000 }), { maxLength: 40 });
    fc.assert(
      fc.property(timers, fc.integer({ min: -100_000, max: 100_000 }), (deadlines, driftPpm) => {
        const { world, clock } = clockWith(driftPpm);
        const fired: [number, number][] = [];
        for (const [i, deadline] of deadlines.entries()) {
          clock.at(deadline, () => {
            expect(clock.monotonic()).to.be.at.least(deadline);
            fired.push([deadline, i]);
          });
        }
        world.scheduler.run(100_000);
        const expected = deadlines.map((deadline, i) => [deadline, i]);
        expected.sort((a, b) => (a[0] as number) - (b[0] as number) || (a[1] as number) - (b[1] as number));
        expect(fired).to.deep.equal(expected);
      }),
    );
  });

  it("counts faster or slower than true time by its drift", () => {
    for (const driftPpm of [-50_000, 0, 50_000]) {
      const { world, clock } = clockWith(driftPpm);
      world.scheduler.run(1_000_000);
      expect(clock.monotonic()).to.equal(1_000 + 1_000_000 + driftPpm);
    }
  });

  it("keeps its timers when the rate changes, and when the wall clock jumps", () => {
    const { world, clock } = clockWith(0);
    let at = -1;
    clock.at(11_000, () => {
      at = world.scheduler.now;
    });
    world.scheduler.run(5_000);
    clock.setDrift(100_000);
    clock.jumpWall(-3_600_000_000);
    expect(clock.wall()).to.equal(5_000 + 5_000 - 3_600_000_000);
    world.scheduler.run(20_000);
    expect(at).to.equal(5_000 + Math.ceil(5_000 / 1.1));
  });

  it("after a pause delivers the input that came meanwhile before the timers that fell due", () => {
    const { world, process, clock } = clockWith(0);
    const order: string[] = [];
    clock.at(1_100, () => order.push(`timer at ${world.scheduler.now}`));
    clock.at(1_050, () => order.push(`earlier timer at ${world.scheduler.now}`));
    const frame = callEvent(eventKinds.frame, turnInput, process, 0, () => order.push("heartbeat"));
    world.scheduler.schedule(500, frame);
    process.paused = true;
    world.scheduler.run(1_000);
    expect(order).to.deep.equal([]);
    process.paused = false;
    world.release(process);
    world.scheduler.run(2_000);
    expect(order).to.deep.equal(["heartbeat", "earlier timer at 1000", "timer at 1000"]);
  });

  it("fires nothing for a process that is gone", () => {
    const { world, process, clock } = clockWith(0);
    clock.at(1_100, () => expect.fail("its life is over"));
    clock.soon(() => expect.fail("its life is over"));
    process.life += 1;
    world.scheduler.run(10_000);
    clock.soon(() => expect.fail("its life is over"));
    expect(world.scheduler.run(20_000)).to.equal("idle");
    expect(world.scheduler.events).to.equal(0);
  });
});
