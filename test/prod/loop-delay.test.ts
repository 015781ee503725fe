import { expect } from "chai";
import { LoopDelay } from "#prod/loop-delay";

/** What the host measured, in nanoseconds, without waiting for it. */
class Measured {
  values: number[] = [];
  enable = () => true;
  disable = () => true;
  reset(): void {
    this.values = [];
  }
  get max(): number {
    return Math.max(0, ...this.values);
  }
  percentile(percent: number): number {
    const sorted = [...this.values].sort((a, b) => a - b);
    return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? 0;
  }
}

describe("the delay of the event loop", () => {
  const made: Measured[] = [];
  let delay: LoopDelay;
  beforeEach(() => {
    made.length = 0;
    delay = new LoopDelay(() => {
      made.push(new Measured());
      return made.at(-1) as Measured;
    });
  });
  afterEach(() => delay.close());

  const measure = (ms: number, times = 1): void => {
    for (const one of made) for (let at = 0; at < times; at++) one.values.push(ms * 1e6);
  };

  it("is nothing while the loop is idle: the time between two looks is none", () => {
    expect([delay.p99Seconds, delay.maxSeconds]).to.deep.equal([0, 0]);
    measure(19.5);
    expect([delay.p99Seconds, delay.maxSeconds]).to.deep.equal([0, 0]);
    measure(21, 1_000);
    expect(delay.p99Seconds).to.be.closeTo(0.001, 1e-9);
  });

  it("tells of one long stall to everybody who asks, for a minute at least", () => {
    measure(21, 5_000);
    measure(920);
    for (let asked = 0; asked < 3; asked++) expect(delay.maxSeconds).to.be.closeTo(0.9, 1e-9);
    expect(delay.p99Seconds).to.be.closeTo(0.001, 1e-9);
    delay.rotate();
    measure(21);
    expect(delay.maxSeconds).to.be.closeTo(0.9, 1e-9);
    delay.rotate();
    expect(delay.maxSeconds).to.be.closeTo(0.001, 1e-9);
  });

  it("comes from the host", () => {
    const real = new LoopDelay();
    expect(real.maxSeconds).to.be.at.least(0);
    real.close();
  });
});
