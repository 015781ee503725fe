import * as path from "node:path";
import { fileURLToPath } from "node:url";
import type { Client, ServiceError } from "@grpc/grpc-js";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { expect } from "chai";
import { entryBodyBytesMax } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import type { LogClient } from "#prod/log-client";
import { projectRoot } from "../support/sources.ts";
import { Cluster, sleep } from "./support/cluster.ts";
import { run } from "./support/run.ts";

async function faultOf(promise: Promise<unknown>): Promise<LogError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LogError) return error;
  throw new Error(`no LogError: ${String(error)}`);
}

type Unary = (
  request: object,
  done: (error: ServiceError | null, value: Record<string, unknown>) => void,
) => void;

interface Duplex {
  write(value: object): void;
  end(): void;
  on(event: "data", listener: (value: Record<string, unknown>) => void): this;
  on(event: "end", listener: () => void): this;
  on(event: "error", listener: (error: ServiceError) => void): this;
}

interface LogStub extends Client {
  Append: Unary;
  Get: Unary;
  ReadIndex: Unary;
  Status: Unary;
  AppendStream: () => Duplex;
  Tail: (request: object) => Duplex;
}

function stubOf(address: string): LogStub {
  const file = fileURLToPath(new URL("../../src/prod/proto/quorumlog.proto", import.meta.url));
  const loaded = loadPackageDefinition(loadSync(file, { longs: Number, defaults: true })) as unknown as {
    readonly quorumlog: { readonly v1: { readonly Log: new (at: string, c: unknown) => LogStub } };
  };
  return new loaded.quorumlog.v1.Log(address, credentials.createInsecure());
}

const unary = (stub: LogStub, method: "Append" | "Get" | "ReadIndex" | "Status", request: object) =>
  new Promise<Record<string, unknown>>((resolve, reject) => {
    stub[method](request, (error, value) => (error === null ? resolve(value) : reject(error)));
  });

describe("e2e: the library and the service", function () {
  this.timeout(40_000);
  let cluster: Cluster;
  let client: LogClient;
  before(async () => {
    cluster = await Cluster.create(3);
    await cluster.startAll();
    client = cluster.client();
    await client.append("first");
  });
  after(() => cluster.dispose());

  it("runs the example", async () => {
    const example = path.join(projectRoot, "dist/examples/append-and-tail.js");
    const result = await run(process.execPath, [example], { env: { QUORUMLOG_PEERS: cluster.peers } });
    expect(result.code, result.stderr).to.equal(0);
    expect(result.stdout.toString()).to.match(/entry 0 is committed at index \d+ of term \d+/);
    expect(result.stdout.toString().match(/^\d+ entry \d$/gm)).to.have.length(10);
  });

  it("the example ends without a stack trace where its variable is garbage", async () => {
    const example = path.join(projectRoot, "dist/examples/append-and-tail.js");
    const { code, stderr } = await run(process.execPath, [example], { env: { QUORUMLOG_PEERS: "junk" } });
    expect(code).to.equal(1);
    expect(stderr).to.match(/^bad-configuration \(retry: never\): peers is "junk"; allowed: .*\n$/);
  });

  it("makes producers wait when its queue is full, in order, and refuses beyond all bounds", async () => {
    const bytes = new Uint8Array(64 * 1_024);
    const appends = Array.from({ length: 600 }, (_, at) => client.append(at === 0 ? "begin" : bytes));
    const indexes = (await Promise.all(appends)).map(({ index }) => index);
    expect(indexes).to.deep.equal(indexes.map((_, at) => (indexes[0] as number) + at));
    const error = await faultOf(client.append(new Uint8Array(entryBodyBytesMax + 1)));
    expect([error.code, error.retry]).to.deep.equal(["entry-too-large", "never"]);
    const none = await Promise.allSettled(Array.from({ length: 25_000 }, () => client.append("")));
    const refused = none.flatMap((one) => (one.status === "rejected" ? [one.reason as LogError] : []));
    expect(refused.length)
      .to.be.above(1_000)
      .and.below(none.length / 2);
    expect(new Set(refused.map(({ code, retry }) => `${code} ${retry}`))).to.deep.equal(
      new Set(["pending-full later"]),
    );
  });

  it("sends what was given, whatever becomes of the caller's buffer", async () => {
    const data = Buffer.from("as it was");
    const appended = client.append(data);
    data.fill(0);
    const entry = await client.get((await appended).index);
    expect(new TextDecoder().decode(entry.data)).to.equal("as it was");
  });

  it("ends calls at their deadline and at an abort, with codes that say what became of them", async () => {
    const early = AbortSignal.abort("why not");
    const cancelled = await faultOf(client.append("x", { signal: early }));
    expect([cancelled.code, cancelled.cause]).to.deep.equal(["cancelled", "why not"]);
    const abort = new AbortController();
    const tailed = faultOf(
      (async () => {
        for await (const _ of client.tail({ from: await client.readIndex(), signal: abort.signal }));
      })(),
    );
    setTimeout(() => abort.abort("enough"), 100);
    expect((await tailed).code).to.equal("cancelled");
    expect((await faultOf(client.get(1, { timeoutMs: 0 }))).code).to.equal("bad-configuration");
    const nobody = cluster.client();
    await nobody.close();
    expect((await faultOf(nobody.append("x"))).code).to.equal("cancelled");
  });

  it("keeps its deadlines and obeys an abort while no node answers, and says whether an append may be in the log", async () => {
    const leader = await cluster.leader(client);
    const { index } = await client.append("a session is open");
    for (const node of cluster.nodes) if (node !== leader) node.child?.kill("SIGSTOP");
    try {
      const begun = performance.now();
      const abort = new AbortController();
      const faults = Promise.all([
        faultOf(client.append("perhaps", { timeoutMs: 700 })),
        faultOf(client.append("perhaps too", { timeoutMs: 20_000, signal: abort.signal })),
        faultOf(client.readIndex({ timeoutMs: 700 })),
        // Whether an entry is there that the node has not seen committed, only a majority can tell.
        faultOf(client.get(index + 5, { timeoutMs: 700 })),
      ]);
      setTimeout(() => abort.abort("enough"), 500);
      const codes = (await faults).map(({ code }) => code);
      expect(codes).to.deep.equal(["outcome-unknown", "outcome-unknown", "timeout", "timeout"]);
      expect(performance.now() - begun).to.be.within(690, 2_500);
    } finally {
      for (const node of cluster.nodes) node.child?.kill("SIGCONT");
    }
    await client.append("again");
  });

  it("tails on through the death of the leader, each entry once and in order", async () => {
    const from = (await client.readIndex()) + 1;
    const seen: string[] = [];
    const count = 60;
    const reading = (async () => {
      for await (const { data } of client.tail({ from })) {
        seen.push(new TextDecoder().decode(data));
        if (seen.length === count) return;
      }
    })();
    for (let at = 0; at < count; at++) {
      await client.append(`entry ${at}`);
      if (at === count / 2) {
        const leader = await cluster.leader(client);
        await cluster.kill(leader, "SIGKILL");
        void sleep(300).then(() => cluster.start(leader));
      }
    }
    await reading;
    expect(seen).to.deep.equal(Array.from({ length: count }, (_, at) => `entry ${at}`));
    await cluster.convergedCrc(client);
  });

  it("serves the plain methods of the .proto file", async () => {
    const leader = await cluster.leader(client);
    const stub = stubOf(`127.0.0.1:${leader.port}`);
    const follower = cluster.nodes.find((node) => node !== leader);
    const other = stubOf(`127.0.0.1:${follower?.port}`);
    try {
      const { index, term } = await unary(stub, "Append", { data: Buffer.from("plain") });
      const found = await unary(other, "Get", { index });
      expect([found["term"], String(found["data"])]).to.deep.equal([term, "plain"]);
      expect((await unary(other, "ReadIndex", {}))["index"]).to.equal(index);
      const status = await unary(stub, "Status", { group: "default" });
      expect([status["role"], status["id"], status["pid"]]).to.deep.equal([
        "leader",
        leader.id,
        leader.child?.pid,
      ]);

      const answers = await streamed(stub.AppendStream(), [
        { data: [Buffer.from("a"), Buffer.from("b")] },
        { data: [Buffer.from("c")] },
      ]);
      const next = (index as number) + 1;
      expect(answers.map(({ indexes }) => indexes)).to.deep.equal([[next, next + 1], [next + 2]]);
      const batches = await streamed(other.Tail({ from: next, follow: false }), undefined);
      const entries = batches.flatMap(({ entries: some }) => some as { data: Buffer }[]);
      expect(entries.map(({ data }) => data.toString())).to.deep.equal(["a", "b", "c"]);

      const misplaced = await unary(other, "Append", { data: Buffer.from("x") }).catch(
        (error: ServiceError) => error,
      );
      const { metadata } = misplaced as ServiceError;
      expect(metadata.get("quorumlog-code")).to.deep.equal(["not-leader"]);
      expect(metadata.get("quorumlog-leader")).to.deep.equal([`${leader.id}-127.0.0.1:${leader.port}`]);
      const large = await unary(stub, "Append", { data: Buffer.alloc(entryBodyBytesMax + 1) }).catch(
        (error: ServiceError) => error,
      );
      expect((large as ServiceError).metadata.get("quorumlog-code")).to.deep.equal(["entry-too-large"]);
      const unknown = await unary(stub, "Status", { group: "none" }).catch(
        (error: ServiceError) => error.code,
      );
      expect(unknown).to.equal(5);
    } finally {
      stub.close();
      other.close();
    }
  });
});

/** Writes the requests, if any, and gathers the answers until the other side ends. */
function streamed(
  stream: Duplex,
  requests: readonly object[] | undefined,
): Promise<Record<string, unknown>[]> {
  return new Promise((resolve, reject) => {
    const answers: Record<string, unknown>[] = [];
    stream.on("data", (value) => answers.push(value));
    stream.on("error", reject);
    stream.on("end", () => resolve(answers));
    for (const request of requests ?? []) stream.write(request);
    if (requests !== undefined) stream.end();
  });
}
