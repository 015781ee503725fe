import * as fs from "node:fs";
import { expect } from "chai";
import { skipLoudly } from "../support/skip.ts";
import { Cluster, program } from "./support/cluster.ts";
import type { Run } from "./support/run.ts";
import { quorumlog, run } from "./support/run.ts";

/** Takes every write for one to a disk without room. */
const full = "/dev/full";
const small = ["sim", "--seed", "1", "--scenario", "failover", "--duration", "2s"];

describe("e2e: output that cannot be written", function () {
  this.timeout(40_000);
  let cluster: Cluster;

  before(async function () {
    if (!fs.existsSync(full)) return skipLoudly(this, `there is no ${full} here`);
    cluster = await Cluster.create(1);
    await cluster.startAll();
    await cluster.leader(cluster.client());
  });
  after(() => cluster?.dispose());

  const intoFull = (args: readonly string[]): Promise<Run> =>
    run("sh", ["-c", `exec "$0" "$@" > ${full}`, process.execPath, program, ...args], {
      env: { QUORUMLOG_PEERS: cluster.peers },
    });

  it("ends with 74 and one line, and what was appended stands", async () => {
    const appended = await intoFull(["log", "append", "--data", "kept"]);
    const told = /^quorumlog: standard output cannot be written: ENOSPC[^\n]*\n$/;
    expect(appended.stderr).to.match(told);
    expect(appended.code).to.equal(74);
    const tail = await quorumlog(["log", "tail"], { env: { QUORUMLOG_PEERS: cluster.peers } });
    expect(tail.stdout.toString()).to.match(/kept\n$/);

    for (const args of [
      ["--version"],
      ["--help"],
      ["log", "tail"],
      ["log", "status"],
      ["sim", "--list"],
      small,
    ]) {
      const result = await intoFull(args);
      expect(result.stderr, args.join(" ")).to.match(told);
      expect(result.code, args.join(" ")).to.equal(74);
    }
  });

  it("is never taken for a broken safety by whoever asked for a file", async () => {
    for (const option of ["--trace", "--decisions"]) {
      const result = await quorumlog([...small, option, full]);
      expect(result.stderr).to.match(
        new RegExp(`^quorumlog: ${option} ${full} cannot be written: ENOSPC[^\\n]*\\n$`),
      );
      expect(result.code, option).to.equal(74);
    }
  });
});
