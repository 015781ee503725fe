import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import { skipLoudly } from "../support/skip.ts";
import { Cluster } from "./support/cluster.ts";

interface Sync {
  readonly node: string;
  readonly begunAt: number;
  readonly endedAt: number;
}

/** Finished fdatasyncs of one node, in seconds since the epoch, from `strace -f -ttt -T`. */
function syncsOf(node: string, trace: string): Sync[] {
  const syncs: Sync[] = [];
  const begun = new Map<string, number>();
  for (const line of trace.split("\n")) {
    const whole = /^(\d+) +(\d+\.\d+) fdatasync\(\d+\) += 0 <(\d+\.\d+)>/.exec(line);
    if (whole !== null) {
      const at = Number(whole[2]);
      syncs.push({ node, begunAt: at, endedAt: at + Number(whole[3]) });
      continue;
    }
    const [, begins, beginsAt] = /^(\d+) +(\d+\.\d+) fdatasync\(.*<unfinished/.exec(line) ?? [];
    if (begins !== undefined) begun.set(begins, Number(beginsAt));
    const [, ends, took] = /^(\d+) +\d+\.\d+ <\.\.\. fdatasync resumed>.*= 0 <(\d+\.\d+)>/.exec(line) ?? [];
    const at = begun.get(ends ?? "");
    if (at !== undefined) syncs.push({ node, begunAt: at, endedAt: at + Number(took) });
  }
  return syncs;
}

const appends = 40;

describe("e2e: what is acknowledged was synced", function () {
  this.timeout(40_000);
  let cluster: Cluster;
  after(() => cluster?.dispose());

  it("at one append in flight, two nodes finish an fdatasync between each append and its acknowledgement", async function () {
    const works = spawnSync("strace", ["-f", "-e", "trace=fdatasync", "true"]).status === 0;
    if (!works) skipLoudly(this, "strace is not installed here, or may not trace");
    cluster = await Cluster.create(3);
    const traces = new Map(cluster.nodes.map(({ id }) => [id, path.join(cluster.root, `${id}.strace`)]));
    await Promise.all(
      cluster.nodes.map((node) =>
        cluster.start(node, [
          "strace",
          "-f",
          "-ttt",
          "-T",
          "-e",
          "trace=fdatasync",
          "-o",
          traces.get(node.id) ?? "",
        ]),
      ),
    );
    const client = cluster.client();
    await client.append("first");
    const times: { begunAt: number; ackedAt: number }[] = [];
    for (let i = 0; i < appends; i++) {
      const begunAt = (performance.timeOrigin + performance.now()) / 1_000;
      await client.append(`entry ${i}`);
      times.push({ begunAt, ackedAt: (performance.timeOrigin + performance.now()) / 1_000 });
    }
    // strace itself would only let go at a signal: the nodes are stopped, and it ends with them.
    for (const { pid } of await cluster.statuses(client)) process.kill(pid, "SIGKILL");
    await Promise.all(
      cluster.nodes.map(({ child }) => new Promise((resolve) => child?.once("close", resolve))),
    );
    const syncs = [...traces].flatMap(([id, file]) => syncsOf(id, fs.readFileSync(file, "utf8")));
    expect(syncs.length).to.be.above(appends * 2);
    for (const [at, { begunAt, ackedAt }] of times.entries()) {
      // strace stamps whole microseconds, and the two clocks are read one after the other.
      const within = syncs.filter((sync) => sync.begunAt > begunAt - 1e-4 && sync.endedAt < ackedAt + 1e-4);
      expect(new Set(within.map(({ node }) => node)).size, `append ${at}`).to.be.at.least(2);
    }
  });
});
