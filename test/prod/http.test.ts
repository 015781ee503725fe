import * as https from "node:https";
import * as net from "node:net";
import { expect } from "chai";
import { groupId, nodeId } from "#core/base/brand";
import { LogError } from "#core/base/errors";
import type { TraceEvent } from "#core/io/trace";
import { HttpServer } from "#prod/http";
import { Metrics } from "#prod/metrics";
import { freePort } from "../support/free-port.ts";
import { metricsOfManual, metricsOfPage } from "../support/metrics-manual.ts";
import { Authority } from "./support/authority.ts";

const at = { node: nodeId("n0"), group: groupId("g") };

const gauges = {
  group: "g",
  role: "leader",
  standing: "member",
  term: 3,
  leader: "n0",
  commitIndex: 7,
  lastIndex: 9,
  appliedIndex: 6,
  pendingAppends: 2,
  pendingReads: 3,
  waitingTails: 4,
  uncommittedBytes: 500,
  sessions: 1,
};

/** One event of each kind that a metric counts. */
const events: readonly TraceEvent[] = [
  { kind: "role", ...at, term: 1, role: "candidate", leader: "", lastIndex: 0, reason: "timeout" },
  { kind: "vote", ...at, term: 1, candidate: at.node },
  { kind: "truncate", ...at, from: 4 },
  { kind: "duplicate", ...at, session: 1, sequence: 1, index: 3 },
  { kind: "read", ...at, term: 1, index: 3 },
  { kind: "refuse", ...at, code: "pending-full", peer: "" },
  { kind: "disk", ...at, code: "io", operation: "sync" },
  { kind: "damage", ...at, from: 3, to: 5, change: "found" },
  { kind: "peer", ...at, peer: nodeId("n1"), change: "connected", reason: "" },
  { kind: "client", ...at, name: "c", change: "unread", reason: "" },
  { kind: "transfer", ...at, term: 1, to: nodeId("n1"), change: "begun" },
  { kind: "session", ...at, session: 1, change: "opened" },
  { kind: "sync", ...at, index: 3 },
];

describe("health and metrics over HTTP", () => {
  let metrics: Metrics;
  let server: HttpServer;
  let port: number;
  let reasons: readonly string[] = [];

  before(async () => {
    metrics = new Metrics(
      "1.2.3",
      () => [gauges],
      () => 6,
    );
    for (const event of events) metrics.emit(event);
    metrics.turnedAway.add("garbage", 2);
    metrics.disk.synced(0.002);
    metrics.disk.synced(9);
    server = new HttpServer({ notReady: () => reasons, metrics: () => metrics.registry.metrics() });
    port = await freePort();
    await server.listen({ host: "127.0.0.1", port });
  });
  after(() => {
    server.close();
    metrics.close();
  });

  const get = (page: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${page}`, { ...init, headers: { connection: "close" } });

  it("answers /ping with pong and /healthz while the process lives", async () => {
    expect(await (await get("/ping")).text()).to.equal("pong");
    expect((await get("/healthz")).status).to.equal(200);
  });

  it("answers /readyz with 503 and every reason until there is none", async () => {
    reasons = ["group g is wiped: an empty directory", "group h has no leader"];
    const unready = await get("/readyz");
    expect(unready.status).to.equal(503);
    expect(await unready.json()).to.deep.equal({ ready: false, reasons });
    reasons = [];
    const ready = await get("/readyz");
    expect(ready.status).to.equal(200);
    expect(await ready.json()).to.deep.equal({ ready: true, reasons: [] });
  });

  it("counts what the trace told", async () => {
    const text = await (await get("/metrics")).text();
    for (const line of [
      'quorumlog_role{group="g",role="leader"} 1',
      'quorumlog_commit_index{group="g"} 7',
      'quorumlog_role_changes_total{group="g",role="candidate"} 1',
      'quorumlog_refusals_total{group="g",code="pending-full"} 1',
      'quorumlog_damaged_records_total{group="g",change="found"} 3',
      'quorumlog_connections_refused_total{reason="garbage"} 2',
      'quorumlog_disk_sync_seconds_bucket{le="0.0025"} 1',
      'quorumlog_disk_sync_seconds_bucket{le="2.5"} 1',
      'quorumlog_disk_sync_seconds_bucket{le="+Inf"} 2',
      "quorumlog_disk_sync_seconds_count 2",
    ])
      expect(text.split("\n"), line).to.include(line);
  });

  it("serves exactly the metrics that the manual describes, with their types and labels", async () => {
    const text = await (await get("/metrics")).text();
    expect(metricsOfPage(text)).to.deep.equal(metricsOfManual());
  });

  it("refuses other methods, pages, long URIs and long headers", async () => {
    const posted = await get("/ping", { method: "POST", body: "x" });
    expect(posted.status).to.equal(405);
    expect(posted.headers.get("allow")).to.equal("GET, HEAD");
    expect((await get("/admin")).status).to.equal(404);
    expect((await get(`/ping?${"x".repeat(2_000)}`)).status).to.equal(414);
    expect((await get("/ping", { method: "HEAD" })).status).to.equal(200);
    const long = await fetch(`http://127.0.0.1:${port}/ping`, { headers: { x: "y".repeat(20_000) } });
    expect(long.status).to.be.oneOf([400, 431]);
  });

  it("survives garbage and half a request", async () => {
    for (const bytes of ["\0\x01\x02garbage\r\n\r\n", "GET /pi"]) {
      await new Promise<void>((resolve) => {
        const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
        socket.once("data", () => socket.destroy());
        socket.on("error", () => undefined);
        socket.once("close", () => resolve());
        setTimeout(() => socket.destroy(), 100);
      });
    }
    expect(await (await get("/ping")).text()).to.equal("pong");
  });

  it("names the port that another process listens on", async () => {
    const second = new HttpServer({ notReady: () => [], metrics: async () => "" });
    const error = await second.listen({ host: "127.0.0.1", port }).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(LogError);
    expect(String(error)).to.contain(`127.0.0.1:${port}: another process listens there`);
  });

  it("is HTTPS with a certificate, for whoever trusts its authority", async () => {
    const authority = new Authority();
    const pages = { notReady: () => [], metrics: async () => "" };
    const secure = new HttpServer(pages, authority.material(authority.node("n1")));
    const port = await freePort();
    await secure.listen({ host: "127.0.0.1", port });
    const ping = (ca?: string): Promise<string> =>
      new Promise((resolve) => {
        const request = https.get({ host: "127.0.0.1", port, path: "/ping", ca, agent: false }, (answer) => {
          let text = "";
          answer.on("data", (bytes: Buffer) => {
            text += bytes.toString();
          });
          answer.on("end", () => resolve(text));
        });
        request.on("error", (error) => resolve(error.message));
      });
    expect(await ping(authority.certificate)).to.equal("pong");
    expect(await ping()).to.match(/certificate/);
    const plain = await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined);
    expect(plain?.status).to.not.equal(200);
    secure.close();
  });
});
