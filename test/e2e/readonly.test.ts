import { expect } from "chai";
import { LogError } from "#core/base/errors";
import type { LogClient } from "#prod/log-client";
import type { NodeProcess } from "./support/cluster.ts";
import { Cluster, eventually } from "./support/cluster.ts";
import { Load } from "./support/load.ts";
import type { Run } from "./support/run.ts";
import { jsonOf, quorumlog } from "./support/run.ts";

interface Row {
  readonly id: string;
  readonly role: string;
  readonly readOnly: boolean;
}

describe("e2e: read-only nodes", function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let client: LogClient;
  const log = (...args: readonly string[]): Promise<Run> =>
    quorumlog(["log", ...args], { env: { QUORUMLOG_PEERS: cluster.peers } });
  const rows = async (): Promise<readonly Row[]> =>
    jsonOf<{ readonly nodes: readonly Row[] }>(await log("status", "--json")).nodes;
  const page = async ({ httpPort }: NodeProcess, path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${httpPort}${path}`)).text();

  before(async () => {
    cluster = await Cluster.create(3);
    await cluster.startAll();
    client = cluster.client();
    await cluster.leader(client);
  });
  after(() => cluster.dispose());

  it("a leader made read-only under load hands over, appends go on, and it comes back", async () => {
    const load = new Load();
    load.append(cluster.client(), 8, 256);
    const old = await cluster.leader(client);
    const acknowledged = (since: number) =>
      eventually("an append acknowledged", async () => load.firstAckAfter(since));
    await acknowledged(0);

    const said = await log("readonly", "--node", old.id, "on", "--json");
    expect(said.stdout.toString(), said.stderr).to.equal(`{"node":"${old.id}","readOnly":true}\n`);
    const next = await eventually("another leader", async () => {
      const now = await cluster.leader(client);
      return now.id === old.id ? undefined : now;
    });
    await acknowledged(performance.now());
    for (const { id, readOnly } of await rows()) expect(readOnly, id).to.equal(id === old.id);
    expect(await page(old, "/metrics")).to.contain('quorumlog_intake{group="default",intake="read-only"} 1');
    expect(await page(next, "/metrics")).to.contain('quorumlog_intake{group="default",intake="open"} 1');
    expect(JSON.parse(await page(old, "/readyz"))).to.deep.equal({ ready: true, reasons: [] });

    const back = await log("readonly", "--node", old.id, "off");
    expect(back.stdout.toString()).to.equal(`${old.id} takes appends again\n`);
    // The leader hears of it with the next heartbeat, and refuses until then.
    await eventually("leadership given back", async () => {
      const refused = await client.transfer(old.id).catch((error: LogError) => error);
      if (refused !== undefined && refused.code !== "read-only") throw refused;
      return refused === undefined ? true : undefined;
    });
    await acknowledged(performance.now());
    await load.stop();
    // Exactly once, in order, whoever led.
    expect(await load.check(client)).to.be.above(0);
  });

  it("with all of them read-only one leads for reads, and appends fail as read-only", async () => {
    const { index } = await client.append("before");
    await Promise.all(cluster.nodes.map(({ id }) => client.setReadOnly(id, true)));
    const error = await client.append("x", { timeoutMs: 1_500 }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(LogError);
    expect([(error as LogError).code, (error as LogError).retry]).to.deep.equal(["read-only", "later"]);
    const refused = await log("append", "--data", "x", "--timeout", "2s");
    expect(refused.code, refused.stderr).to.equal(75);
    expect(refused.stderr).to.match(/read-only[\s\S]*quorumlog log readonly --node ID off/);
    expect(new TextDecoder().decode((await client.get(index)).data)).to.equal("before");
    const tail = await log("tail", "--from", String(index));
    expect([tail.code, tail.stderr]).to.deep.equal([0, ""]);

    await client.setReadOnly("n1", false);
    await client.append("again");
    expect((await cluster.leader(client)).id).to.equal("n1");
    await Promise.all(cluster.nodes.map(({ id }) => client.setReadOnly(id, false)));
  });

  it("a node that starts with readOnly=true follows and serves, and never takes the lead from a writable one", async () => {
    const node = cluster.node("n2");
    if ((await cluster.leader(client)) === node) await client.transfer("n0");
    await cluster.kill(node, "SIGTERM");
    await cluster.start(node, [], ["--readonly"]);
    await cluster.convergedCrc(client);
    expect((await client.status("n2")).readOnly).to.equal(true);
    const { code, stderr } = await log("transfer", "--to", "n2");
    expect(code, stderr).to.equal(75);
    expect(stderr).to.match(/read-only/);
    await client.append("others take it");
  });

  it("says which nodes there are when one is named that is not", async () => {
    const wrong = await log("readonly", "--node", "n9", "on");
    expect(wrong.code).to.equal(1);
    expect(wrong.stderr).to.match(/unknown-node[\s\S]*Did you mean n\d\? There are: n0, n1, n2\./);
    for (const args of [
      ["readonly", "on"],
      ["readonly", "--node", "n1"],
      ["readonly", "--node", "n1", "yes"],
    ])
      expect((await log(...args)).code, args.join(" ")).to.equal(64);
    const error = await client.setReadOnly("n9", true).catch((thrown: unknown) => thrown);
    expect((error as LogError).code).to.equal("unknown-node");
  });
});
