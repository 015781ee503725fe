import * as fs from "node:fs";
import { expect } from "chai";
import type { LogError } from "#core/base/errors";
import { LogClient } from "#prod/log-client";
import { Cluster } from "./support/cluster.ts";

describe("e2e: more clients than connectionsMax", function () {
  this.timeout(40_000);
  let cluster: Cluster;
  before(async () => {
    // One: peers need more, and must have them.
    cluster = await Cluster.create(3, ["--connections-max", "1"]);
    await cluster.startAll();
  });
  after(() => cluster.dispose());

  it("are told why, may come again, are counted, and leave a line in the log; peers go on", async () => {
    const first = cluster.client();
    await first.append("of the one that is in");
    for (const { id } of cluster.nodes) await first.status(id);
    const second = cluster.client();
    const node = cluster.node("n1");
    const fault = (await second.status("n1").catch((error: unknown) => error)) as LogError;
    expect([fault.code, fault.retry]).to.deep.equal(["pending-full", "later"]);
    expect(fault.message).to.match(/^127\.0\.0\.1:\d+: this node .*connectionsMax is 1/);
    const late = (await second.append("x", { timeoutMs: 700 }).catch((error: unknown) => error)) as LogError;
    expect(late.code).to.equal("timeout");
    expect(late.message).to.contain("connectionsMax is 1");
    const page = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
    expect(page).to.match(/quorumlog_connections_refused_total\{reason="too-many"\} [1-9]/);
    expect(page).to.contain("quorumlog_client_connections 1\n");
    const lines = fs.readFileSync(node.log, "utf8").match(/turned a connection away: .*connectionsMax is 1/g);
    expect(lines).to.have.length(1);
    await first.close();
    await second.append("of the next one", { timeoutMs: 10_000 });
  });

  it("a host that does not exist is called that", async () => {
    const nowhere = new LogClient({ peers: "n0-no-such-host.invalid:40911", timeoutMs: 1_500 });
    const fault = (await nowhere.append("x").catch((error: unknown) => error)) as LogError;
    expect(fault.message).to.contain("there is no such host: no-such-host.invalid");
    await nowhere.close();
  });
});
