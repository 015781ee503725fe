import { expect } from "chai";
import { LogError } from "#core/base/errors";
import { millisecond, second } from "#core/base/units";
import type { FakeLink } from "./fake-world.ts";
import { codeOf, Harness } from "./harness.ts";
import type { Script } from "./scripted-node.ts";
import { addressOf, fault, refuse, soleLeader } from "./scripted-node.ts";

/** Runs `first` on the first `times` appends, then goes on as `then`. */
function firstAppends(times: number, first: Script, then: Script): Script {
  let seen = 0;
  return (request, link, node) => {
    if (request.type === "append" && seen++ < times) return first(request, link, node);
    return then(request, link, node);
  };
}

describe("client backpressure", () => {
  it("refuses an append beyond its queue as pending-full, and tells once there is room", () => {
    const leader = soleLeader();
    let open = false;
    const h = new Harness(
      [
        (request, link, node) =>
          request.type === "append" && !open ? undefined : leader(request, link, node),
      ],
      { pendingAppendsMax: 4, requestTimeout: second },
    );
    for (let i = 0; i < 4; i++) h.append("x", 20 * second);
    expect(() => h.append("one more"))
      .to.throw(LogError)
      .with.property("code", "pending-full");
    h.run(second);
    expect(h.drains).to.equal(0);
    open = true;
    h.run(3 * second);
    expect(h.drains).to.equal(1);
    expect(codeOf(h.append("y"))).to.equal("waiting");
  });

  it("counts bytes too", () => {
    const limits = { entryBodyBytesMax: 10, appendBytesMax: 10, pendingBytesMax: 25 };
    const h = new Harness(["absent"], limits);
    h.append("1234567890");
    h.append("1234567890");
    expect(() => h.append("123456"))
      .to.throw(LogError)
      .with.property("code", "pending-full");
    h.append("12345");
  });

  it("refuses what can never pass at the door, by name", () => {
    const h = new Harness([soleLeader()], { entryBodyBytesMax: 4, appendBytesMax: 6, appendEntriesMax: 3 });
    const code = (texts: string[]): string => {
      try {
        h.append(texts);
        return "ok";
      } catch (error) {
        return (error as LogError).code;
      }
    };
    expect(code(["1234"])).to.equal("ok");
    expect(code(["12345"])).to.equal("entry-too-large");
    expect(code(["1234", "12"])).to.equal("ok");
    expect(code(["1234", "123"])).to.equal("batch-too-large");
    expect(code(["", "", "", ""])).to.equal("batch-too-large");
    expect(code([])).to.equal("malformed-frame");
  });

  it("obeys a node whose limits are smaller than its own", () => {
    const h = new Harness([soleLeader()]);
    h.node(0).limits = { entryBodyBytesMax: 4, appendEntriesMax: 2, appendBytesMax: 6, inFlightMax: 2 };
    const [ok, large, next] = ["1234", "12345", "12"].map((text) => h.append(text));
    h.run(second);
    expect([ok, large, next].map((a) => a && codeOf(a))).to.deep.equal(["ok", "entry-too-large", "ok"]);
    expect(Math.max(...h.node(0).appends.map(({ bodies }) => bodies.length))).to.be.at.most(2);
  });

  it("keeps frames that the connection has no room for, and sends them in order when it drains", () => {
    const h = new Harness([soleLeader()], { appendEntriesMax: 1 });
    h.append("first");
    h.run(second);
    const [link] = h.network.linksTo(addressOf("n0")) as [FakeLink];
    link.room = 0;
    const all = ["a", "b", "c"].map((text) => h.append(text));
    h.run(100 * millisecond);
    expect(h.node(0).appends.length).to.equal(1);
    // Room again, but the connection has not said so: a later frame must not overtake those that wait.
    link.room = 9;
    all.push(h.append("d"));
    h.run(100 * millisecond);
    expect(h.node(0).appends.length).to.equal(1);
    link.drained(2);
    h.run(100 * millisecond);
    expect(h.node(0).appends.length).to.equal(3);
    link.drained(100);
    h.run(100 * millisecond);
    expect(all.map((a) => a.value?.indexes)).to.deep.equal([[12], [13], [14], [15]]);
  });
});

describe("client appends without a session", () => {
  it("sends them outside any session, and again only when a refusal says that nothing happened", () => {
    const h = new Harness([firstAppends(1, refuse("leader-not-ready"), soleLeader())], { sessions: false });
    const a = h.append("x");
    h.run(second);
    expect(codeOf(a)).to.equal("ok");
    expect(h.node(0).requests.map((request) => request.type)).to.deep.equal(["append", "append"]);
    expect(h.node(0).appends[0]).to.include({ session: 0, firstSequence: 0 });
  });

  it("ends as outcome-unknown when the connection is lost before the answer, and is not sent again", () => {
    const reset: Script = (_request, link) => {
      link.reset();
      return undefined;
    };
    const h = new Harness([firstAppends(1, reset, soleLeader())], { sessions: false });
    const a = h.append("x");
    h.run(second);
    expect(codeOf(a)).to.equal("outcome-unknown");
    expect(h.node(0).appends.length).to.equal(1);
  });

  it("does not send again what is still under way when an earlier frame is refused", () => {
    const leader = soleLeader();
    const seen: string[] = [];
    const h = new Harness(
      [
        (request, link, node) => {
          if (request.type !== "append") return undefined;
          const text = new TextDecoder().decode(request.bodies[0]);
          seen.push(text);
          if (text === "a" && seen.length === 1) return fault(request, "pending-full");
          const answer = leader(request, link, node);
          h.clock.at(h.clock.monotonic() + 300 * millisecond, () => answer && node.send(link, answer));
          return undefined;
        },
      ],
      { sessions: false, appendEntriesMax: 1 },
    );
    const all = ["a", "b", "c"].map((text) => h.append(text));
    h.run(2 * second);
    expect(all.map((a) => codeOf(a))).to.deep.equal(["ok", "ok", "ok"]);
    expect(seen).to.deep.equal(["a", "b", "c", "a"]);
  });
});
