import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import type { LogClientOptions } from "#prod/log-client";
import { LogClient } from "#prod/log-client";
import { projectRoot } from "../../support/sources.ts";

/** The compiled command line: what users run. */
export const program: string = path.join(projectRoot, "dist/cli/quorumlog.js");

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Ports below those that the system gives to outgoing connections, so that none of those takes one between its choice and
 * its use. Mocha's workers take theirs from ranges of their own.
 */
const portsFrom = 12_000;
const portsOfAWorker = 4_000;
const workers = 4;
const firstPort = portsFrom + (Number(process.env["MOCHA_WORKER_ID"] ?? 0) % workers) * portsOfAWorker;
/** The next run begins elsewhere: connections of this one may linger. */
let lastPort = (process.pid * 31) % portsOfAWorker;

/** Ports that nobody uses now, all different, and different from all that were given before. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    lastPort = (lastPort + 1) % portsOfAWorker;
    const port = firstPort + lastPort;
    if (await isFree(port)) found.push(port);
  }
  return found;
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Polls until `look` gives something. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  msMax = 10_000,
): Promise<T> {
  const until = performance.now() + msMax;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > until) throw new Error(`not within ${msMax} ms: ${what}`);
    await sleep(25);
  }
}

export interface NodeProcess {
  readonly id: string;
  readonly port: number;
  readonly httpPort: number;
  readonly data: string;
  readonly log: string;
  child: ChildProcess | undefined;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Real nodes, each a process, on ports and in a directory of their own. */
export class Cluster {
  readonly root: string;
  readonly nodes: readonly NodeProcess[];
  readonly peers: string;
  readonly flags: readonly string[];
  private readonly clients: LogClient[] = [];

  private constructor(root: string, nodes: readonly NodeProcess[], flags: readonly string[]) {
    this.root = root;
    this.nodes = nodes;
    this.flags = flags;
    this.peers = nodes.map(({ id, port }) => `${id}-127.0.0.1:${port}`).join(";");
  }

  /** @param flags given to every node. */
  static async create(size: number, flags: readonly string[] = []): Promise<Cluster> {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-e2e-"));
    const ports = await freePorts(size * 2);
    const nodes = Array.from({ length: size }, (_, at) => ({
      id: `n${at}`,
      port: ports[at] as number,
      httpPort: ports[size + at] as number,
      data: path.join(root, `n${at}`),
      log: path.join(root, `n${at}.log`),
      child: undefined,
    }));
    return new Cluster(root, nodes, flags);
  }

  node(id: string): NodeProcess {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  /** How a node of this cluster is started; `wrapper` runs it, as strace does. */
  command(node: NodeProcess, more: readonly string[] = []): string[] {
    const own = [
      "--self-id",
      node.id,
      "--peers",
      this.peers,
      "--data",
      node.data,
      "--http-port",
      String(node.httpPort),
    ];
    return [program, "start", ...own, ...this.flags, ...more];
  }

  /** Rejects with what the node wrote when it ends instead of starting. */
  async start(
    node: NodeProcess,
    wrapper: readonly string[] = [],
    more: readonly string[] = [],
  ): Promise<void> {
    const log = fs.openSync(node.log, "a");
    const [file = "", ...args] = [...wrapper, process.execPath, ...this.command(node, more)];
    const child = spawn(file, args, { stdio: ["ignore", log, log, "ipc"] });
    fs.closeSync(log);
    node.child = child;
    await new Promise<void>((resolve, reject) => {
      child.on("message", (message: { readonly type?: string }) => {
        if (message.type === "started") resolve();
      });
      child.once("exit", (code, signal) => {
        const said = fs.readFileSync(node.log, "utf8").slice(-2_000);
        reject(new Error(`${node.id} ended with ${code ?? signal}:\n${said}`));
      });
    });
  }

  async startAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.start(node)));
  }

  /** Resolves once the process is gone. */
  async kill(node: NodeProcess, signal: NodeJS.Signals): Promise<Exit> {
    const { child } = node;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return { code: null, signal: null };
    const gone = new Promise<Exit>((resolve) =>
      child.once("exit", (code, by) => resolve({ code, signal: by })),
    );
    child.kill(signal);
    const exit = await gone;
    node.child = undefined;
    return exit;
  }

  client(options: Pick<LogClientOptions, "sessions" | "timeoutMs" | "tls"> = {}): LogClient {
    const client = new LogClient({ peers: this.peers, ...options });
    this.clients.push(client);
    return client;
  }

  /** The node that leads, once the running ones agree on one. */
  async leader(client: LogClient): Promise<NodeProcess> {
    return eventually("a leader that the running nodes agree on", async () => {
      const seen = await this.statuses(client);
      const [first] = seen;
      if (first === undefined || first.leader === "" || seen.some((status) => status.leader !== first.leader))
        return undefined;
      return this.node(first.leader).child === undefined ? undefined : this.node(first.leader);
    });
  }

  async statuses(client: LogClient): Promise<Awaited<ReturnType<LogClient["status"]>>[]> {
    const running = this.nodes.filter((node) => node.child !== undefined);
    const seen = await Promise.all(
      running.map(({ id }) => client.status(id, { timeoutMs: 1_000 }).catch(() => undefined)),
    );
    return seen.filter((status) => status !== undefined);
  }

  /** The one chain checksum on which all nodes end, once none has more to do. */
  async convergedCrc(client: LogClient): Promise<number> {
    return eventually("one log on every node", async () => {
      const seen = await this.statuses(client);
      const [first] = seen;
      if (first === undefined || seen.length < this.nodes.length) return undefined;
      const same = seen.every(
        ({ lastIndex, commitIndex, chainCrc }) =>
          lastIndex === first.lastIndex && commitIndex === lastIndex && chainCrc === first.chainCrc,
      );
      return same ? first.chainCrc : undefined;
    });
  }

  async dispose(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await Promise.all(this.nodes.map((node) => this.kill(node, "SIGKILL")));
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}
