import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import { expect } from "chai";
import { decodeResponse } from "#core/commitlog/response-codec";
import type { Connection, Listener } from "#core/io/network";
import { windowBytes } from "#prod/grpc-options";
import { TcpNetwork } from "#prod/network";
import { Turns } from "#prod/turn";
import { ping } from "./support/tls-port.ts";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, holds: () => boolean): Promise<void> {
  const limit = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > limit) throw new Error(`it did not happen: ${what}`);
    await sleep(2);
  }
}

describe("the network", () => {
  const turns = new Turns();
  const refused: string[] = [];
  const network = new TcpNetwork({
    turns,
    refused: (reason) => refused.push(reason),
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

  it("tells a host name that does not resolve from a process that is gone", async () => {
    const closed: string[] = [];
    network.connect("no-such-host.invalid:40911", "client", {
      opened: () => undefined,
      frame: () => undefined,
      drained: () => undefined,
      closed: (reason) => closed.push(reason),
    });
    await until("its end", () => closed.length > 0);
    expect(closed).to.deep.equal(["no-host"]);
  });

  it("raised the flow-control window of gRPC", async () => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const { initialWindowSize } = await new Promise<http2.Settings>((resolve) =>
      session.once("remoteSettings", resolve),
    );
    expect(initialWindowSize).to.equal(windowBytes);
    session.destroy();
  });

  it("sends the frames of one turn in one write", async () => {
    const { frames, connection } = dial();
    connection.send(Uint8Array.of(0));
    await until("the first echo", () => frames.length === 1);
    const { duplex } = (connection as unknown as { inner: unknown }).inner as {
      duplex: { write: (frames: readonly Uint8Array[], done: () => void) => boolean };
    };
    const sizes: number[] = [];
    const write = duplex.write.bind(duplex);
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

  const greeting = (version: number, service: number): Buffer =>
    Buffer.from([0x51, 0x4c, 0x4f, 0x47, version, service, 0, 0]);

  it("takes a greeting that comes byte by byte, with a frame behind it", async () => {
    const socket = net.connect(port, "127.0.0.1");
    let answer = Buffer.alloc(0);
    socket.on("data", (data) => {
      answer = Buffer.concat([answer, data]);
    });
    for (const byte of Buffer.concat([greeting(1, 3), Buffer.from([0, 0, 0, 2, 7, 8])])) {
      socket.write(Buffer.from([byte]));
      await sleep(1);
    }
    const echo = Buffer.concat([greeting(1, 0), Buffer.from([0, 0, 0, 2, 7, 8])]);
    await until("answer and echo", () => answer.length >= echo.length);
    expect(answer).to.deep.equal(echo);
    socket.destroy();
  });

  it("says what it does not understand of a greeting", async () => {
    expect(await raw(greeting(9, 3))).to.contain("version 9, and this node speaks 1");
    expect(await raw(greeting(1, 9))).to.contain("does not know the service");
  });

  it("breaks a connection with a frame above the largest size before it takes any of it", async () => {
    const before = echoed.length;
    const answer = await raw(Buffer.concat([greeting(1, 3), Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2])]));
    expect(echoed.length).to.equal(before + 1);
    expect(Buffer.from(answer, "latin1").subarray(8)).to.deep.equal(Buffer.from([255, 255, 255, 255]));
    await works();
  });

  it("tells a process that is gone from one that took its leave", async () => {
    const ends: string[] = [];
    const server = net.createServer((socket) => {
      socket.write(greeting(1, 0));
      if (ends.length === 0) socket.end(Buffer.from([255, 255, 255, 254]));
      else if (ends.length === 1) socket.end();
      else socket.resetAndDestroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port: there } = server.address() as net.AddressInfo;
    for (let n = 0; n < 3; n++) {
      network.connect(`127.0.0.1:${there}`, "client", {
        opened: () => undefined,
        frame: () => undefined,
        drained: () => undefined,
        closed: (reason) => ends.push(reason),
      });
      await until("an end", () => ends.length > n);
    }
    expect(ends).to.deep.equal(["closed", "reset", "reset"]);
    server.close();
  });

  it("hangs up on whoever took his leave and stays", async () => {
    const socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const ended = new Promise<void>((resolve) => socket.once("end", resolve));
    socket.resume();
    socket.write(Buffer.concat([greeting(1, 3), Buffer.from([255, 255, 255, 254])]));
    await ended;
    socket.destroy();
  });

  it("welcomes nobody whom the node closes at once, and says why", async () => {
    const turnedAway: string[] = [];
    const full = "it has one already";
    const strict = new TcpNetwork({ turns, full, refused: (reason) => turnedAway.push(reason) });
    const probe = net.createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port: there } = probe.address() as net.AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const closing = await new Promise<Listener>((resolve) => {
      const opened = strict.listen(
        `127.0.0.1:${there}`,
        (connection) => {
          connection.close();
          return {
            opened: () => undefined,
            frame: () => undefined,
            drained: () => undefined,
            closed: () => undefined,
          };
        },
        () => resolve(opened),
      );
    });
    const seen: string[] = [];
    const asked = strict.connect(`127.0.0.1:${there}`, "client", {
      opened: () => void asked.send(ping),
      frame: (frame) => {
        const fault = decodeResponse(frame);
        seen.push(fault.type === "fault" ? `${fault.code}: ${fault.message}` : fault.type);
      },
      drained: () => undefined,
      closed: (reason) => seen.push(reason),
    });
    strict.connect(`127.0.0.1:${there}`, "peer-bulk", {
      opened: () => seen.push("opened"),
      frame: () => seen.push("frame"),
      drained: () => undefined,
      closed: (reason) => seen.push(`peer ${reason}`),
    });
    await until("both ends", () => seen.length > 2);
    await sleep(20);
    expect(seen).to.have.members([
      `pending-full: 127.0.0.1:${there}: it has one already`,
      "closed",
      "peer protocol",
    ]);
    expect(turnedAway).to.deep.equal(["too-many", "too-many"]);
    closing.close();
  });

  it("ends with protocol where somebody else answers", async () => {
    const server = net.createServer((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port: there } = server.address() as net.AddressInfo;
    const closed = await new Promise<string>((resolve) => {
      network.connect(`127.0.0.1:${there}`, "peer-bulk", {
        opened: () => undefined,
        frame: () => undefined,
        drained: () => undefined,
        closed: resolve,
      });
    });
    expect(closed).to.equal("protocol");
    server.close();
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
    expect(body).to.contain("speaks gRPC and frames");
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
