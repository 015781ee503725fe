import type { ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { Abandoned, freePorts, persist, spawnOwned, stopOwned } from "./processes.ts";

const program = fileURLToPath(new URL("../../cli/quorumlog.js", import.meta.url));

export interface ClusterOptions {
  /** Nodes and their logs lie below it. */
  readonly directory: string;
  readonly nodes?: number;
  /** Flags of `quorumlog start`, the same for every node. */
  readonly flags?: readonly string[];
  /** Data directories by node id, for those that do not lie below `directory`. */
  readonly data?: Readonly<Record<string, string>>;
  /** Node.js' own flags, by node id. */
  readonly nodeFlags?: Readonly<Record<string, readonly string[]>>;
  readonly logLevel?: string;
}

/** Values of one look at /metrics: by name, and by name with its labels as they are written. */
export type Metrics = ReadonlyMap<string, number>;

/** One node of a cluster of this machine: a process, or none at the moment. */
export class ClusterNode {
  readonly id: string;
  readonly data: string;
  readonly logFile: string;
  readonly httpPort: number;
  private readonly args: readonly string[];
  child: ChildProcess | undefined;
  private ended = false;

  constructor(id: string, data: string, logFile: string, httpPort: number, args: readonly string[]) {
    this.id = id;
    this.data = data;
    this.logFile = logFile;
    this.httpPort = httpPort;
    this.args = args;
  }

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error(`node ${this.id} is not running`);
    return pid;
  }

  /** @throws Abandoned when its cluster was stopped. */
  start(): void {
    if (this.ended) throw new Abandoned(`node ${this.id} was ended with its cluster`);
    const log = fs.openSync(this.logFile, "a");
    this.child = spawnOwned(process.execPath, this.args, ["ignore", log, log]);
    fs.closeSync(log);
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.child !== undefined) await stopOwned(this.child);
    this.child = undefined;
  }

  /** Kills it; it is not started again. */
  end(): Promise<void> {
    this.ended = true;
    return this.kill();
  }

  /** @throws when the node does not answer in time; Abandoned when its cluster was stopped. */
  async metrics(timeoutMs = 2_000): Promise<Metrics> {
    if (this.ended) throw new Abandoned(`node ${this.id} was ended with its cluster`);
    const signal = AbortSignal.timeout(timeoutMs);
    const text = await (await fetch(`http://127.0.0.1:${this.httpPort}/metrics`, { signal })).text();
    const values = new Map<string, number>();
    for (const line of text.split("\n")) {
      const found = /^([a-z_]+)(\{.*\})? (\S+)$/.exec(line);
      if (found === null) continue;
      values.set(found[1] ?? "", Number(found[3]));
      if (found[2] !== undefined) values.set(`${found[1]}${found[2]}`, Number(found[3]));
    }
    return values;
  }

  /** Whether this node says that it leads. */
  async leads(): Promise<boolean> {
    try {
      return (await this.metrics()).has('quorumlog_role{group="default",role="leader"}');
    } catch (error) {
      if (error instanceof Abandoned) throw error;
      return false;
    }
  }

  /** Lines of the node's log from a byte on. */
  logFrom(offset: number): string {
    return fs.readFileSync(this.logFile).subarray(offset).toString("utf8");
  }
}

/** Nodes of quorumlog as processes of this machine. None outlives this process. */
export class LocalCluster {
  readonly nodes: readonly ClusterNode[];
  readonly peers: string;
  private stopped = false;

  private constructor(nodes: readonly ClusterNode[], peers: string) {
    this.nodes = nodes;
    this.peers = peers;
  }

  static async start(options: ClusterOptions): Promise<LocalCluster> {
    const {
      directory,
      nodes: count = 3,
      flags = [],
      data = {},
      nodeFlags = {},
      logLevel = "error",
    } = options;
    const ports = await freePorts(2 * count);
    const ids = Array.from({ length: count }, (_, at) => `n${at}`);
    const peers = ids.map((id, at) => `${id}-127.0.0.1:${ports[at]}`).join(";");
    const nodes = ids.map((id, at) => {
      const root = data[id] ?? path.join(directory, id);
      const httpPort = ports[count + at] ?? 0;
      const own = ["--self-id", id, "--data", root, "--http-port", String(httpPort), "--peers", peers];
      const args = [...(nodeFlags[id] ?? []), program, "start", ...own, "--log-level", logLevel, ...flags];
      return new ClusterNode(id, root, path.join(directory, `${id}.log`), httpPort, args);
    });
    for (const node of nodes) node.start();
    return new LocalCluster(nodes, peers);
  }

  node(id: string): ClusterNode {
    const node = this.nodes.find((one) => one.id === id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  leader(): Promise<ClusterNode> {
    return persist("a leader", async () => {
      if (this.stopped) throw new Abandoned("the cluster was stopped");
      for (const node of this.nodes) {
        if (node.child !== undefined && (await node.leads())) return node;
      }
      throw new Error("no node says that it leads");
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.nodes.map((node) => node.end()));
  }
}
