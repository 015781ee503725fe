import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import { makeCredentials } from "#prod/credentials";
import { authoriseByRole, loadConfig, makeLogger, QuorumServer } from "#prod/embed";
import { LogClient } from "#prod/log-client";
import { checkedPeers } from "#prod/peer-list";
import { freePorts } from "./support/cluster.ts";

describe("e2e: a node within a program", function () {
  this.timeout(30_000);

  it("lets the program decide what each client may do", async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-embed-"));
    const file = (name: string): string => path.join(directory, "certs", `${name}.pem`);
    const [port, httpPort] = await freePorts(2);
    const peers = `n0-127.0.0.1:${port}`;
    const clients = ["intern", "writer"].map((name) => ({ name, role: "append" as const }));
    const plan = { directory: path.join(directory, "certs"), peers: checkedPeers(peers), clients };
    makeCredentials({ ...plan, hosts: [], days: 1, renew: false });
    const flags = {
      dLegerSelfId: "n0",
      dLegerPeers: peers,
      storePathRootDir: path.join(directory, "data"),
      httpPort: String(httpPort),
      tlsCa: file("ca"),
      tlsCert: file("n0"),
      tlsKey: file("n0-key"),
    };
    const server = new QuorumServer(loadConfig({ environment: {}, flags }), makeLogger("silent", 2), {
      authorise: (identity, action) => identity?.name !== "intern" && authoriseByRole(identity, action),
    });
    const clientOf = (name: string): LogClient =>
      new LogClient({
        peers,
        tls: { ca: file("ca"), cert: file(`client-${name}`), key: file(`client-${name}-key`) },
      });
    const [intern, writer] = [clientOf("intern"), clientOf("writer")];
    try {
      await server.start();
      await writer.append("mine");
      const fault = (await intern.append("his").catch((error: unknown) => error)) as { code: string };
      expect(fault.code).to.equal("not-authorised");
    } finally {
      await Promise.all([intern.close(), writer.close()]);
      await server.stop();
      fs.rmSync(directory, { recursive: true, force: true });
    }
  });
});
