import { expect } from "chai";
import { LogError } from "#core/base/errors";
import { Cluster } from "./support/cluster.ts";
import type { Run } from "./support/run.ts";
import { jsonOf, quorumlog } from "./support/run.ts";

describe("e2e: one node of three", function () {
  this.timeout(40_000);
  let cluster: Cluster;
  const log = (...args: readonly string[]): Promise<Run> =>
    quorumlog(["log", ...args], { env: { QUORUMLOG_PEERS: cluster.peers } });

  before(async () => {
    cluster = await Cluster.create(3);
    await cluster.startAll();
    await cluster.leader(cluster.client());
    for (const id of ["n1", "n2"]) await cluster.kill(cluster.node(id), "SIGKILL");
  });
  after(() => cluster.dispose());

  it("is told from none: reads and appends end with 75 and name who does not answer", async () => {
    for (const args of [
      ["tail"],
      ["tail", "--follow"],
      ["append", "--data", "x"],
      ["get", "--index", "9999"],
    ]) {
      const { code, stderr } = await log(...args, "--timeout", "3s");
      expect(code, `${args.join(" ")}: ${stderr}`).to.equal(75);
      expect(stderr, args.join(" ")).to.contain(
        "a majority of the 3 nodes does not answer (n0 answered, n1, n2",
      );
      expect(stderr, args.join(" ")).to.not.contain("can be reached");
    }
  });

  it("shows its status, and every key of the others with null", async () => {
    const result = await log("status", "--json");
    // A report all the same, and a code of its own for scripts.
    expect(result.code, result.stderr).to.equal(10);
    const { nodes } = jsonOf<{ readonly nodes: readonly Record<string, unknown>[] }>(result);
    const [keys = []] = nodes.map((node) => Object.keys(node));
    for (const node of nodes.slice(1)) {
      expect(Object.keys(node)).to.deep.equal([...keys, "error"]);
      expect(keys.slice(2).map((key) => node[key])).to.deep.equal(keys.slice(2).map(() => null));
    }
  });

  it("may have moved leadership when a transfer runs out of time: the outcome is unknown", async () => {
    const { code, stderr } = await log("transfer", "--to", "n1", "--timeout", "2s");
    expect(code, stderr).to.equal(75);
    expect(stderr).to.contain("outcome-unknown").and.to.contain("quorumlog log status");
    expect(stderr).to.not.contain("Nothing was changed");
    const error = await cluster
      .client()
      .transfer("n1", { timeoutMs: 1_000 })
      .catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(LogError);
    expect([(error as LogError).code, (error as LogError).retry]).to.deep.equal([
      "outcome-unknown",
      "unknown",
    ]);
  });

  it("a transfer that was never sent is no such thing", async () => {
    const abort = AbortSignal.abort();
    const early = await cluster
      .client()
      .transfer("n1", { signal: abort })
      .catch((thrown: LogError) => thrown.code);
    expect(early).to.equal("cancelled");
    const { code, stderr } = await log(
      "transfer",
      "--to",
      "n0",
      "--peers",
      "n0-127.0.0.1:1",
      "--timeout",
      "2s",
    );
    expect(code, stderr).to.equal(69);
  });
});
