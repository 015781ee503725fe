import { expect } from "chai";
import type { Entry } from "#core/base/entry";
import { second } from "#core/base/units";
import { Admission } from "#core/commitlog/admission";
import { CommitLog } from "#core/commitlog/commit-log";
import type { CommitLogLimits } from "#core/commitlog/limits";
import { defaultCommitLogLimits } from "#core/commitlog/limits";
import type { FakeNetwork } from "../core/client/fake-world.ts";
import { codeOf, Harness, notLeader } from "../core/client/harness.ts";
import { ModelCluster } from "../core/client/model-cluster.ts";
import type { Script } from "../core/client/scripted-node.ts";
import { addressOf, fault, hintTo, refuse, soleLeader } from "../core/client/scripted-node.ts";
import { bytes, data, LogBuilder, noOp, opening } from "../core/commitlog/log-builder.ts";

const limits: CommitLogLimits = {
  ...defaultCommitLogLimits,
  sessionsMax: 3,
  inFlightMax: 4,
  appendEntriesMax: 4,
};

/** The gate of a leader whose log is `log`, all of it applied. */
function gateOf(log: LogBuilder): Admission {
  return new Admission(machineOf(log.entries).sessions, log.lastIndex, limits);
}

function machineOf(entries: readonly Entry[]): CommitLog {
  const machine = new CommitLog(limits);
  machine.apply(entries);
  return machine;
}

/** How a leader stands to one append: where it is already, "fresh", or why it is refused. */
function standing(log: LogBuilder, session: number, sequence: number): string {
  const admitted = gateOf(log).admit({ session, firstSequence: sequence, bodies: [bytes("x")] });
  if (admitted.kind === "refused") return admitted.error.code;
  return admitted.known.length > 0 ? `at ${admitted.known.join()}` : "fresh";
}

/** A client before a model cluster, whose scripted nodes take the place of the harness's own. */
function withCluster(size: number): { h: Harness; cluster: ModelCluster } {
  const h = new Harness(new Array<Script>(size).fill(notLeader), { inFlightMax: 4, appendEntriesMax: 4 });
  const network: FakeNetwork = h.network;
  return { h, cluster: new ModelCluster(network, size, limits) };
}

describe("Raft §8, client interaction", () => {
  it("'Clients of Raft send all of their requests to the leader.'", () => {
    const h = new Harness([
      refuse("not-leader", hintTo("n1")),
      soleLeader(),
      refuse("not-leader", hintTo("n1")),
    ]);
    h.append("found");
    h.run(second);
    const before = h.nodes.map((node) => node.requests.length);
    for (let i = 0; i < 5; i++) {
      h.append(`x${i}`);
      h.run(second);
    }
    const more = h.nodes.map((node, i) => node.requests.length - (before[i] as number));
    expect(more).to.deep.equal([0, 5, 0]);
  });

  it("'When a client first starts up, it connects to a randomly-chosen server.'", () => {
    const first = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const h = new Harness([soleLeader(), soleLeader(), soleLeader()], {}, seed);
      h.append("x");
      h.run(second);
      first.add(h.network.dialled[0] as string);
    }
    expect([...first].sort()).to.deep.equal(["n0", "n1", "n2"].map(addressOf));
  });

  it("'If the client's first choice is not the leader, that server will reject the client's request and supply information about the most recent leader it has heard from'", () => {
    for (let seed = 0; seed < 10; seed++) {
      const elsewhere = refuse("not-leader", hintTo("n2"));
      const h = new Harness([elsewhere, elsewhere, soleLeader(), elsewhere], {}, seed);
      const a = h.append("x");
      h.run(second);
      expect(codeOf(a)).to.equal("ok");
      expect(new Set(h.network.dialled).size).to.be.at.most(2);
    }
  });

  it("'If the leader crashes, client requests will time out; clients then try again with randomly-chosen servers.'", () => {
    const { h, cluster } = withCluster(3);
    cluster.elect(0, 0);
    h.append("before");
    h.run(second);
    cluster.commit(9);
    h.run(second);
    const a = h.append("x", 20 * second);
    h.run(second / 1_000);
    // n0 is gone without a word: nothing that it is sent arrives, nothing comes back.
    h.network.peers.delete(addressOf("n0"));
    cluster.elect(2, 0);
    for (let i = 0; i < 20; i++) {
      h.run(second);
      cluster.commit(9);
    }
    expect(codeOf(a)).to.equal("ok");
  });

  it("'if the leader crashes after committing the log entry but before responding to the client, the client will retry the command with a new leader' - and it is not executed a second time", () => {
    const { h, cluster } = withCluster(3);
    cluster.elect(0, 0);
    const a = h.append("once", 20 * second);
    h.run(second);
    cluster.commit(9);
    h.run(second);
    // The append is in the log; its answer is lost with the leader.
    for (const link of h.network.links) link.mute = true;
    cluster.commit(9);
    for (const link of [...h.network.links]) link.reset();
    cluster.elect(1, 9);
    h.run(2 * second);
    cluster.commit(9);
    h.run(2 * second);
    const places = [...cluster.texts()].filter(([, text]) => text === "once").map(([index]) => index);
    expect(places).to.have.lengthOf(1);
    expect(a.value?.indexes).to.deep.equal(places);
  });

  it("'The solution is for clients to assign unique serial numbers to every command.'", () => {
    const h = new Harness([soleLeader()]);
    for (let i = 0; i < 6; i++) {
      h.append(i % 2 === 0 ? ["a", "b"] : "c");
      if (i > 2) h.run(second);
    }
    h.run(second);
    const given = h
      .node(0)
      .appends.flatMap(({ firstSequence, bodies }) => bodies.map((_, i) => firstSequence + i));
    expect(given).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("'the state machine tracks the latest serial number processed for each client, along with the associated response.'", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening, opening, data("a", 1, 1), data("b", 2, 1), data("c", 1, 2)]);
    const { sessions } = machineOf(log.entries);
    expect([sessions.lastSequence(1), sessions.lastSequence(2)]).to.deep.equal([2, 1]);
    expect(sessions.admit(1, 2)).to.deep.equal({ kind: "duplicate", index: 5 });
    expect(sessions.admit(2, 1)).to.deep.equal({ kind: "duplicate", index: 4 });
  });

  it("'If it receives a command whose serial number has already been executed, it responds immediately without re-executing the request.'", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening, data("a", 1, 1)]);
    expect(standing(log, 1, 1)).to.equal("at 2");
    const admitted = gateOf(log).admit({ session: 1, firstSequence: 1, bodies: [bytes("a")] });
    expect(admitted.kind === "admitted" && admitted.contents).to.deep.equal([]);
  });
});

describe("dissertation §6.2, routing requests to the leader", () => {
  it("'When a client loses its connection with the leader (or any particular server), it should simply retry with a random server.'", () => {
    const h = new Harness([soleLeader(), soleLeader()]);
    for (const node of h.nodes) node.hint = hintTo("n0");
    h.append("x");
    h.run(second);
    h.network.peers.delete(addressOf("n0"));
    h.node(1).hint = hintTo("n1");
    for (const link of [...h.network.links]) link.reset();
    h.run(second / 1_000);
    const a = h.append("y");
    h.run(second);
    // The session is one that n1 does not know, so the append moved on to a new one there.
    expect(codeOf(a)).to.equal("ok");
    expect(h.node(1).appends.length).to.be.greaterThan(0);
  });
});

describe("dissertation §6.3, implementing linearizable semantics", () => {
  it("figure 6.1, RegisterClient: 'Reply NOT_LEADER if not leader, providing hint for it'", () => {
    const { h, cluster } = withCluster(3);
    cluster.elect(2, 0);
    const a = h.append("x");
    for (let i = 0; i < 4; i++) {
      h.run(second / 4);
      cluster.commit(9);
    }
    h.run(second);
    expect(codeOf(a)).to.equal("ok");
    const asked = cluster.nodes.map(
      (node) => node.requests.filter(({ type }) => type === "open-session").length,
    );
    expect(asked[2]).to.equal(1);
  });

  it("figure 6.1, RegisterClient: 'Reply OK with unique client identifier (the log index of this register command could be used)'", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, data("x"), opening, data("y"), opening]);
    expect([...machineOf(log.entries).sessions.ids()]).to.deep.equal([2, 4]);
  });

  it("figure 6.1, ClientRequest: 'Reply SESSION_EXPIRED if no record of clientId or if response for client's sequenceNum already discarded'", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening]);
    for (let s = 1; s <= 6; s++) log.append(1, [data("x", 1, s)]);
    expect(standing(log, 5, 1)).to.equal("session-expired");
    expect(standing(log, 1, 2)).to.equal("sequence-too-old");
    expect(standing(log, 1, 3)).to.equal("at 4");
  });

  it("'Commands take effect instantaneously and exactly once according to their first appearance in the Raft log'", () => {
    const { h, cluster } = withCluster(3);
    cluster.elect(0, 0);
    const all = ["a", "b", "c"].map((text) => h.append(text, 60 * second));
    for (let term = 0; term < 6; term++) {
      h.run(second / 10);
      for (const link of [...h.network.links]) link.reset();
      cluster.elect(term % 3, 3);
    }
    for (let i = 0; i < 10; i++) {
      h.run(second);
      cluster.commit(9);
    }
    h.run(second);
    const texts = [...cluster.texts()];
    expect(texts.map(([, text]) => text)).to.deep.equal(["a", "b", "c"]);
    expect(all.map((a) => a.value?.indexes)).to.deep.equal(texts.map(([index]) => [index]));
  });

  it("'This approach also generalizes to allow concurrent requests from a single client.' - a set of sequence number and response pairs", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening]);
    for (let s = 1; s <= 4; s++) log.append(1, [data("x", 1, s), data("another client's")]);
    for (let s = 1; s <= 4; s++) expect(standing(log, 1, s)).to.equal(`at ${2 * s}`);
    expect(standing(log, 1, 5)).to.equal("fresh");
  });

  it("'the lowest sequence number for which it has not yet received a response' is always among those that are kept", () => {
    const h = new Harness([soleLeader()], { inFlightMax: 4, appendEntriesMax: 4 });
    let answered = 0;
    const leader = soleLeader();
    const held: (() => void)[] = [];
    h.node(0).script = (request, link, node) => {
      const answer = leader(request, link, node);
      if (request.type !== "append" || answer === undefined) return answer;
      const last = request.firstSequence + request.bodies.length - 1;
      expect(last - answered, "in flight").to.be.at.most(limits.inFlightMax);
      held.push(() => {
        answered = Math.max(answered, last);
        node.send(link, answer);
      });
      return undefined;
    };
    const all = Array.from({ length: 20 }, (_, i) => h.append(`x${i}`, 60 * second));
    for (let i = 0; i < 30; i++) {
      h.run(second / 100);
      held.shift()?.();
    }
    h.run(second);
    expect(all.map((a) => codeOf(a))).to.deep.equal(new Array(20).fill("ok"));
  });

  it("'Servers must agree on when to expire a client's session' - 'remove entries using an LRU (least recently used) policy' in log order", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening, opening, opening, data("x", 1, 1), opening, data("y", 1, 2), opening]);
    const together = machineOf(log.entries);
    const apart = new CommitLog(limits);
    for (const entry of log.entries) apart.apply([entry]);
    expect([...together.sessions.ids()]).to.deep.equal([5, 1, 7]);
    expect([...apart.sessions.ids()]).to.deep.equal([5, 1, 7]);
    expect([...apart.snapshot()]).to.deep.equal([...together.snapshot()]);
  });

  it("'If a state machine encounters a command with no record of the session, it does not process the command and instead returns an error to the client.'", () => {
    const log = new LogBuilder();
    log.append(1, [noOp, opening, opening, opening, opening]);
    const admitted = gateOf(log).admit({ session: 1, firstSequence: 1, bodies: [bytes("x")] });
    expect(admitted.kind === "refused" && admitted.error.code).to.equal("session-expired");
    expect(admitted.kind === "refused" && admitted.error.retry).to.equal("never");
  });

  it("'to allocate a new session for a client any time there is no record of it ... would risk duplicate execution of commands that were executed before' - so what was sent in doubt is never sent under a new session", () => {
    const leader = soleLeader();
    let doubted = 0;
    const h = new Harness([
      (request, link, node) => {
        if (request.type !== "append") return leader(request, link, node);
        if (doubted === 0) {
          doubted = request.session;
          leader(request, link, node);
          link.reset();
          return undefined;
        }
        return request.session === doubted ? fault(request, "session-expired") : leader(request, link, node);
      },
    ]);
    const a = h.append("once", 20 * second);
    h.run(5 * second);
    expect(codeOf(a)).to.equal("outcome-unknown");
    const b = h.append("next", 20 * second);
    h.run(5 * second);
    expect(codeOf(b)).to.equal("ok");
    const underNew = h.node(0).appends.filter((append) => append.session !== doubted);
    expect(underNew.flatMap((append) => append.bodies)).to.deep.equal([bytes("next")]);
  });
});
