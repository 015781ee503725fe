import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { Children, freePorts, persist } from "../support/processes.ts";
import type { Peer, PeerRun } from "./peer.ts";

/** A stream of NATS JetStream on three servers, replicated three times, in files. */
export const nats: Peer = {
  name: "NATS JetStream R3",
  program: "nats-server",
  note: "acknowledged before it is synced (sync_interval 2 min)",
  start,
};

const replyTimeoutMs = 10_000;

async function start(directory: string): Promise<PeerRun> {
  const children = new Children();
  const ports = await freePorts(6);
  const routes = ports.slice(3).map((port) => `nats://127.0.0.1:${port}`);
  for (let at = 0; at < 3; at++) {
    const file = path.join(directory, `n${at}.conf`);
    const store = path.join(directory, `s${at}`);
    fs.writeFileSync(
      file,
      [
        `listen: "127.0.0.1:${ports[at]}"`,
        `server_name: n${at}`,
        `jetstream { store_dir: ${JSON.stringify(store)} }`,
        `cluster { name: bench, listen: "127.0.0.1:${ports[3 + at]}", routes: ${JSON.stringify(routes)} }`,
        "",
      ].join("\n"),
    );
    children.start("nats-server", ["-c", file], "ignore");
  }
  const client = await persist("nats-server", () => NatsClient.connect(ports[0] ?? 0));
  const stream = {
    name: "bench",
    subjects: ["bench"],
    num_replicas: 3,
    storage: "file",
    retention: "limits",
  };
  await persist("JetStream", async () => {
    const answer = await client.request("$JS.API.STREAM.CREATE.bench", Buffer.from(JSON.stringify(stream)));
    if (/"error"/.test(answer)) throw new Error(answer);
  });
  return {
    append: async (payload) => {
      const answer = await client.request("bench", payload);
      if (/"error"/.test(answer)) throw new Error(answer);
    },
    stop: () => {
      client.close();
      return children.stop();
    },
  };
}

/** As much of the NATS client protocol as request and reply take. */
class NatsClient {
  private readonly socket: net.Socket;
  private readonly waiting = new Map<string, (answer: string) => void>();
  private received: Buffer = Buffer.alloc(0);
  private requests = 0;
  private outgoing: Uint8Array[] = [];

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => this.take(bytes));
    socket.on("error", (error) => process.stderr.write(`nats: ${error.message}\n`));
    socket.write(
      'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\nSUB inbox.* 1\r\n',
    );
  }

  static connect(port: number): Promise<NatsClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, "127.0.0.1", () => resolve(new NatsClient(socket)));
      socket.once("error", reject);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  request(subject: string, payload: Uint8Array): Promise<string> {
    this.requests += 1;
    const inbox = `inbox.${this.requests}`;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.waiting.delete(inbox);
        reject(new Error("no answer"));
      }, replyTimeoutMs);
      this.waiting.set(inbox, (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
      if (this.outgoing.length === 0) setImmediate(() => this.flush());
      this.outgoing.push(
        Buffer.from(`PUB ${subject} ${inbox} ${payload.length}\r\n`),
        payload,
        Buffer.from("\r\n"),
      );
    });
  }

  private flush(): void {
    this.socket.write(Buffer.concat(this.outgoing));
    this.outgoing = [];
  }

  private take(bytes: Buffer): void {
    this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes]);
    for (let end = this.received.indexOf("\r\n"); end >= 0; end = this.received.indexOf("\r\n")) {
      const words = this.received.toString("latin1", 0, end).split(" ");
      let next = end + 2;
      if (words[0] === "PING") this.socket.write("PONG\r\n");
      if (words[0] === "MSG" || words[0] === "HMSG") {
        const length = Number(words.at(-1));
        if (this.received.length < next + length + 2) return;
        const subject = words[1] ?? "";
        this.waiting.get(subject)?.(this.received.toString("utf8", next, next + length));
        this.waiting.delete(subject);
        next += length + 2;
      }
      this.received = this.received.subarray(next);
    }
  }
}
