import { expect } from "chai";
import { millisecond, second } from "#core/base/units";
import type { Append, ClientResponse } from "#core/commitlog/protocol";
import { bytes } from "../commitlog/log-builder.ts";
import type { FakeLink } from "./fake-world.ts";
import { codeOf, Harness } from "./harness.ts";
import { fault, soleLeader } from "./scripted-node.ts";

interface Held {
  readonly request: Append;
  readonly link: FakeLink;
}

/** A leader that opens sessions 10, 20, ... and answers an append only when it is told to. */
class HoldingLeader {
  readonly h: Harness;
  readonly held: Held[] = [];
  private sessions = 0;

  constructor() {
    this.h = new Harness(
      [
        (request, link) => {
          if (request.type === "open-session") {
            this.sessions += 10;
            return { type: "session-opened", requestId: request.requestId, session: this.sessions };
          }
          if (request.type === "append") this.held.push({ request, link });
          return undefined;
        },
      ],
      { appendEntriesMax: 1, requestTimeout: 100 * second, retryDelayMin: 400 * millisecond },
    );
  }

  /** Sessions and sequences of the attempts that a text had. */
  attempts(text: string): string[] {
    return this.held
      .filter(({ request }) => new TextDecoder().decode(request.bodies[0]) === text)
      .map(({ request }) => `${request.session}/${request.firstSequence}`);
  }

  private answer(text: string, attempt: number, make: (request: Append) => ClientResponse): void {
    const held = this.held.filter(({ request }) => new TextDecoder().decode(request.bodies[0]) === text)[
      attempt
    ];
    if (held === undefined) throw new Error(`${text} has no attempt ${attempt}`);
    this.h.node(0).send(held.link, make(held.request));
    this.h.run(10 * millisecond);
  }

  land(text: string, index: number, attempt = 0): void {
    const runs = [{ first: index, count: 1, term: 1 }];
    this.answer(text, attempt, ({ requestId }) => ({ type: "appended", requestId, runs }));
  }

  refuse(text: string, code: "pending-full" | "session-expired" | "sequence-gap", attempt = 0): void {
    this.answer(text, attempt, (request) => fault(request, code));
  }
}

describe("the end of a client's session", () => {
  it("waits for attempts under way: one that still lands is not sent again", () => {
    const leader = new HoldingLeader();
    const { h } = leader;
    const [a, b] = ["a", "b"].map((text) => h.append(text, 50 * second));
    h.run(10 * millisecond);
    leader.refuse("b", "session-expired");
    const c = h.append("c", 50 * second);
    h.run(second);
    expect([leader.attempts("a"), leader.attempts("b"), leader.attempts("c")]).to.deep.equal([
      ["10/1"],
      ["10/2"],
      [],
    ]);
    leader.land("a", 11);
    h.run(second);
    expect(a?.value?.indexes).to.deep.equal([11]);
    expect([leader.attempts("b"), leader.attempts("c")]).to.deep.equal([["10/2", "20/1"], ["20/2"]]);
    leader.land("b", 21, 1);
    leader.land("c", 22);
    expect([b && codeOf(b), codeOf(c)]).to.deep.equal(["ok", "ok"]);
  });

  it("sends nothing more under a session that expired, not even what was to be sent again", () => {
    const leader = new HoldingLeader();
    const { h } = leader;
    for (const text of ["a", "b", "c"]) h.append(text, 50 * second);
    h.run(10 * millisecond);
    leader.refuse("b", "sequence-gap");
    leader.refuse("c", "session-expired");
    h.run(2 * second);
    expect(["a", "b", "c"].map((text) => leader.attempts(text))).to.deep.equal([
      ["10/1"],
      ["10/2"],
      ["10/3"],
    ]);
    leader.refuse("a", "session-expired");
    h.run(2 * second);
    expect(["a", "b", "c"].map((text) => leader.attempts(text).at(-1))).to.deep.equal([
      "20/1",
      "20/2",
      "20/3",
    ]);
  });

  it("ends an attempt under way as outcome-unknown when its connection is lost", () => {
    const leader = new HoldingLeader();
    const { h } = leader;
    const [a, b] = ["a", "b"].map((text) => h.append(text, 50 * second));
    h.run(10 * millisecond);
    leader.refuse("b", "session-expired");
    for (const link of [...h.network.links]) link.reset();
    h.run(second);
    expect(a && codeOf(a)).to.equal("outcome-unknown");
    expect(leader.attempts("a")).to.deep.equal(["10/1"]);
    expect(leader.attempts("b")).to.deep.equal(["10/2", "20/1"]);
    expect(b && codeOf(b)).to.equal("waiting");
  });

  it("binds nothing new to a session with a hole, and uses it on for what stands before the hole", () => {
    const leader = new HoldingLeader();
    const { h } = leader;
    const a = h.append("a", 50 * second);
    h.run(10 * millisecond);
    const b = h.append("b", 50 * second);
    h.run(10 * millisecond);
    leader.refuse("b", "pending-full");
    // Refused, and not sent again yet, so surely not in the log: b's sequence stays empty for ever.
    b.handle.cancel();
    h.run(millisecond);
    expect(codeOf(b)).to.equal("cancelled");
    const c = h.append("c", 50 * second);
    h.run(second);
    expect(leader.attempts("c")).to.deep.equal([]);
    for (const link of [...h.network.links]) link.reset();
    h.run(second);
    expect(leader.attempts("a")).to.deep.equal(["10/1", "10/1"]);
    leader.land("a", 11, 1);
    h.run(second);
    expect(leader.attempts("c")).to.deep.equal(["20/1"]);
    expect([codeOf(a), codeOf(c)]).to.deep.equal(["ok", "waiting"]);
  });

  it("does not count the late answer of an attempt under the old session against the new one", () => {
    const leader = new HoldingLeader();
    const { h } = leader;
    const a = h.append("a", 5 * second);
    const b = h.append("b", 3 * second);
    h.run(10 * millisecond);
    leader.refuse("a", "pending-full");
    a.handle.cancel();
    h.run(second);
    expect(leader.attempts("b")).to.deep.equal(["10/2", "20/1"]);
    leader.refuse("b", "sequence-gap", 0);
    h.run(3 * second);
    // Its attempt under the new session is still under way, so nobody knows.
    expect([codeOf(a), codeOf(b)]).to.deep.equal(["cancelled", "outcome-unknown"]);
    expect(leader.attempts("b")).to.deep.equal(["10/2", "20/1"]);
  });

  it("does not count it either when the append has the same sequence under the new session", () => {
    const leader = new HoldingLeader();
    const { h } = leader;
    const a = h.append("a", 50 * second);
    h.run(10 * millisecond);
    const b = h.append("b", 3 * second);
    h.run(10 * millisecond);
    leader.refuse("a", "session-expired");
    h.run(second);
    expect([leader.attempts("a"), leader.attempts("b")]).to.deep.equal([
      ["10/1", "20/1"],
      ["10/2", "20/2"],
    ]);
    leader.refuse("b", "sequence-gap", 0);
    h.run(3 * second);
    // Its attempt under the new session is still under way, so nobody knows.
    expect([codeOf(a), codeOf(b)]).to.deep.equal(["waiting", "outcome-unknown"]);
  });

  it("takes the answer of any attempt of an append that was sent again under the same session", () => {
    const leader = new HoldingLeader();
    const { h } = leader;
    const [a, b] = ["a", "b"].map((text) => h.append(text, 50 * second));
    h.run(10 * millisecond);
    leader.refuse("a", "pending-full");
    h.run(second);
    expect([leader.attempts("a"), leader.attempts("b")]).to.deep.equal([
      ["10/1", "10/1"],
      ["10/2", "10/2"],
    ]);
    leader.land("a", 11, 1);
    leader.land("b", 12, 0);
    leader.land("b", 12, 1);
    expect([a?.told, b?.told]).to.deep.equal([1, 1]);
    expect(b?.value?.indexes).to.deep.equal([12]);
  });

  it("starts the next session with sequence 1 and the bodies as they were", () => {
    const leader = new HoldingLeader();
    const { h } = leader;
    h.append("a", 50 * second);
    h.run(10 * millisecond);
    leader.refuse("a", "session-expired");
    h.run(second);
    expect(leader.held.at(-1)?.request).to.deep.include({
      session: 20,
      firstSequence: 1,
      bodies: [bytes("a")],
    });
  });
});

describe("appends that ended because every node refused this client", () => {
  it("leave a session that has a hole now: what is appended later goes into another", () => {
    const leader = soleLeader();
    const swallowed: FakeLink[] = [];
    let swallows = false;
    const cluster = "0".repeat(31);
    const h = new Harness(
      [
        (request, link, at) => {
          if (request.type !== "append" || !swallows) return leader(request, link, at);
          swallowed.push(link);
          return undefined;
        },
      ],
      { appendEntriesMax: 1, cluster: `${cluster}1` },
    );
    const first = h.append("first");
    h.run(second);
    expect(codeOf(first)).to.equal("ok");
    swallows = true;
    const lost = h.append("lost", 60 * second);
    h.run(50 * millisecond);
    h.node(0).cluster = `${cluster}2`;
    swallowed[0]?.reset();
    h.run(2 * second);
    expect(codeOf(lost)).to.equal("outcome-unknown");
    swallows = false;
    h.node(0).cluster = `${cluster}1`;
    const later = h.append("later", 60 * second);
    h.run(5 * second);
    expect(codeOf(later)).to.equal("ok");
  });
});
