import { expect } from "chai";
import { emptyLogEnd } from "#core/base/entry";
import { second } from "#core/base/units";
import { AnsweredCalls } from "#sim/answered-calls";
import type { WorkloadPort } from "#sim/scenario";
import { group, nodeOf, noOp, Trace } from "./checker/trace-builder.ts";

/** n0 leads term 1 and has committed its no-op, n1 follows; n2 does once `all` is set. */
function led(all: boolean): Trace {
  const trace = new Trace()
    .elect(0, 1, [0, 1])
    .replicate([0, 1, 2], 1, noOp(emptyLogEnd, 1))
    .match(1, 1, 0)
    .match(2, 1, 0)
    .commit(0, 1, 0, true)
    .commit(1, 1, 0, false);
  if (all) trace.commit(2, 1, 0, false);
  for (const node of [0, 1, 2]) trace.standing(node, "member");
  for (const node of [1, 2]) {
    const leader = node === 1 || all ? nodeOf(0) : "";
    trace.emit({
      kind: "role",
      node: nodeOf(node),
      group,
      term: 1,
      role: "follower",
      leader,
      lastIndex: 0,
      reason: "test",
    });
  }
  return trace;
}

function calls(trace: Trace): { readonly answers: AnsweredCalls; readonly bursts: () => number } {
  let bursts = 0;
  const workload = {
    burst: () => {
      bursts += 1;
    },
    overdue: (since: number, within: number) => (10 * second - since > within ? "c0 made a call" : undefined),
  } as Partial<WorkloadPort> as WorkloadPort;
  return {
    answers: new AnsweredCalls(workload, [group], () => trace.checkers.model.group(group).members),
    bursts: () => bursts,
  };
}

describe("answered-calls", () => {
  it("asks for much once every member follows the leader and has committed what it had", () => {
    const early = calls(led(false));
    expect(early.answers.begins(5 * second)).to.equal(false);
    expect(early.answers.overdue(10 * second)).to.equal(undefined);
    const { answers, bursts } = calls(led(true));
    expect(answers.begins(5 * second)).to.equal(true);
    expect(answers.begins(6 * second), "once").to.equal(false);
    expect(bursts()).to.equal(1);
  });

  it("fails when a call made since then has no answer within its time", () => {
    const late = calls(led(true)).answers;
    late.begins(7 * second);
    expect(late.overdue(10 * second)?.checker).to.equal("answered-calls");
    const soon = calls(led(true)).answers;
    soon.begins(8 * second);
    expect(soon.overdue(10 * second)).to.equal(undefined);
  });
});
