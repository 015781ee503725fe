import type * as http2 from "node:http2";
import { expect } from "chai";
import { Authority } from "./support/authority.ts";
import { OneNode } from "./support/one-node.ts";
import { appendOf, connected, framed, getOf, RawCall, tailOf } from "./support/raw-calls.ts";
import { Port } from "./support/tls-port.ts";

const mebibyte = 1_024 * 1_024;
const permissionDenied = "7";
const unimplemented = "12";
/** HTTP/2's own code, which gRPC calls `RESOURCE_EXHAUSTED`. */
const enhanceYourCalm = 11;

async function until(what: string, holds: () => boolean): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > limit) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A whole call of one message. */
async function whole(
  session: http2.ClientHttp2Session,
  method: string,
  message: Uint8Array,
  headers: http2.OutgoingHttpHeaders = {},
): Promise<RawCall> {
  const call = new RawCall(session, method, headers);
  call.stream.end(message);
  await call.closed;
  return call;
}

describe("gRPC on a node's port", function () {
  this.timeout(30_000);
  let node: OneNode;
  before(async () => {
    node = await OneNode.start({ connectionsMax: "9" });
  });
  after(() => node.stop());

  /** Calls that others make meanwhile: what a node does in its own time has happened by their end. */
  const meanwhile = async (): Promise<void> => {
    const session = await connected(node.port);
    for (let n = 0; n < 50; n++)
      expect((await whole(session, "ReadIndex", framed(new Uint8Array()))).status).to.equal("0");
    session.destroy();
  };

  describe("of what is still coming in", () => {
    /** Calls until one of them is refused; each is sent `bytes`, and stands still. */
    const standing = async (method: string, bytes: Uint8Array): Promise<number> => {
      const session = await connected(node.port);
      const calls: RawCall[] = [];
      const refused = (): RawCall | undefined =>
        calls.find(({ stream }) => stream.rstCode !== 0 && stream.closed);
      while (refused() === undefined && calls.length < 40) {
        const call = new RawCall(session, method);
        calls.push(call);
        await call.write(bytes);
        // The refusal of what the other end had no room for may be on its way.
        if (calls.length * bytes.length > 47 * mebibyte) await meanwhile();
      }
      expect(refused()?.stream.rstCode).to.equal(enhanceYourCalm);
      session.destroy();
      return calls.length * bytes.length;
    };

    for (const [what, method, bytes] of [
      [
        "messages that stop before their end",
        "Append",
        framed(new Uint8Array(4 * mebibyte - 1), 4 * mebibyte),
      ],
      ["messages whose call is not ended", "Append", appendOf(new Uint8Array(4 * mebibyte))],
      ["half a batch of a stream", "AppendStream", framed(new Uint8Array(4 * mebibyte - 1), 4 * mebibyte)],
    ] as const)
      it(`keeps 48 MiB for all calls together: ${what}`, async () => {
        expect(await standing(method, bytes)).to.be.within(48 * mebibyte, 57 * mebibyte);
        // What was kept for the connection that is gone is there again.
        expect(await standing(method, bytes)).to.be.within(48 * mebibyte, 57 * mebibyte);
        const session = await connected(node.port);
        const { status } = await whole(session, "Append", appendOf(new Uint8Array(2 * mebibyte)));
        expect(status).to.equal("0");
        session.destroy();
      });

    it("takes no compressed messages, which could become large", async () => {
      const session = await connected(node.port);
      const { status, headers } = await whole(session, "Append", appendOf(Buffer.from("x")), {
        "grpc-encoding": "gzip",
      });
      expect([status, headers["grpc-accept-encoding"]]).to.deep.equal([unimplemented, "identity"]);
      session.destroy();
    });
  });

  it("refuses who shows no certificate at the headers, and ends the connection", async () => {
    const authority = new Authority();
    const port = await Port.open(authority.material(authority.node("n1")));
    const session = await connected(Number(port.address.split(":")[1]), { ca: authority.certificate });
    const gone = new Promise<void>((resolve) => session.once("close", () => resolve()));
    const call = new RawCall(session, "Append");
    // It neither ends its message nor its call.
    await call.write(framed(new Uint8Array(1_000), 4 * mebibyte));
    await call.closed;
    expect([call.status, call.headers["quorumlog-code"]]).to.deep.equal([permissionDenied, "not-authorised"]);
    expect(call.headers["grpc-message"]).to.match(/a%20client%20shows%20its%20certificate%20here/);
    await gone;
    expect(port.told).to.have.length(1);
    port.close();
  });

  it("tells at the headers which role a client lacks, and goes on with its other calls", async () => {
    const authority = new Authority();
    const port = await Port.open(authority.material(authority.node("n1")));
    const { certificate: cert, key } = authority.client("read");
    const session = await connected(Number(port.address.split(":")[1]), {
      ca: authority.certificate,
      cert,
      key,
    });
    const call = new RawCall(session, "Append");
    await call.write(framed(new Uint8Array(1_000), 4 * mebibyte));
    await call.closed;
    expect(call.status).to.equal(permissionDenied);
    // The port of this test has no such method.
    expect((await whole(session, "Get", getOf(0))).status).to.equal(unimplemented);
    session.destroy();
    port.close();
  });

  it("fetches no more for readers that take nothing, and all of it once they do", async () => {
    const setup = await connected(node.port);
    expect((await whole(setup, "Append", appendOf(new Uint8Array(4 * mebibyte)))).status).to.equal("0");
    const index = node.status.lastIndex;
    setup.destroy();
    const session = await connected(node.port, { windowBytes: 0 });
    const calls = Array.from({ length: 60 }, () => new RawCall(session, "Get"));
    for (const { stream } of calls) stream.end(getOf(index));
    const tails = Array.from({ length: 20 }, () => new RawCall(session, "Tail"));
    for (const { stream } of tails) stream.end(tailOf(index, false));
    const answered = (): number => [...calls, ...tails].filter((call) => call.answered).length;
    await until("a first answer", () => answered() > 0);
    await meanwhile();
    // 4 MiB fill the connection; four more may have been under way.
    expect(answered()).to.be.within(1, 5);
    session.setLocalWindowSize(64 * mebibyte);
    session.settings({ initialWindowSize: 8 * mebibyte });
    await Promise.all([...calls, ...tails].map(({ closed }) => closed));
    expect(new Set([...calls, ...tails].map(({ status }) => status))).to.deep.equal(new Set(["0"]));
    expect(calls.every(({ bytes }) => bytes > 4 * mebibyte)).to.equal(true);
    session.destroy();
  });

  it("leaves no tail waiting whose deadline was over before it was whole", async () => {
    const session = await connected(node.port);
    for (let n = 0; n < 20; n++) {
      const call = new RawCall(session, "Tail", { "grpc-timeout": "1m" });
      await call.write(tailOf(node.status.lastIndex + 100, true));
      await until("the deadline", () => call.status === "4");
      call.stream.end();
      await call.closed;
    }
    await meanwhile();
    expect(node.status.waitingTails).to.equal(0);
    session.destroy();
  });

  it("refuses a batch of more entries than a frame may have before it makes them", async () => {
    const session = await connected(node.port);
    // Two bytes are an empty entry.
    const entries = Buffer.from([0x12, 0]);
    const batches = [1_025, 65_537].map((count) => framed(Buffer.alloc(2 * count, entries)));
    const faults: unknown[] = [];
    for (const batch of [...batches, framed(Buffer.from([0x12, 9]))]) {
      const { headers } = await whole(session, "AppendStream", batch);
      faults.push([headers["quorumlog-code"], headers["grpc-message"]]);
    }
    expect(faults).to.deep.equal([
      ["batch-too-large", "1025%20entries,%20where%201024%20are%20allowed"],
      ["batch-too-large", "more%20than%2065536%20entries%20in%20one%20message"],
      ["malformed-frame", "the%20message%20is%20not%20what%20the%20.proto%20file%20says"],
    ]);
    session.destroy();
  });

  it("appends nothing behind a batch that failed", async () => {
    const session = await connected(node.port);
    const before = node.status.lastIndex;
    const unknown = framed(Buffer.from([0x0a, 1, 0x78, 0x12, 1, 0x79]));
    const batch = appendOf(Buffer.from("z"));
    const { status } = await whole(session, "AppendStream", Buffer.concat([batch, unknown, batch, batch]));
    expect(status).to.equal("5");
    await meanwhile();
    expect(node.status.lastIndex).to.equal(before + 1);
    session.destroy();
  });

  it("does not answer a name that is as long as a message with all of it", async () => {
    const session = await connected(node.port);
    const name = Buffer.alloc(4 * mebibyte, "g");
    const length = Buffer.from([0x0a, 0x80, 0x80, 0x80, 0x02]);
    const { status, headers } = await whole(session, "Status", framed(Buffer.concat([length, name])));
    expect(status).to.equal("5");
    expect(headers["grpc-message"]).to.match(/^this%20node%20has%20no%20group%20%22g{64}%22$/);
    session.destroy();
  });

  it("gives the place of a tail back when it is cancelled", async () => {
    const session = await connected(node.port);
    const call = new RawCall(session, "Tail");
    call.stream.end(tailOf(node.status.lastIndex + 100, true));
    await until("a tail that waits", () => node.status.waitingTails === 1);
    call.stream.close(8);
    await meanwhile();
    expect(node.status.waitingTails).to.equal(0);
    session.destroy();
  });

  it("holds connections to their limit, and tells who is one too many", async () => {
    const sessions = await Promise.all(Array.from({ length: 9 }, () => connected(node.port)));
    expect(await node.metric("quorumlog_client_connections")).to.equal("9");
    const surplus = await connected(node.port);
    const [code, , why] = await new Promise<[number, number, Buffer]>((resolve) =>
      surplus.once("goaway", (...told) => resolve(told as [number, number, Buffer])),
    );
    expect([code, why.toString()]).to.deep.equal([
      enhanceYourCalm,
      "this node has as many clients as it may have",
    ]);
    expect(await node.metric('quorumlog_connections_refused_total{reason="too-many"}')).to.equal("1");
    sessions.pop()?.destroy();
    const open = async (): Promise<string | undefined> => node.metric("quorumlog_client_connections");
    while ((await open()) !== "8") await new Promise((resolve) => setTimeout(resolve, 2));
    sessions.push(await connected(node.port));
    expect(await open()).to.equal("9");
    for (const session of sessions) session.destroy();
  });
});
