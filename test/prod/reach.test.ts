import { expect } from "chai";
import { nodeId } from "#core/base/brand";
import { LogError } from "#core/base/errors";
import type { ConnectionEvents } from "#core/io/network";
import { Reach } from "#prod/reach";

const peers = [0, 1, 2].map((at) => ({ node: nodeId(`n${at}`), address: `host:${at}` }));
const refused = new LogError("unavailable", "n2 at host:2: connection refused");
const late = new LogError("timeout", "no answer in time; last: unavailable: ...", { cause: refused });

describe("which nodes answer a client", () => {
  let now: number;
  let reach: Reach;
  let dialled: Map<string, ConnectionEvents>;

  beforeEach(() => {
    now = 100;
    dialled = new Map();
    reach = new Reach(peers, { monotonic: () => now });
    const network = reach.watch({
      listen: () => ({ close: () => undefined }),
      connect: (address, _service, events) => {
        dialled.set(address, events);
        return { send: () => true, queuedBytes: () => 0, close: () => undefined };
      },
    });
    const events = { opened: () => undefined, frame: () => undefined, drained: () => undefined };
    for (const { address } of peers)
      network.connect(address, "client", { ...events, closed: () => undefined });
  });

  const answers = (...nodes: number[]): void => {
    for (const at of nodes) dialled.get(`host:${at}`)?.frame(new Uint8Array());
  };
  const refuse = (...nodes: number[]): void => {
    for (const at of nodes) dialled.get(`host:${at}`)?.closed("refused");
  };
  const causeOf = (error: LogError): string | undefined => (error.cause as LogError | undefined)?.code;

  it("is nobody when every node is gone: the error keeps its cause", () => {
    refuse(0, 1, 2);
    expect(reach.explain(late, 0)).to.equal(late);
    expect(reach.anyHeard).to.equal(false);
  });

  it("is no majority when one answers and two are gone, whichever failed last", () => {
    answers(0);
    refuse(1, 2);
    const error = reach.explain(late, 50);
    expect([error.code, error.retry, causeOf(error)]).to.deep.equal(["timeout", "later", "no-quorum"]);
    expect(error.message).to.contain(
      "a majority of the 3 nodes does not answer (n0 answered, n1, n2 did not)",
    );
    expect(reach.anyHeard).to.equal(true);
  });

  it("is nothing to blame a dead minority for", () => {
    answers(0, 1);
    refuse(2);
    const error = reach.explain(late, 50);
    expect([error.code, causeOf(error)]).to.deep.equal(["timeout", undefined]);
  });

  it("is not known of nodes that were not tried to their end", () => {
    refuse(0, 1);
    expect(causeOf(reach.explain(late, 50))).to.equal(undefined);
  });

  it("is the one node that was asked, where no other could answer", () => {
    refuse(2);
    expect(reach.explain(late, 0, "n2")).to.equal(late);
    expect(causeOf(reach.explain(late, 0, "n1"))).to.equal(undefined);
    answers(2);
    expect(causeOf(reach.explain(late, 0, "n2"))).to.equal(undefined);
  });

  it("counts what was heard during the call", () => {
    answers(0, 1, 2);
    refuse(0, 1, 2);
    now = 200;
    expect(reach.explain(late, 150)).to.equal(late);
    expect(causeOf(reach.explain(late, 100))).to.equal(undefined);
  });

  it("leaves other errors alone", () => {
    refuse(0, 1, 2);
    const other = new LogError("not-leader", "n1 leads");
    expect(reach.explain(other, 0)).to.equal(other);
  });
});
