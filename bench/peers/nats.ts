import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { drive } from "../append/drive.ts";
import { Children, freePorts, isInstalled, persist } from "../support/processes.ts";
import type { Peer, PeerRun } from "./peer.ts";

/**
 * A stream of NATS JetStream on three servers, replicated three times, in files.
 * @param program the server; a name or a path.
 * @param always whether every write is synced before it is acknowledged, which is not how the server comes.
 */
export function nats(program: string, always: boolean): Peer {
  return {
    name: always ? "JetStream R3, sync" : "JetStream R3",
    note: always ? "synced (sync_interval: always)" : "before it is synced (sync_interval 2 min)",
    missing: () => {
      if (!isInstalled(program)) return `${program} is not installed (Debian: nats-server)`;
      return always ? refusesAlways(program) : undefined;
    },
    start: (directory) => start(program, always, directory),
  };
}

const replyTimeoutMs = 10_000;

/** Servers before 2.10 do not know the setting. */
function refusesAlways(program: string): string | undefined {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-nats-"));
  try {
    const file = path.join(directory, "try.conf");
    fs.writeFileSync(file, configuration({ port: 4_222, name: "n0", store: directory, always: true }));
    const tried = spawnSync(program, ["-t", "-c", file], { encoding: "utf8" });
    if (tried.status === 0) return undefined;
    const version = spawnSync(program, ["--version"], { encoding: "utf8" }).stdout.trim();
    return `${version} does not take sync_interval: always (2.10 does; --nats-server PATH names another one)`;
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function configuration(of: {
  readonly port: number;
  readonly name: string;
  readonly store: string;
  readonly always: boolean;
}): string {
  const sync = of.always ? ", sync_interval: always" : "";
  return [
    `listen: "127.0.0.1:${of.port}"`,
    `server_name: ${of.name}`,
    `jetstream { store_dir: ${JSON.stringify(of.store)}${sync} }`,
    "",
  ].join("\n");
}

async function start(program: string, sync: boolean, directory: string): Promise<PeerRun> {
  const children = new Children();
  const ports = await freePorts(6);
  const routes = ports.slice(3).map((port) => `nats://127.0.0.1:${port}`);
  for (let at = 0; at < 3; at++) {
    const file = path.join(directory, `n${at}.conf`);
    const store = path.join(directory, `s${at}`);
    const own = configuration({ port: ports[at] ?? 0, name: `n${at}`, store, always: sync });
    const listen = `listen: "127.0.0.1:${ports[3 + at]}"`;
    fs.writeFileSync(file, `${own}cluster { name: bench, ${listen}, routes: ${JSON.stringify(routes)} }\n`);
    children.start(program, ["-c", file], "ignore");
  }
  let client: NatsClient | undefined;
  const stop = (): Promise<void> => {
    client?.close();
    return children.stop();
  };
  try {
    const first = await persist("nats-server", () => NatsClient.connect(ports[0] ?? 0));
    client = first;
    const leader = await makeStream(first);
    first.close();
    // The stream's leader, not the server that happens to be first: whoever is asked hands on to it.
    const own = await NatsClient.connect(ports[leader] ?? 0);
    client = own;
    const append = async (payload: Uint8Array): Promise<void> =>
      refuseFault(await own.request("bench", payload));
    await persist("JetStream", () => append(Buffer.from("first")));
    const { pids } = children;
    const leaderFirst = [pids[leader] ?? 0, ...pids.filter((_, at) => at !== leader)];
    return { drive: (load) => drive({ pids: leaderFirst, append }, load), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @returns which server leads the stream. */
async function makeStream(client: NatsClient): Promise<number> {
  const stream = {
    name: "bench",
    subjects: ["bench"],
    num_replicas: 3,
    storage: "file",
    retention: "limits",
  };
  await persist("JetStream", async () =>
    refuseFault(await client.request("$JS.API.STREAM.CREATE.bench", Buffer.from(JSON.stringify(stream)))),
  );
  return persist("JetStream", async () => {
    const answer = await client.request("$JS.API.STREAM.INFO.bench", Buffer.alloc(0));
    const info = JSON.parse(answer) as { cluster?: { leader?: string } };
    const at = Number(info.cluster?.leader?.slice(1));
    if (!Number.isInteger(at)) throw new Error("the stream has no leader");
    return at;
  });
}

function refuseFault(answer: string): void {
  if (/"error"/.test(answer)) throw new Error(answer);
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
