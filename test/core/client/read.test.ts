import { expect } from "chai";
import { nodeId } from "#core/base/brand";
import { recordOverheadBytes } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { millisecond, second } from "#core/base/units";
import { clientConfig, defaultClientConfig } from "#core/client/client-config";
import type { ClientEffect, Target } from "#core/client/client-event";
import { ClientMachine } from "#core/client/client-machine";
import type { LogEntry, NodeStatus } from "#core/commitlog/protocol";
import { defaultLimits } from "#core/node/config";
import { anyStatus } from "../commitlog/protocol-messages.ts";
import type { Outcome } from "./harness.ts";
import { codeOf, Harness, notLeader } from "./harness.ts";
import type { Script } from "./scripted-node.ts";
import { addressOf, fault, group, hintTo, refuse, soleLeader } from "./scripted-node.ts";

const timeout = 5 * second;

function get(h: Harness, index: number, target: Target = "any"): Outcome<LogEntry> {
  return h.call((done) => h.client.get(index, { timeout, target }, done));
}

describe("client reads", () => {
  it("gets an entry, and a read index, from whichever node is at hand", () => {
    const h = new Harness([soleLeader(), "absent"]);
    const entry = get(h, 4);
    const index = h.call<number>((done) => h.client.readIndex({ timeout }, done));
    h.run(second);
    expect(entry.value?.index).to.equal(4);
    expect(index.value).to.equal(9);
  });

  it("ends at once on a refusal that no retry mends, and retries any other until the deadline", () => {
    const h = new Harness([soleLeader()]);
    const beyond = get(h, 10);
    h.run(second);
    expect(codeOf(beyond)).to.equal("index-out-of-range");
    const never = new Harness([refuse("no-quorum")]);
    const late = get(never, 1);
    never.run(6 * second);
    expect(codeOf(late)).to.equal("timeout");
    expect(late.error?.message).to.contain("no-quorum");
    expect(never.node(0).requests.length).to.be.within(8, 60);
  });

  it("asks for one read index on behalf of all that want one at the same moment", () => {
    const h = new Harness([soleLeader()]);
    get(h, 1);
    h.run(second);
    const wanted = Array.from({ length: 20 }, () =>
      h.call<number>((done) => h.client.readIndex({ timeout }, done)),
    );
    h.run(second);
    expect(wanted.map(codeOf)).to.deep.equal(wanted.map(() => "ok"));
    const asked = h.node(0).requests.filter((request) => request.type === "read-index");
    expect(asked.length).to.be.below(3);
    const later = h.call<number>((done) => h.client.readIndex({ timeout }, done));
    h.run(second);
    expect(codeOf(later)).to.equal("ok");
    const all = h.node(0).requests.filter((request) => request.type === "read-index");
    expect(all.length, "a later one is asked for on its own").to.equal(asked.length + 1);
  });

  it("lets one read go ahead while none can be answered, and all of them once one was", () => {
    const h = new Harness([refuse("no-quorum")]);
    const reads = Array.from({ length: 50 }, (_, i) => get(h, i % 9));
    h.run(3 * second);
    expect(reads.map(codeOf)).to.deep.equal(reads.map(() => "waiting"));
    expect(h.node(0).requests.length, "50 at first, then one at a time").to.be.below(50 + 20);
    h.node(0).script = soleLeader();
    h.run(second);
    expect(reads.map(codeOf)).to.deep.equal(reads.map(() => "ok"));
  });

  it("goes to the next node when one cannot answer", () => {
    const h = new Harness([refuse("no-quorum"), soleLeader(), refuse("no-quorum")]);
    const entry = get(h, 4);
    h.run(second);
    expect(codeOf(entry)).to.equal("ok");
  });

  it("reads where it is told to: from the leader, a follower, or a named node", () => {
    const h = new Harness([soleLeader(), soleLeader(), soleLeader()]);
    for (const node of h.nodes) node.hint = hintTo("n1");
    h.append("x");
    h.run(second);
    for (let i = 0; i < 5; i++) get(h, 1, "leader");
    h.run(second);
    expect(h.node(1).requests.filter((request) => request.type === "get").length).to.equal(5);
    for (let i = 0; i < 5; i++) get(h, 1, "follower");
    h.run(second);
    expect(h.node(1).requests.filter((request) => request.type === "get").length).to.equal(5);
    get(h, 1, { node: nodeId("n2") });
    h.run(second);
    expect(h.node(2).requests.filter((request) => request.type === "get").length).to.be.at.least(1);
    const nobody = get(h, 1, { node: nodeId("n9") });
    h.run(second);
    expect(codeOf(nobody)).to.equal("unknown-node");
  });

  it("asks the leader for a transfer, following redirects, and hands its refusal on", () => {
    const h = new Harness([refuse("not-leader", hintTo("n1")), soleLeader()]);
    const done = h.call<void>((tell) => h.client.transfer(nodeId("n0"), { timeout }, tell));
    h.run(second);
    expect(codeOf(done)).to.equal("ok");
    h.node(1).script = refuse("transfer-failed");
    const failed = h.call<void>((tell) => h.client.transfer(nodeId("n0"), { timeout }, tell));
    h.run(second);
    expect(codeOf(failed)).to.equal("transfer-failed");
  });

  it("fails the status of a node that is down at once, and that of another one not", () => {
    const status = { ...anyStatus, group, voters: [] };
    const h = new Harness([
      "absent",
      (request) => ({ type: "status-report", requestId: request.requestId, status }),
    ]);
    const down = h.call<NodeStatus>((done) => h.client.status(nodeId("n0"), { timeout }, done));
    const up = h.call<NodeStatus>((done) => h.client.status(nodeId("n1"), { timeout }, done));
    h.run(20 * millisecond);
    expect(codeOf(down)).to.equal("unavailable");
    expect(down.error?.message).to.contain("n0");
    expect(up.value).to.deep.equal(status);
  });

  it("cancels a read, and bounds how many may wait", () => {
    const h = new Harness(["absent"], { pendingCallsMax: 2 });
    const first = get(h, 1);
    get(h, 2);
    expect(() => get(h, 3))
      .to.throw(LogError)
      .with.property("code", "pending-full");
    first.handle.cancel();
    h.run(millisecond);
    expect(codeOf(first)).to.equal("cancelled");
    get(h, 4);
  });
});

describe("client and nodes that fall silent", () => {
  it("drops a node that takes a request and never answers, and asks the next", () => {
    const h = new Harness([() => undefined, () => undefined, soleLeader()], {
      requestTimeout: 300 * millisecond,
    });
    const entry = get(h, 4);
    h.run(2 * second);
    expect(codeOf(entry)).to.equal("ok");
  });

  it("gives up a dial that is neither opened nor greeted", () => {
    for (const mode of ["silent", "ungreeted"]) {
      const h = new Harness([soleLeader()], { connectTimeout: 100 * millisecond });
      if (mode === "silent") h.network.silent.add(addressOf("n0"));
      else h.node(0).greets = false;
      const entry = get(h, 4);
      h.run(second);
      expect(codeOf(entry)).to.equal("waiting");
      expect(h.network.dialled.length).to.be.greaterThan(2);
      h.network.silent.clear();
      h.node(0).greets = true;
      h.run(2 * second);
      expect(codeOf(entry)).to.equal("ok");
    }
  });

  it("notices a half-open connection by a ping without an answer, even with nothing asked", () => {
    const h = new Harness([soleLeader()]);
    get(h, 4);
    h.run(10 * second);
    expect(h.network.dialled.length).to.equal(1);
    const [link] = h.network.linksTo(addressOf("n0"));
    if (link !== undefined) link.mute = true;
    h.run(3 * second);
    expect(h.network.linksTo(addressOf("n0"))).to.deep.equal([]);
    const entry = get(h, 5);
    h.run(second);
    expect(codeOf(entry)).to.equal("ok");
  });

  it("finds out within a second that a node has stopped whose answer it awaits", () => {
    const h = new Harness([soleLeader()]);
    get(h, 4);
    h.run(10 * second);
    const [link] = h.network.linksTo(addressOf("n0"));
    if (link !== undefined) link.mute = true;
    const entry = get(h, 5);
    h.run(second);
    expect(codeOf(entry)).to.equal("ok");
    expect(h.network.dialled.length).to.equal(2);
  });

  it("breaks a connection on which garbage arrives, and goes on with another", () => {
    let garbage = true;
    const leader = soleLeader();
    const h = new Harness([
      (request, link, node) => {
        if (!garbage) return leader(request, link, node);
        garbage = false;
        link.answer(new Uint8Array([1, 2, 3]));
        return undefined;
      },
    ]);
    const entry = get(h, 4);
    h.run(second);
    expect(codeOf(entry)).to.equal("ok");
    expect(h.network.dialled.length).to.equal(2);
  });
});

describe("client greetings", () => {
  it("fails every call by name once all nodes refuse the greeting for good", () => {
    const h = new Harness([soleLeader(), soleLeader()], { cluster: "mine" });
    for (const node of h.nodes) node.cluster = "theirs";
    const entry = get(h, 1);
    const append = h.append("x");
    h.run(second);
    expect([codeOf(entry), codeOf(append)]).to.deep.equal(["wrong-cluster", "wrong-cluster"]);
  });

  it("goes on with the others when one node is not what it should be", () => {
    const h = new Harness([soleLeader(), soleLeader()], { cluster: "mine" });
    h.node(0).cluster = "theirs";
    h.node(1).cluster = "mine";
    const append = h.append("x");
    h.run(second);
    expect(codeOf(append)).to.equal("ok");
    expect(h.node(0).requests).to.deep.equal([]);
  });

  it("refuses a node that answers under another name", () => {
    const h = new Harness([soleLeader()]);
    h.network.peers.set(addressOf("n0"), new Harness([notLeader, soleLeader()]).node(1));
    const entry = get(h, 1);
    h.run(second);
    expect(codeOf(entry)).to.equal("unknown-node");
  });
});

describe("client closing", () => {
  it("ends every call once, closes every connection and refuses what comes after", () => {
    const silent: Script = (request, link, node) =>
      request.type === "open-session" ? soleLeader()(request, link, node) : undefined;
    const h = new Harness([silent]);
    const read = get(h, 1);
    const append = h.append("x");
    h.run(second);
    let closed = 0;
    h.client.close(() => closed++);
    expect(closed).to.equal(0);
    h.run(millisecond);
    expect([codeOf(read), codeOf(append), closed]).to.deep.equal(["cancelled", "outcome-unknown", 1]);
    expect(h.network.links.size).to.equal(0);
    expect(() => h.append("y"))
      .to.throw(LogError)
      .with.property("code", "cancelled");
    expect(h.clock.run(60 * second)).to.equal(0);
  });
});

describe("client machine", () => {
  it("ignores frames and closings of any connection but the latest one to a node", () => {
    const peers = [{ node: nodeId("n0"), address: "n0:1" }];
    const machine = new ClientMachine(clientConfig({ group, peers }), (key) => key);
    const out: ClientEffect[] = [];
    machine.step(
      {
        type: "ask",
        now: 1,
        call: 1,
        question: { kind: "get", index: 3, linearizable: true },
        target: "any",
        deadline: second,
      },
      out,
    );
    machine.step({ type: "flush", now: 1 }, out);
    machine.step({ type: "closed", now: 2, connection: 1, reason: "reset" }, out);
    machine.step({ type: "tick", now: 500 * millisecond }, out);
    const dials = out.filter((effect) => effect.type === "connect");
    expect(dials.map((dial) => dial.connection)).to.deep.equal([1, 2]);
    out.length = 0;
    const late = fault({ type: "ping", requestId: 1 }, "wrong-cluster");
    machine.step({ type: "opened", now: 3 * second, connection: 1 }, out);
    machine.step({ type: "frame", now: 600 * millisecond, connection: 1, response: late }, out);
    machine.step({ type: "closed", now: 600 * millisecond, connection: 1, reason: "reset" }, out);
    expect(out).to.deep.equal([]);
    machine.step({ type: "opened", now: 600 * millisecond, connection: 2 }, out);
    expect(out.map((effect) => effect.type)).to.deep.equal(["send"]);
  });
});

describe("client configuration", () => {
  it("lets one client alone send no more than a leader takes, whatever the size of its appends", () => {
    const { pendingBytesMax, pendingAppendsMax } = defaultClientConfig;
    expect(pendingBytesMax + pendingAppendsMax * recordOverheadBytes).to.be.at.most(
      defaultLimits.uncommittedBytesMax,
    );
  });

  it("is refused by the name of the key that is wrong", () => {
    const peers = [{ node: nodeId("n0"), address: "n0:1" }];
    for (const bad of [
      { peers: [] },
      { peers: [...peers, ...peers] },
      { inFlightMax: 0 },
      { appendEntriesMax: 2_000 },
      { appendBytesMax: 10 },
      { pendingBytesMax: 10 },
      { requestTimeout: 0.5 },
      { retryDelayMin: second },
      { name: "x".repeat(65) },
    ]) {
      const [key] = Object.keys(bad);
      expect(() => clientConfig({ group, peers, ...bad }), key)
        .to.throw(LogError, key)
        .with.property("code", "bad-configuration");
    }
  });
});
