import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import { entryBodyBytesMax } from "#core/base/entry";
import { Cluster, program, sleep } from "./support/cluster.ts";
import type { Run } from "./support/run.ts";
import { jsonOf, quorumlog } from "./support/run.ts";

interface Status {
  readonly group: string;
  readonly leader: string;
  readonly nodes: readonly Record<string, unknown>[];
}

describe("e2e: quorumlog log", function () {
  this.timeout(40_000);
  let cluster: Cluster;
  const log = (args: readonly string[], input?: string | Uint8Array): Promise<Run> =>
    quorumlog(["log", ...args], {
      env: { QUORUMLOG_PEERS: cluster.peers },
      ...(input === undefined ? {} : { input }),
    });

  before(async () => {
    cluster = await Cluster.create(3);
    await cluster.startAll();
    await cluster.leader(cluster.client());
  });
  after(() => cluster.dispose());

  it("appends text, files and standard input, and reads them back", async () => {
    const binary = randomBytes(1_000);
    binary[0] = 0xff;
    const file = path.join(cluster.root, "entry");
    fs.writeFileSync(file, binary);
    const first = jsonOf<{ index: number; term: number }>(await log(["append", "--data", "grüße", "--json"]));
    const second = jsonOf<{ index: number }>(await log(["append", "--file", file, "--json"]));
    const third = jsonOf<{ index: number }>(await log(["append", "-", "--json"], "from a pipe"));
    expect(Object.keys(first)).to.deep.equal(["index", "term"]);
    expect([second.index, third.index]).to.deep.equal([first.index + 1, first.index + 2]);

    const raw = await log(["get", "--index", String(second.index)]);
    expect(raw.stdout.equals(binary)).to.equal(true);
    expect(jsonOf(await log(["get", "--index", String(first.index), "--json"]))).to.deep.equal({
      ...first,
      data: "grüße",
    });
    const tail = await log(["tail", "--from", String(first.index), "--json"]);
    const lines = tail.stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ data }) => data)).to.deep.equal(["grüße", binary.toString("base64"), "from a pipe"]);
    expect(lines.map(({ encoding }) => encoding)).to.deep.equal([undefined, "base64", undefined]);
  });

  it("takes an entry of exactly the limit on every path, and refuses one byte more", async () => {
    const whole = randomBytes(entryBodyBytesMax);
    const { index } = jsonOf<{ index: number }>(await log(["append", "-", "--json"], whole));
    expect((await log(["get", "--index", String(index)])).stdout.equals(whole)).to.equal(true);
    const refused = await log(["append", "-"], Buffer.concat([whole, Buffer.from("x")]));
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.contain("entry-too-large").and.to.contain(String(entryBodyBytesMax));
  });

  it("shows how each node sees itself, and moves leadership", async () => {
    const before = jsonOf<Status>(await log(["status", "--json"]));
    expect(before.group).to.equal("default");
    const keys = [
      "id",
      "role",
      "term",
      "commitIndex",
      "lastIndex",
      "chainCrc",
      "lag",
      "readOnly",
      "intake",
      "pid",
    ];
    for (const node of before.nodes) expect(Object.keys(node)).to.deep.equal(keys);
    expect(before.nodes.map(({ id }) => id)).to.deep.equal(["n0", "n1", "n2"]);
    expect(before.nodes.find(({ role }) => role === "leader")?.["id"]).to.equal(before.leader);
    expect(before.nodes.map(({ pid }) => pid)).to.deep.equal(cluster.nodes.map(({ child }) => child?.pid));

    const next = before.leader === "n1" ? "n2" : "n1";
    const moved = await log(["transfer", "--to", next]);
    expect(moved.code, moved.stderr).to.equal(0);
    expect(jsonOf<Status>(await log(["status", "--json"])).leader).to.equal(next);
    expect((await log(["status"])).stdout.toString()).to.match(/^group default, leader n\d\nnode +role/);
  });

  it("has an exit code for each way to fail, and says what to do", async () => {
    const cases: readonly [code: number, args: readonly string[], told: RegExp][] = [
      [64, ["apend"], /did you mean append\?/i],
      [64, ["append"], /exactly one of --data TEXT, --file PATH and -/],
      [64, ["append", "--data", "x", "-"], /exactly one/],
      [64, ["get"], /--index/],
      [64, ["get", "--index", "-1"], /whole number from 0/],
      [64, ["tail", "--form", "1"], /did you mean --from\?/i],
      [64, ["append", "--data", "x", "--timeout", "soon"], /500ms, 10s or 2m/],
      [64, ["append", "--data", "x", "--peers", "nobody"], /id-host:port/],
      [
        66,
        ["append", "--file", "/none"],
        /cannot read the entry\n +\/none: there is no such file\n +Nothing was app/,
      ],
      [66, ["append", "--file", "/"], /it is a directory/],
      [1, ["get", "--index", "99999"], /index-out-of-range[\s\S]*may come to have it.*--from 99999 --follow/],
      [64, ["append", "--data", "\ufffd"], /bytes that are no UTF-8.*give bytes with - or --file/],
      [1, ["get", "--index", "0"], /internal-entry/],
      [1, ["append", "--data", "x", "--group", "other"], /unknown-group/],
      [1, ["transfer", "--to", "n9"], /unknown-node[\s\S]*Did you mean n\d\? There are: n0, n1, n2\./],
      [75, ["status", "--timeout", "1ms"], /none of n0, n1, n2 answered within 1ms[\s\S]*--timeout/],
      [69, ["append", "--data", "x", "--peers", "n0-127.0.0.1:1", "--timeout", "2s"], /can be reached/],
      [69, ["tail", "--peers", "n0-127.0.0.1:1", "--timeout", "2s"], /can be reached/],
      [69, ["tail", "--follow", "--peers", "n0-127.0.0.1:1", "--timeout", "2s"], /can be reached/],
      [69, ["status", "--peers", "n0-127.0.0.1:1", "--timeout", "2s"], /can be reached/],
      [69, ["transfer", "--to", "n0", "--peers", "n0-127.0.0.1:1", "--timeout", "2s"], /can be reached/],
      [
        69,
        ["readonly", "--node", "n1", "on", "--peers", "n0-127.0.0.1:1;n1-127.0.0.1:2", "--timeout", "2s"],
        /Node n1 cannot be reached/,
      ],
      [0, ["--help"], /^$/],
    ];
    await Promise.all(
      cases.map(async ([code, args, told]) => {
        const result = await log(args);
        expect(result.code, `${args.join(" ")}: ${result.stderr}`).to.equal(code);
        expect(result.stderr, args.join(" ")).to.match(told);
        expect(result.stderr).to.not.match(/\n\s+at .*\.js:\d/);
        if (code !== 0) expect(result.stdout.toString()).to.equal("");
      }),
    );
  });

  it("tells a fault as JSON too, on the last line of standard error, when asked", async () => {
    const told = async (...args: readonly string[]): Promise<unknown> => {
      const { stderr } = await log([...args, "--json"]);
      return (JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "") as { readonly error: unknown }).error;
    };
    expect(await told("get", "--index", "99999")).to.include({ code: "index-out-of-range", retry: "never" });
    expect(await told("append", "--file", "/none")).to.deep.equal({
      code: "unreadable-input",
      retry: "never",
      message: "/none: there is no such file",
    });
    const nobody = ["--peers", "n0-127.0.0.1:1", "--timeout", "1s"];
    expect(await told("append", "--data", "x", ...nobody)).to.include({ code: "timeout", retry: "later" });
    expect((await log(["get", "--index", "99999"])).stderr).to.not.contain("{");
  });

  it("an append that still reads its input ends at the first signal, with the documented code", async () => {
    const started = (...input: readonly string[]) => {
      const args = [program, "log", "append", ...input, "--peers", cluster.peers];
      const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "ignore"] });
      child.stdin.on("error", () => undefined);
      const ended = new Promise<unknown>((resolve) => child.once("exit", (...how) => resolve(how)));
      return { child, ended };
    };
    const piped = started("-");
    // More than a pipe holds: once it has left, the command reads.
    await new Promise((resolve) => piped.child.stdin.write(Buffer.alloc(1_000_000), resolve));
    piped.child.kill("SIGINT");
    expect(await piped.ended).to.deep.equal([130, null]);

    const fifo = path.join(cluster.root, "fifo");
    expect(spawnSync("mkfifo", [fifo]).status).to.equal(0);
    const named = started("--file", fifo);
    // Opens once the command has opened the other end.
    const writer = await fs.promises.open(fifo, "w");
    named.child.kill("SIGTERM");
    // By the signal itself, which a shell shows as 143.
    expect(await named.ended).to.deep.equal([null, "SIGTERM"]);
    await writer.close();
  });

  it("an append that loses its quorum ends with 75 and says that the outcome is unknown", async () => {
    const leader = await cluster.leader(cluster.client());
    const only = `${leader.id}-127.0.0.1:${leader.port}`;
    const args = [program, "log", "append", "-", "--timeout", "3s", "--peers", only];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
    let told = "";
    child.stderr.on("data", (bytes: Buffer) => {
      told += bytes.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    // The command waits for its input; when that comes, the leader still leads and nobody answers it any more.
    await sleep(1_500);
    for (const node of cluster.nodes) if (node !== leader) node.child?.kill("SIGSTOP");
    child.stdin.end("perhaps");
    const code = await ended;
    for (const node of cluster.nodes) node.child?.kill("SIGCONT");
    expect(code, told).to.equal(75);
    expect(told).to.contain("outcome-unknown");
    expect(told).to.match(/The outcome is unknown: the entry may be in the log/);
  });
});
