import { expect } from "chai";
import { millisecond, second } from "#core/base/units";
import { bytes } from "../commitlog/log-builder.ts";
import type { FakeLink } from "./fake-world.ts";
import { codeOf, Harness, notLeader } from "./harness.ts";
import type { Script } from "./scripted-node.ts";
import { addressOf, fault, hintTo, refuse, soleLeader } from "./scripted-node.ts";

/** Runs `first` on the first `times` appends, then goes on as `then`. */
function firstAppends(times: number, first: Script, then: Script): Script {
  let seen = 0;
  return (request, link, node) => {
    if (request.type === "append" && seen++ < times) return first(request, link, node);
    return then(request, link, node);
  };
}

const swallow: Script = () => undefined;

describe("client appends", () => {
  it("opens one session at the first append and numbers its entries from 1", () => {
    const h = new Harness([soleLeader()]);
    h.run(second);
    expect(h.network.dialled).to.deep.equal([]);
    const a = h.append(["x", "y"]);
    const b = h.append("z");
    h.run(second);
    expect(a.value).to.deep.equal({ term: 3, indexes: [11, 12] });
    expect(b.value).to.deep.equal({ term: 3, indexes: [13] });
    const c = h.append("later");
    h.run(second);
    expect(c.value?.indexes).to.deep.equal([14]);
    const kinds = h.node(0).requests.map((request) => request.type);
    expect(kinds).to.deep.equal(["open-session", "append", "append"]);
    expect(h.node(0).appends.map((append) => append.firstSequence)).to.deep.equal([1, 4]);
  });

  it("puts the appends of one turn into one frame, up to the limits of count and bytes", () => {
    const h = new Harness([soleLeader()], { appendEntriesMax: 4, entryBodyBytesMax: 8, appendBytesMax: 10 });
    for (let i = 0; i < 10; i++) h.append("a");
    h.append("12345678");
    h.append("123");
    h.run(second);
    expect(h.node(0).appends.map(({ bodies }) => bodies.length)).to.deep.equal([4, 4, 3, 1]);
  });

  it("begins another frame at frameBytesMax, though one call may be larger", () => {
    const h = new Harness([soleLeader()], { frameBytesMax: 6 });
    const calls = ["abc", "def", "g", "too large for it", "h"].map((text) => h.append(text));
    h.run(second);
    expect(calls.map(codeOf)).to.deep.equal(["ok", "ok", "ok", "ok", "ok"]);
    const sizes = h
      .node(0)
      .requests.flatMap((request) => (request.type === "append" ? [request.bodies.length] : []));
    expect(sizes).to.deep.equal([2, 1, 1, 1]);
  });

  it("pipelines without waiting for answers, up to inFlightMax entries", () => {
    const h = new Harness([firstAppends(9, swallow, soleLeader())], { inFlightMax: 8, appendEntriesMax: 1 });
    h.node(0).limits = { ...h.node(0).limits, inFlightMax: 6 };
    const script = h.node(0).script;
    h.node(0).script = (request, link, node) =>
      request.type === "open-session" ? soleLeader()(request, link, node) : script(request, link, node);
    for (let i = 0; i < 20; i++) h.append("a");
    h.run(second);
    expect(h.node(0).appends.map(({ firstSequence }) => firstSequence)).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it("follows a redirect at once", () => {
    const h = new Harness([
      refuse("not-leader", hintTo("n2")),
      refuse("not-leader", hintTo("n2")),
      soleLeader(),
    ]);
    const a = h.append("x");
    h.run(10 * millisecond);
    expect(codeOf(a)).to.equal("ok");
  });

  it("starts with the leader that a greeting names", () => {
    const h = new Harness([notLeader, soleLeader(), notLeader]);
    for (const node of h.nodes) node.hint = hintTo("n1");
    h.append("x");
    h.run(second);
    expect(h.node(0).requests.length + h.node(2).requests.length).to.equal(0);
  });

  it("learns the address of a leader that is not among its peers", () => {
    const h = new Harness([refuse("not-leader", hintTo("n1")), soleLeader()], {
      peers: [{ node: "n0" as never, address: addressOf("n0") }],
    });
    const a = h.append("x");
    h.run(second);
    expect(codeOf(a)).to.equal("ok");
  });

  it("does not spin between two nodes that name each other", () => {
    const h = new Harness([refuse("not-leader", hintTo("n1")), refuse("not-leader", hintTo("n0"))]);
    const a = h.append("x", 2 * second);
    h.run(3 * second);
    expect(codeOf(a)).to.equal("timeout");
    expect(h.node(0).requests.length + h.node(1).requests.length).to.be.lessThan(40);
  });

  it("searches on when the leader it was told of is none and knows none", () => {
    for (const seed of [1, 2, 3, 4]) {
      const other = new Harness([notLeader, notLeader, soleLeader()], {}, seed);
      for (const node of other.nodes.slice(0, 2)) node.hint = hintTo("n1");
      const a = other.append("x");
      other.run(2 * second);
      expect(codeOf(a)).to.equal("ok");
    }
  });

  it("searches on while nodes are absent, refuse or know no leader", () => {
    const h = new Harness(["absent", notLeader, soleLeader()]);
    const a = h.append("x");
    h.run(second);
    expect(codeOf(a)).to.equal("ok");
  });

  it("sends an append again with its sequence when the answer is lost, and takes the first index", () => {
    const leader = soleLeader();
    const lose: Script = (request, link, node) => {
      leader(request, link, node);
      link.reset();
      return undefined;
    };
    const h = new Harness([firstAppends(1, lose, leader)]);
    const a = h.append("x");
    const b = h.append("y");
    h.run(second);
    expect(a.value?.indexes).to.deep.equal([11]);
    expect(b.value?.indexes).to.deep.equal([12]);
    expect(h.node(0).appends.map((append) => append.firstSequence)).to.deep.equal([1, 1]);
    expect(a.told + b.told).to.equal(2);
  });

  for (const code of ["leader-not-ready", "leader-transferring", "pending-full", "disk-full"] as const) {
    it(`waits and sends again after ${code}, with everything behind it in order`, () => {
      const leader = soleLeader();
      const h = new Harness([firstAppends(2, refuse(code), leader)], { appendEntriesMax: 1 });
      const all = ["a", "b", "c"].map((text) => h.append(text));
      h.run(2 * second);
      expect(all.map((a) => a.value?.indexes)).to.deep.equal([[11], [12], [13]]);
    });
  }

  it("sends from the oldest unanswered append on after a sequence-gap", () => {
    const leader = soleLeader();
    let lost = false;
    const h = new Harness(
      [
        (request, link, node) => {
          // The first append vanishes, as one that a leader took and lost with its log's tail.
          if (request.type === "append" && !lost) {
            lost = true;
            return undefined;
          }
          return leader(request, link, node);
        },
      ],
      { appendEntriesMax: 1 },
    );
    const all = ["a", "b", "c"].map((text) => h.append(text));
    h.run(second);
    expect(all.map((a) => a.value?.indexes)).to.deep.equal([[11], [12], [13]]);
    expect(all.map((a) => a.told)).to.deep.equal([1, 1, 1]);
  });

  it("tells outcome-unknown for what may have been applied under an expired session, and moves the rest on", () => {
    const leader = soleLeader();
    let session = 0;
    let resets = 0;
    const h = new Harness(
      [
        (request, link, node) => {
          if (request.type === "append" && (session === 0 || session === request.session)) {
            session = request.session;
            if (resets++ > 0) return fault(request, "session-expired");
            link.reset();
            return undefined;
          }
          return leader(request, link, node);
        },
      ],
      { appendEntriesMax: 1 },
    );
    const sent = h.append("sent");
    h.run(2 * millisecond);
    const unsent = h.append("unsent");
    h.run(2 * second);
    expect(codeOf(sent)).to.equal("outcome-unknown");
    expect(sent.error?.retry).to.equal("unknown");
    expect(unsent.value?.indexes).to.deep.equal([12]);
    const bodies = h.node(0).appends.filter((append) => append.session !== session);
    expect(bodies.map((append) => append.bodies)).to.deep.equal([[bytes("unsent")]]);
  });

  it("moves an append to a new session when the old one expired before it was ever sent", () => {
    const h = new Harness([firstAppends(1, refuse("session-expired"), soleLeader())]);
    const a = h.append("x");
    h.run(2 * second);
    expect(a.value?.indexes).to.deep.equal([12]);
    expect(h.node(0).appends.map((append) => append.firstSequence)).to.deep.equal([1, 1]);
    expect(new Set(h.node(0).appends.map((append) => append.session)).size).to.equal(2);
  });

  it("never counts an answer that comes late from an earlier connection", () => {
    const held: { link: FakeLink; requestId: number }[] = [];
    const hold: Script = (request, link) => {
      held.push({ link, requestId: request.requestId });
      return undefined;
    };
    const h = new Harness([firstAppends(1, hold, soleLeader())], { requestTimeout: 200 * millisecond });
    const a = h.append("x");
    h.run(100 * millisecond);
    const [first] = held as [{ link: FakeLink; requestId: number }];
    h.run(150 * millisecond);
    const runs = [{ first: 99, count: 1, term: 9 }];
    h.node(0).send(first.link, { type: "appended", requestId: first.requestId, runs });
    h.run(second);
    expect(a.value).to.deep.equal({ term: 3, indexes: [11] });
    expect(a.told).to.equal(1);
  });

  it("gives up a connection whose answer does not fit the append", () => {
    const wrong: Script = (request) => ({
      type: "appended",
      requestId: request.requestId,
      runs: [{ first: 5, count: 2, term: 1 }],
    });
    const h = new Harness([firstAppends(1, wrong, soleLeader())]);
    const a = h.append("x");
    h.run(second);
    expect(a.value?.indexes).to.deep.equal([11]);
    expect(h.network.dialled.length).to.equal(2);
  });
});

describe("client deadlines of appends", () => {
  it("ends as timeout when the append was never sent, or refused each time", () => {
    const unsent = new Harness(["absent"]);
    const a = unsent.append("x", second);
    unsent.run(2 * second);
    expect(codeOf(a)).to.equal("timeout");
    const leader = soleLeader();
    const refused = new Harness([
      (request, link, node) =>
        request.type === "append" ? fault(request, "pending-full") : leader(request, link, node),
    ]);
    const b = refused.append("x", second);
    refused.run(2 * second);
    expect(codeOf(b)).to.equal("timeout");
    expect(b.error?.retry).to.equal("later");
    expect(b.error?.message).to.contain("pending-full");
  });

  it("ends as outcome-unknown when an attempt may have landed", () => {
    const h = new Harness([firstAppends(99, swallow, soleLeader())]);
    const a = h.append("x", second);
    h.run(2 * second);
    expect(codeOf(a)).to.equal("outcome-unknown");
  });

  it("lets later appends through behind one that was given up in a refused state", () => {
    const leader = soleLeader();
    let open = false;
    const h = new Harness([
      (request, link, node) =>
        request.type === "append" && !open ? fault(request, "pending-full") : leader(request, link, node),
    ]);
    const a = h.append("a", second);
    const b = h.append("b", 9 * second);
    h.run(2 * second);
    open = true;
    h.run(2 * second);
    expect(codeOf(a)).to.equal("timeout");
    expect(codeOf(b)).to.equal("ok");
    const landed = h.node(0).appends.at(-1);
    expect(landed?.bodies).to.deep.equal([bytes("b")]);
  });

  it("settles the sequence of one that was given up in doubt, so later appends land once and in order", () => {
    const leader = soleLeader();
    let open = false;
    const h = new Harness(
      [
        (request, link, node) =>
          request.type === "append" && !open ? undefined : leader(request, link, node),
      ],
      { appendEntriesMax: 1, requestTimeout: 2 * second },
    );
    const a = h.append("a", second);
    const b = h.append("b", 9 * second);
    h.run(1_500 * millisecond);
    open = true;
    h.run(4 * second);
    expect(codeOf(a)).to.equal("outcome-unknown");
    expect(b.value?.indexes).to.deep.equal([12]);
    expect(a.told).to.equal(1);
  });

  it("starts a new session once all that is left of the old one is in doubt", () => {
    const leader = soleLeader();
    let open = false;
    const h = new Harness([
      (request, link, node) => (request.type === "append" && !open ? undefined : leader(request, link, node)),
    ]);
    const a = h.append("a", second);
    h.run(1_500 * millisecond);
    expect(codeOf(a)).to.equal("outcome-unknown");
    open = true;
    const b = h.append("b");
    h.run(second);
    expect(codeOf(b)).to.equal("ok");
    const sessions = h.node(0).appends.map((append) => append.session);
    expect(new Set(sessions).size).to.equal(2);
    expect(h.node(0).appends.at(-1)?.bodies).to.deep.equal([bytes("b")]);
  });

  it("cancels: cancelled while it surely had no effect, outcome-unknown once it was sent", () => {
    const h = new Harness([firstAppends(99, swallow, soleLeader())]);
    const a = h.append("a");
    a.handle.cancel();
    expect(a.told).to.equal(0);
    h.run(second);
    expect(codeOf(a)).to.equal("cancelled");
    expect(h.node(0)?.appends.length).to.equal(0);
    const b = h.append("b");
    h.run(second);
    b.handle.cancel();
    h.run(second);
    expect(codeOf(b)).to.equal("outcome-unknown");
    b.handle.cancel();
    h.run(second);
    expect(b.told).to.equal(1);
  });
});
