import * as http from "node:http";
import * as net from "node:net";
import { expect } from "chai";
import type { Connection, Listener } from "#core/io/network";
import { GrpcNetwork } from "#prod/network";
import { Turns } from "#prod/turn";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, holds: () => boolean): Promise<void> {
  const limit = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > limit) throw new Error(`it did not happen: ${what}`);
    await sleep(2);
  }
}

describe("the gRPC network", () => {
  const turns = new Turns();
  const refused: string[] = [];
  const warnings: string[] = [];
  const network = new GrpcNetwork({
    turns,
    refused: (reason) => refused.push(reason),
    warn: (message) => warnings.push(message),
  });
  const echoed: Connection[] = [];
  let listener: Listener;
  let port: number;

  before(async () => {
    const probe = net.createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    ({ port } = probe.address() as net.AddressInfo);
    await new Promise((resolve) => probe.close(resolve));
    await new Promise<void>((resolve, reject) => {
      listener = network.listen(
        `127.0.0.1:${port}`,
        (connection) => {
          echoed.push(connection);
          return {
            opened: () => undefined,
            frame: (frame) => void connection.send(frame),
            drained: () => undefined,
            closed: () => undefined,
          };
        },
        (error) => (error === undefined ? resolve() : reject(error)),
      );
    });
  });
  after(() => listener.close());

  /** A dialled connection that counts what comes back. */
  const dial = (): { frames: Uint8Array[]; closed: string[]; connection: Connection } => {
    const frames: Uint8Array[] = [];
    const closed: string[] = [];
    const connection = network.connect(`127.0.0.1:${port}`, "client", {
      opened: () => undefined,
      frame: (frame) => frames.push(frame),
      drained: () => undefined,
      closed: (reason) => closed.push(reason),
    });
    return { frames, closed, connection };
  };

  const works = async (): Promise<void> => {
    const { frames, connection } = dial();
    connection.send(Uint8Array.of(1, 2, 3));
    await until("an echo", () => frames.length === 1);
    connection.close();
  };

  it("raised the flow-control window on both sides", async () => {
    expect(warnings).to.deep.equal([]);
    await works();
  });

  it("sends the frames of one turn in one message", async () => {
    const { frames, connection } = dial();
    connection.send(Uint8Array.of(0));
    await until("the first echo", () => frames.length === 1);
    const { duplex } = (connection as unknown as { inner: unknown }).inner as {
      duplex: { write: (frames: readonly Uint8Array[], done: () => void) => boolean };
    };
    const sizes: number[] = [];
    const { write } = duplex;
    duplex.write = (batch, done) => {
      sizes.push(batch.length);
      return write(batch, done);
    };
    for (let i = 0; i < 100; i++) connection.send(Uint8Array.of(i));
    await until("all echoes", () => frames.length === 101);
    expect(sizes).to.deep.equal([100]);
    connection.close();
  });

  const raw = (bytes: string | Buffer): Promise<string> =>
    new Promise((resolve) => {
      let answer = "";
      const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
      socket.on("data", (data) => {
        answer += data.toString("latin1");
      });
      socket.on("error", () => socket.destroy());
      socket.once("close", () => resolve(answer));
      setTimeout(() => socket.destroy(), 150);
    });

  it("survives garbage, half a preface, a preface with garbage behind it, and nothing at all", async () => {
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const garbage = Buffer.from(Array.from({ length: 4_096 }, (_, i) => (i * 37) & 255));
    await Promise.all([
      raw(garbage),
      raw("\0"),
      raw(preface.slice(0, 9)),
      raw(preface),
      raw(Buffer.concat([Buffer.from(preface), garbage])),
      raw(Buffer.concat([Buffer.from(preface), Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])])),
      raw(""),
    ]);
    expect(refused.filter((reason) => reason === "garbage").length).to.be.at.least(2);
    await works();
  });

  it("takes a preface that comes byte by byte", async () => {
    const socket = net.connect(port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    const answered = new Promise<Buffer>((resolve) => socket.once("data", resolve));
    for (const byte of Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1")) {
      socket.write(Buffer.from([byte]));
      await sleep(1);
    }
    // The server's own settings frame.
    expect((await answered)[3]).to.equal(4);
    socket.destroy();
  });

  it("tells whoever speaks HTTP/1 what this port is", async () => {
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      http.get({ host: "127.0.0.1", port, path: "/metrics" }, resolve).on("error", reject);
    });
    expect(answer.statusCode).to.equal(400);
    const body = await new Promise<string>((resolve) => {
      let text = "";
      answer.on("data", (data: Buffer) => {
        text += data.toString();
      });
      answer.on("end", () => resolve(text));
    });
    expect(body).to.contain("speaks gRPC");
    expect(refused).to.include("http1");
  });

  it("serves one more client beside a thousand idle connections", async function () {
    this.timeout(15_000);
    const idle = await Promise.all(
      Array.from(
        { length: 1_000 },
        () =>
          new Promise<net.Socket>((resolve, reject) => {
            const socket = net.connect(port, "127.0.0.1", () => resolve(socket));
            socket.on("error", reject);
          }),
      ),
    );
    await works();
    for (const socket of idle) socket.destroy();
  });
});
