import { expect } from "chai";
import { second } from "#core/base/units";
import type { AppendOperation } from "#sim/history/history";
import { Recorder } from "#sim/history/recorder";
import { group, Trace } from "./trace-builder.ts";

/** A history with one append, acknowledged when `at` is given. */
function appended(invokedAt: number, at?: number): Recorder {
  const recorder = new Recorder(group);
  const operation: AppendOperation = recorder.append(0, invokedAt, [1]);
  if (at !== undefined) recorder.appended(operation, at, [0]);
  return recorder;
}

describe("liveness", () => {
  it("is satisfied by an append that was invoked after the healing and acknowledged", () => {
    const { checkers, ...trace } = new Trace();
    checkers.liveness.healed(10 * second);
    expect(checkers.liveness.progressed([appended(11 * second)])).to.equal(false);
    expect(checkers.liveness.progressed([appended(9 * second, 11 * second)])).to.equal(false);
    expect(checkers.liveness.progressed([appended(10 * second, 11 * second)])).to.equal(true);
    checkers.liveness.overdue(20 * second, [appended(10 * second, 11 * second)]);
    expect(trace.violation).to.equal(undefined);
  });

  it("fails at the deadline and says what each member was doing", () => {
    const trace = new Trace().elect(1, 4, [1, 2]).fault(0, "crash");
    trace.checkers.liveness.healed(10 * second);
    trace.checkers.liveness.overdue(20 * second, [appended(11 * second)]);
    expect(trace.violation).to.include({ checker: "liveness", kind: "liveness" });
    expect(trace.violation?.message).to.contain("within 10 s of healing");
    expect(trace.violation?.explanation).to.contain("n0 is down");
    expect(trace.violation?.explanation).to.contain("n1 (wiped) in term 4: leader");
  });
});
