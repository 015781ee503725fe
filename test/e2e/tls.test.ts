import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import type { LogError } from "#core/base/errors";
import type { LogClient } from "#prod/log-client";
import type { NodeProcess } from "./support/cluster.ts";
import { Cluster, eventually, program } from "./support/cluster.ts";
import type { Run } from "./support/run.ts";
import { jsonOf, quorumlog, run } from "./support/run.ts";

interface Made {
  readonly credentials: readonly { readonly name: string; readonly key: string; readonly made: boolean }[];
}

describe("e2e: TLS, by the credentials that one command makes", function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let certs: string;
  let client: LogClient;
  const file = (name: string): string => path.join(certs, `${name}.pem`);
  const flagsOf = (node: string): string[] => {
    const files = ["--tls-ca", file("ca"), "--tls-cert", file(node), "--tls-key", file(`${node}-key`)];
    return files;
  };
  const log = (who: string | undefined, ...args: readonly string[]): Promise<Run> => {
    const own: Record<string, string> =
      who === undefined
        ? {}
        : {
            QUORUMLOG_CLIENT_CA: file("ca"),
            QUORUMLOG_CLIENT_CERT: file(`client-${who}`),
            QUORUMLOG_CLIENT_KEY: file(`client-${who}-key`),
          };
    return quorumlog(["log", ...args], { env: { QUORUMLOG_PEERS: cluster.peers, ...own } });
  };

  before(async () => {
    cluster = await Cluster.create(3);
    certs = path.join(cluster.root, "certs");
    const made = jsonOf<Made>(await quorumlog(["certs", "--out", certs, "--peers", cluster.peers, "--json"]));
    expect(made.credentials.map(({ name }) => name)).to.deep.equal([
      "authority",
      "n0",
      "n1",
      "n2",
      "reader",
      "writer",
      "admin",
    ]);
    for (const { key, made: fresh } of made.credentials) {
      expect(fresh, key).to.equal(true);
      expect(fs.statSync(key).mode & 0o077, key).to.equal(0);
    }
    await Promise.all(cluster.nodes.map((node) => cluster.start(node, [], flagsOf(node.id))));
    const tls = { ca: file("ca"), cert: file("client-admin"), key: file("client-admin-key") };
    client = cluster.client({ tls });
    await cluster.leader(client);
  });
  after(() => cluster.dispose());

  it("appends, reads, moves leadership and survives the leader, encrypted", async () => {
    const { index } = await client.append("secret");
    const said = await log("reader", "get", "--index", String(index));
    expect(said.stdout.toString(), said.stderr).to.equal("secret");
    expect((await log("writer", "append", "--data", "more")).code).to.equal(0);
    const old = await cluster.leader(client);
    const next = old.id === "n1" ? "n2" : "n1";
    expect((await log("admin", "transfer", "--to", next)).code).to.equal(0);
    await cluster.kill(cluster.node(next), "SIGKILL");
    await client.append("after");
    await cluster.start(cluster.node(next), [], flagsOf(next));
    await cluster.convergedCrc(client);
  });

  it("refuses by name, soon, and with an exit code, whoever may not", async () => {
    const cases: readonly [who: string | undefined, args: readonly string[], told: RegExp][] = [
      ["reader", ["append", "--data", "x"], /not-authorised\n +"reader" \(read\) has not the role append/],
      ["writer", ["readonly", "--node", "n1", "on"], /"writer" \(append\) has not the role admin/],
      ["writer", ["transfer", "--to", "n1"], /"writer" \(append\) has not the role admin/],
      [undefined, ["append", "--data", "x"], /this node speaks TLS, and this connection is plain text/],
      [undefined, ["status"], /this node speaks TLS/],
      [undefined, ["tail", "--tls-ca", file("ca")], /a client shows its certificate here/],
      [
        undefined,
        ["tail", "--follow", "--tls-ca", file("client-admin")],
        /not signed by an authority in tlsCa/,
      ],
    ];
    await Promise.all(
      cases.map(async ([who, args, told]) => {
        const { code, stderr } = await log(who, ...args, "--timeout", "15s");
        expect(code, `${args.join(" ")}: ${stderr}`).to.equal(1);
        expect(stderr, args.join(" ")).to.match(told);
      }),
    );
    const half = await log(undefined, "tail", "--tls-ca", file("ca"), "--tls-cert", file("client-admin"));
    expect([half.code, half.stderr]).to.satisfy(
      ([code, text]: [number, string]) =>
        code === 78 && /--tls-key is not given, and --tls-cert is/.test(text),
    );
    expect((await log(undefined, "tail", "--tls-cert", file("client-admin"))).code).to.equal(64);
  });

  it("a node that the others do not know says why it is not ready, and goes on when it has its own", async () => {
    const node = cluster.node("n2");
    await cluster.kill(node, "SIGTERM");
    const wrong = await startOnce(node, flagsOf("n1"));
    expect(wrong.code, wrong.stderr).to.equal(78);
    expect(wrong.stderr).to.match(
      /tlsCert is ".*n1\.pem" \(flag --tls-cert\): it is of "n1" \(node\), and this is node n2/,
    );

    // Of another authority of the same names: it starts, and nobody believes it.
    const other = path.join(cluster.root, "other");
    await quorumlog(["certs", "--out", other, "--peers", cluster.peers]);
    const flags = flagsOf("n2").map((flag) => flag.replace(certs, other));
    await cluster.start(node, [], flags);
    const reasons = await eventually("the reasons why", async () => {
      const answer = await fetch(`http://127.0.0.1:${node.httpPort}/readyz`);
      const text = await answer.text();
      return answer.status === 503 && text.includes("authority in tlsCa") ? text : undefined;
    });
    expect(reasons).to.match(/peer n\d refused: the certificate of 127\.0\.0\.1:\d+ is not signed by/);
    await client.append("the others go on");
    await cluster.kill(node, "SIGTERM");
    await cluster.start(node, [], flagsOf("n2"));
    await cluster.convergedCrc(client);
  });

  it("is told by the library as not-authorised", async () => {
    const plain = cluster.client();
    const error = (await plain.append("x").catch((thrown: unknown) => thrown)) as LogError;
    expect([error.code, error.retry]).to.deep.equal(["not-authorised", "never"]);
  });

  /** A node that is not to start. */
  function startOnce(node: NodeProcess, flags: readonly string[]): Promise<Run> {
    const [, ...args] = cluster.command(node, flags);
    return run(process.execPath, [program, ...args]);
  }
});
