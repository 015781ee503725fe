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

/** What makes bytes durable: a sync, or a write to a file that was opened so that each write is. */
const calls = "openat,close,fdatasync,pwrite64,pwritev,pwritev2,writev";

/** Calls of one node that made something durable, in seconds since the epoch, from `strace -f -ttt -T`. */
function syncsOf(node: string, trace: string): Sync[] {
  const syncs: Sync[] = [];
  const begun = new Map<string, { readonly at: number; readonly call: string }>();
  const durable = new Set<string>();
  const ended = (call: string, at: number, result: string, took: number): void => {
    const [, name = "", first = ""] = /^(\w+)\((\d*)/.exec(call) ?? [];
    if (name === "openat" && /O_DSYNC/.test(call)) durable.add(result);
    if (name === "close") durable.delete(first);
    if (Number(result) < 0 || (name !== "fdatasync" && !durable.has(first))) return;
    if (name !== "openat" && name !== "close") syncs.push({ node, begunAt: at, endedAt: at + took });
  };
  for (const line of trace.split("\n")) {
    const [, pid = "", time, rest = ""] = /^(\d+) +(\d+\.\d+) (.*)$/.exec(line) ?? [];
    const at = Number(time);
    const [, result = "", took] = /= (-?\d+)[^<]*<(\d+\.\d+)>$/.exec(rest) ?? [];
    if (rest.includes("<unfinished")) begun.set(pid, { at, call: rest });
    else if (took === undefined) continue;
    else if (rest.startsWith("<...")) {
      const call = begun.get(pid);
      if (call !== undefined) ended(call.call, call.at, result, Number(took));
    } else ended(rest, at, result, Number(took));
  }
  return syncs;
}

const appends = 40;

describe("e2e: what is acknowledged was synced", function () {
  this.timeout(40_000);
  let cluster: Cluster;
  after(() => cluster?.dispose());

  it("at one append in flight, two nodes finish a sync between each append and its acknowledgement", async function () {
    const works = spawnSync("strace", ["-f", "-e", `trace=${calls}`, "true"]).status === 0;
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
          `trace=${calls}`,
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
