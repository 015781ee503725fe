import { expect } from "chai";
import { recordOverheadBytes } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import type { Proposer } from "#core/node/proposals";
import { Proposals } from "#core/node/proposals";

describe("appends on their way", () => {
  it("have room together on a disk that is nearly full, not each for itself", () => {
    const answers: string[] = [];
    const proposals = new Proposals(
      { pendingAppendsMax: 10, pendingAppendBytesMax: 10_000 },
      leaderWith(1_000),
    );
    const submit = (bodyBytes: number): void => {
      const bodies = [new Uint8Array(bodyBytes)];
      proposals.submit({ session: 1, firstSequence: 1, bodies }, (error) =>
        answers.push(error instanceof LogError ? error.code : "appended"),
      );
    };
    submit(500 - recordOverheadBytes);
    submit(500 - recordOverheadBytes);
    submit(0);
    expect(answers).to.deep.equal(["disk-full"]);
    expect(proposals.inFlight).to.equal(2);
    // What waited was never proposed: the next leader's appends have all the room again.
    proposals.abandon("not-leader");
    expect(answers).to.deep.equal(["disk-full", "not-leader", "not-leader"]);
    submit(1_000 - recordOverheadBytes);
    expect(answers).to.have.lengthOf(3);
  });
});

/** A leader that is not ready yet, with room for records of so many bytes. */
function leaderWith(room: number): Proposer {
  const unused = (): never => {
    throw new Error("nothing is proposed yet");
  };
  return {
    admission: undefined,
    appliedIndex: -1,
    refusal: (bytes) => (bytes > room ? new LogError("disk-full", "no room") : undefined),
    flushSoon: () => undefined,
    propose: unused,
    sendProposed: unused,
    termAt: unused,
    duplicate: unused,
    backlog: () => undefined,
  };
}
