import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { expect } from "chai";
import { Cluster, eventually, sleep } from "./support/cluster.ts";
import { Load } from "./support/load.ts";
import { rudeFrames, sayRudely, services } from "./support/rude-frames.ts";
import { callRudely, methods, rudeMessages } from "./support/rude-grpc.ts";

/** Bytes of no protocol, the same in each run. */
function garbage(bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  let state = 12_345;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    out[at] = state >>> 24;
  }
  return out;
}

function throwAt(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("data", () => undefined);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve());
    setTimeout(() => socket.destroy(), 200);
  });
}

describe("e2e: bad input", function () {
  this.timeout(60_000);
  let cluster: Cluster;
  const load = new Load();

  before(async () => {
    // Small segments, so that the damaged one is not the one being written.
    cluster = await Cluster.create(3, [
      "--segment-bytes",
      "1048576",
      "--reserve-bytes",
      "524288",
      "--uncommitted-bytes-max",
      "262144",
    ]);
    await cluster.startAll();
    load.append(cluster.client(), 4, 4_096);
    await eventually("a few segments", async () => (load.history.acked > 900 ? true : undefined), 20_000);
  });
  after(() => cluster.dispose());

  /** A node that must not start: what it says, and its exit code. */
  const refusalOf = async (node: Cluster["nodes"][number]): Promise<string> => {
    const error = await cluster.start(node).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    if (error === undefined) throw new Error(`${node.id} started`);
    return error.message;
  };

  it("garbage and half frames on every port break nothing", async () => {
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
    const before = load.history.acked;
    for (const { port, httpPort } of cluster.nodes) {
      for (const at of [port, httpPort]) {
        await Promise.all([
          throwAt(at, garbage(10_000)),
          throwAt(at, preface.subarray(0, 10)),
          throwAt(at, Buffer.concat([preface, garbage(10_000)])),
          throwAt(at, Buffer.from("GET /metrics HTTP/1.1\r\nHost: x")),
        ]);
      }
    }
    await eventually("more appends", async () => (load.history.acked > before + 20 ? true : undefined));
    for (const { httpPort } of cluster.nodes) {
      expect(await (await fetch(`http://127.0.0.1:${httpPort}/ping`)).text()).to.equal("pong");
    }
    const text = await (await fetch(`http://127.0.0.1:${cluster.nodes[0]?.httpPort}/metrics`)).text();
    expect(text).to.match(/quorumlog_connections_refused_total\{reason="garbage"\} [1-9]/);
  });

  it("garbage behind greetings and inside gRPC calls breaks nothing either", async () => {
    const before = load.history.acked;
    const pids = cluster.nodes.map(({ child }) => child?.pid);
    for (const { port } of cluster.nodes) {
      for (const [, bytes] of rudeFrames(garbage(2_000)))
        await Promise.all(services.map((service) => sayRudely(port, service, bytes)));
      for (const [, bytes] of rudeMessages(garbage(2_000)))
        await Promise.all(methods.map((method) => callRudely(port, method, bytes)));
    }
    await eventually("more appends", async () => (load.history.acked > before + 20 ? true : undefined));
    const statuses = await cluster.statuses(cluster.client());
    expect(statuses.map(({ pid }) => pid)).to.have.members(pids);
  });

  it("a second process on one directory is refused, by the first one's pid", async () => {
    const [first, second] = cluster.nodes as [Cluster["nodes"][number], Cluster["nodes"][number]];
    const [port = 0, httpPort = 0] = [first.port, first.httpPort].map((used) =>
      used < 50_000 ? used + 7_000 : used - 7_000,
    );
    const peers = `n0-127.0.0.1:${port};n1-127.0.0.1:${second.port};${cluster.peers.split(";")[2]}`;
    const twin = { ...first, port, httpPort, child: undefined, log: path.join(cluster.root, "twin.log") };
    const original = cluster.command.bind(cluster);
    Object.assign(cluster, { command: () => original(twin, ["--peers", peers]) });
    try {
      const told = await refusalOf(twin);
      expect(told).to.contain("ended with 69").and.to.contain("directory-in-use");
      expect(told).to.contain(`in use by process ${first.child?.pid}`);
    } finally {
      Object.assign(cluster, { command: original });
    }
  });

  it("a directory of another node or group is refused by name", async () => {
    const node = cluster.node("n2");
    await cluster.kill(node, "SIGTERM");
    const aside = `${node.data}.aside`;
    fs.renameSync(node.data, aside);
    const other = cluster.node("n1");
    await cluster.kill(other, "SIGTERM");
    fs.cpSync(other.data, node.data, { recursive: true });
    expect(await refusalOf(node))
      .to.contain("ended with 78")
      .and.to.contain("n1");
    fs.rmSync(node.data, { recursive: true });
    fs.renameSync(aside, node.data);
    const original = cluster.command.bind(cluster);
    Object.assign(cluster, { command: (which: typeof node) => original(which, ["--group", "another"]) });
    expect(await refusalOf(node))
      .to.contain("ended with 78")
      .and.to.contain("another");
    Object.assign(cluster, { command: original });
    await Promise.all([cluster.start(node), cluster.start(other)]);
    await cluster.leader(cluster.client());
  });

  it("an empty directory in an old group runs as `wiped`, says so, and takes entries without a vote", async () => {
    const client = cluster.client();
    const node = cluster.nodes.find(
      (one) => one.child !== undefined && one.id !== "n0",
    ) as Cluster["nodes"][number];
    await cluster.kill(node, "SIGKILL");
    const aside = `${node.data}.aside`;
    fs.renameSync(node.data, aside);
    await cluster.start(node);
    const ready = async (): Promise<Response> => fetch(`http://127.0.0.1:${node.httpPort}/readyz`);
    await sleep(500);
    const answer = await ready();
    expect(answer.status).to.equal(503);
    expect(await answer.text()).to.contain("wiped");
    expect((await client.status(node.id)).standing).to.equal("wiped");
    expect(fs.readFileSync(node.log, "utf8")).to.contain("wiped");
    const before = load.history.acked;
    await eventually("two of three voters going on", async () =>
      load.history.acked > before + 20 ? true : undefined,
    );
    await cluster.kill(node, "SIGTERM");
    fs.rmSync(node.data, { recursive: true });
    fs.renameSync(aside, node.data);
    await cluster.start(node);
    await eventually("the node ready again", async () => ((await ready()).status === 200 ? true : undefined));
  });

  it("a directory of another cluster keeps its node out, and the node says why", async () => {
    const other = await Cluster.create(3);
    const node = cluster.node("n2");
    const aside = `${node.data}.aside`;
    try {
      await other.startAll();
      await other.client().append("an entry of the other cluster");
      await Promise.all(other.nodes.map((one) => other.kill(one, "SIGTERM")));
      await cluster.kill(node, "SIGTERM");
      fs.renameSync(node.data, aside);
      fs.cpSync(other.node("n2").data, node.data, { recursive: true });
      await cluster.start(node);
      const told = await eventually("the node out", async () => {
        const answer = await fetch(`http://127.0.0.1:${node.httpPort}/readyz`);
        const text = await answer.text();
        return answer.status === 503 && /cluster/.test(text) ? text : undefined;
      });
      expect(told).to.match(
        /group default on n2 belongs to cluster [0-9a-f]{32}, on n[01] to [0-9a-f]{32}|on n[01] belongs/,
      );
      expect(fs.readFileSync(node.log, "utf8")).to.match(/cluster/);
    } finally {
      await cluster.kill(node, "SIGKILL");
      fs.rmSync(node.data, { recursive: true, force: true });
      fs.renameSync(aside, node.data);
      await cluster.start(node);
      await other.dispose();
    }
  });

  it("a damaged segment is mended from a peer, and nothing acknowledged is lost", async () => {
    const client = cluster.client();
    const node = cluster.node("n1");
    await cluster.kill(node, "SIGTERM");
    const group = path.join(node.data, "g0");
    const segments = fs
      .readdirSync(group)
      .map((name) => path.join(group, name))
      .filter((file) => fs.statSync(file).size >= 1_048_576)
      .sort();
    expect(segments.length, "segments").to.be.above(2);
    const file = segments[0] as string;
    const bytes = fs.readFileSync(file);
    for (const at of [0.3, 0.5, 0.7]) {
      const place = Math.floor(bytes.length * at);
      bytes[place] = (bytes[place] as number) ^ 0x40;
    }
    fs.writeFileSync(file, bytes);
    await cluster.start(node);
    await eventually(
      "the node mended and ready",
      async () => {
        const answer = await fetch(`http://127.0.0.1:${node.httpPort}/readyz`);
        return answer.status === 200 ? true : undefined;
      },
      15_000,
    );
    expect(fs.readFileSync(node.log, "utf8")).to.match(/records \d+ to \d+: mended/);
    await load.stop();
    await cluster.convergedCrc(client);
    await load.check(client);
    expect(load.history.acked).to.be.above(900);
  });
});
