import { expect } from "chai";
import { groupId } from "#core/base/brand";
import { LogError } from "#core/base/errors";
import { encodePayload } from "#sim/history/payload";
import { Recorder } from "#sim/history/recorder";

describe("the recorder of a history", () => {
  const recorder = (): Recorder => new Recorder(groupId("g0"));

  it("leaves the outcome of a call open until it is answered", () => {
    const history = recorder();
    const operation = history.append(1, 5, [7, 8]);
    expect(operation).to.include({ outcome: "unknown", returnedAt: Number.POSITIVE_INFINITY });
    history.appended(operation, 9, [3, 4]);
    expect(operation).to.deep.include({ outcome: "ok", returnedAt: 9, indexes: [3, 4] });
    expect(history.acked).to.equal(2);
    expect(history.highestIndex).to.equal(4);
  });

  it("takes a refusal as certain unless its advice says that the outcome is unknown", () => {
    const history = recorder();
    const certain = history.append(1, 5, [7]);
    history.refused(certain, 6, new LogError("pending-full", "full"));
    expect(certain).to.include({ outcome: "failed", returnedAt: 6 });
    const open = history.append(1, 5, [8]);
    history.refused(open, 6, new LogError("outcome-unknown", "lost"));
    expect(open).to.include({ outcome: "unknown", returnedAt: Number.POSITIVE_INFINITY });
  });

  it("keeps what a refused append was told, and what caused that", () => {
    const history = recorder();
    const operation = history.append(1, 5, [7]);
    const cause = new LogError("sequence-too-old", "sequence 3");
    history.refused(operation, 6, new LogError("outcome-unknown", "lost", { cause }));
    expect(operation.refusal).to.deep.equal({ at: 6, codes: ["outcome-unknown", "sequence-too-old"] });
  });

  it("keeps when a client was full, and until when", () => {
    const history = recorder();
    const full = { client: 1, at: 5, underWay: 6, room: 6 };
    const ended = history.crowded(full);
    expect(history.crowds).to.deep.equal([{ ...full, until: Number.POSITIVE_INFINITY }]);
    ended(9);
    expect(history.crowds).to.deep.equal([{ ...full, until: 9 }]);
  });

  it("keeps a tail's answers with the keys of what they held", () => {
    const history = recorder();
    const tail = history.newTail();
    const entries = [{ index: 2, body: encodePayload(7, 40) }];
    history.tailed({ client: 1, tail, now: 9 }, { from: 1, next: 4 }, entries);
    expect(history.operations[0]).to.deep.include({
      kind: "tail",
      tail: 0,
      from: 1,
      next: 4,
      indexes: [2],
      keys: [7],
    });
    expect(history.highestIndex).to.equal(3);
    expect(history.newTail()).to.equal(1);
  });
});
