import { expect } from "chai";
import { second } from "#core/base/units";
import type { History } from "#sim/history/history";
import { encodePayload } from "#sim/history/payload";
import { Recorder } from "#sim/history/recorder";
import { group, Trace } from "./trace-builder.ts";

/** Two tails of a log whose last client entry is at index 4, and the last read of all: one comes as far, the other to `next`. */
function watched(next: number): Recorder {
  const recorder = new Recorder(group);
  for (const [client, to] of [
    [1, 5],
    [2, next],
  ] as const) {
    const tail = recorder.newWatch(client);
    if (to > 0) recorder.tailed({ client, tail, now: client * second }, { from: 0, next: to }, entries(to));
  }
  // Somebody else's tail, which may end anywhere.
  recorder.tailed({ client: 3, tail: recorder.newTail(), now: 1 }, { from: 0, next: 1 }, []);
  recorder.end = 4;
  return recorder;
}

function entries(to: number): { readonly index: number; readonly body: Uint8Array }[] {
  return Array.from({ length: to }, (_, index) => ({ index, body: encodePayload(index, 16) }));
}

function judged(history: History): Trace {
  const trace = new Trace();
  trace.checkers.tails.overdue(20 * second, [history]);
  return trace;
}

describe("tails-go-on", () => {
  it("is satisfied by tails that got what the last read got", () => {
    const { checkers } = new Trace();
    expect(checkers.tails.isBehind([watched(5)])).to.equal(false);
    expect(judged(watched(5)).violation).to.equal(undefined);
  });

  it("fails when a tail stopped before that, and says where it stands", () => {
    expect(new Trace().checkers.tails.isBehind([watched(4)])).to.equal(true);
    const { violation } = judged(watched(4));
    expect(violation).to.include({ checker: "tails-go-on", kind: "liveness" });
    expect(violation?.message).to.equal(
      `tail 1 of client 2 on ${group} stands at index 4, and the log goes on to 4`,
    );
    expect(violation?.explanation).to.contain("told something last at 2000000 us");
  });

  it("fails for a tail that was told nothing", () => {
    const { violation } = judged(watched(0));
    expect(violation?.message).to.contain("stands at index 0");
    expect(violation?.explanation).to.contain("told nothing");
  });

  it("asks nothing before the last read, nor of a log without entries of clients", () => {
    const early = watched(0);
    delete early.end;
    expect(new Trace().checkers.tails.isBehind([early])).to.equal(false);
    const empty = watched(0);
    empty.end = -1;
    expect(new Trace().checkers.tails.isBehind([empty])).to.equal(false);
  });
});
