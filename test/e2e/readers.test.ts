import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { RawClient } from "#bench/soak/nodes/raw-client";
import { Cluster, eventually } from "./support/cluster.ts";
import { Load } from "./support/load.ts";

const readers = 8;
const tails = 64;

describe("e2e: clients that pipeline their reads", function () {
  this.timeout(120_000);
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.create(3);
    await cluster.startAll();
  });
  after(() => cluster.dispose());

  it("are all served, depose no leader, and appends go on", async () => {
    const client = cluster.client();
    const leader = await cluster.leader(client);
    const body = randomBytes(262_144);
    await Promise.all(Array.from({ length: 16 }, () => client.append(body)));
    const before = await client.status(leader.id);
    const load = new Load();
    load.append(client, 2, 100);
    const clients = Array.from({ length: readers }, () => new RawClient(`127.0.0.1:${leader.port}`, true));
    const question = { from: 1, entriesMax: 1_024, bytesMax: 1_048_576, waitMicros: 0, linearizable: false };
    for (const one of clients)
      one.send(...Array.from({ length: tails }, () => ({ type: "tail" as const, ...question })));
    const acked = load.history.acked;
    // The hello is answered too.
    await eventually(
      "every answer",
      async () => (clients.every(({ answers }) => answers === tails + 1) ? true : undefined),
      60_000,
    );
    await eventually("an append", async () => (load.history.acked > acked ? true : undefined));
    expect(clients.filter(({ ended }) => ended)).to.have.length(0);
    for (const one of clients) one.close();
    await load.stop();
    const { leader: leads, term } = await client.status(leader.id);
    expect({ leads, term }).to.deep.equal({ leads: leader.id, term: before.term });
  });
});
