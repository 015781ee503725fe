import * as v8 from "node:v8";
import type { Logger } from "pino";
import { LogError } from "../core/base/errors.ts";
import { DiskFault } from "../core/io/disk.ts";
import type { Trace, TraceEvent } from "../core/io/trace.ts";
import { Node } from "../core/node/node.ts";
import type { GroupStatus } from "../core/node/status.ts";
import { isLoopback } from "./address.ts";
import { SystemClock } from "./clock.ts";
import type { ServerConfig } from "./config.ts";
import { directoryFault } from "./directory.ts";
import { FileDisk } from "./disk.ts";
import { exitCodes } from "./exit-codes.ts";
import { HttpServer } from "./http.ts";
import type { LogFile } from "./log-file.ts";
import { LogService } from "./log-service.ts";
import { fanOut, makeLogger, TraceLog } from "./logging.ts";
import { Metrics } from "./metrics.ts";
import { TcpNetwork } from "./network.ts";
import { SeededRandom } from "./random.ts";
import { serverNetwork } from "./server-network.ts";
import type { ServerNews } from "./server-news.ts";
import { onStopSignal, stopExitCodes } from "./stop-signals.ts";
import type { TlsMaterial } from "./tls-files.ts";
import type { Authorise } from "./tls-identity.ts";
import { authoriseByRole } from "./tls-identity.ts";
import { Turns } from "./turn.ts";
import { version } from "./version.ts";

export interface QuorumServerOptions {
  /** Hears the trace beside log and metrics. */
  readonly listener?: Trace;
  /** What clients may do, where the port speaks TLS; by default what their certificates' roles say. */
  readonly authorise?: Authorise;
}

/** One node of this process, with everything around it. */
export class QuorumServer {
  readonly config: ServerConfig;
  readonly node: Node;
  readonly metrics: Metrics;
  readonly logger: Logger;
  private readonly disk: FileDisk;
  private readonly http: HttpServer;
  private readonly refusals = new PeerRefusals();
  private stopping = false;

  constructor(config: ServerConfig, logger: Logger, options: QuorumServerOptions = {}) {
    const { listener, authorise = authoriseByRole } = options;
    this.config = config;
    this.logger = logger;
    const turns = new Turns();
    const gauges = (): GroupStatus[] => [...this.node.groups.values()].map((group) => group.status());
    this.metrics = new Metrics(version, gauges, () => this.node.clientConnections);
    this.disk = new FileDisk(config.dataDirectory, turns, this.metrics.disk);
    const service = new LogService(() => this.node, turns);
    const trace = fanOut([
      this.metrics,
      new TraceLog(this.logger),
      this.refusals,
      ...(listener === undefined ? [] : [listener]),
    ]);
    const { turnedAway } = this.metrics;
    const told = serverNetwork({ config, authorise, logger, turnedAway, trace });
    this.node = new Node(config.node, {
      clock: new SystemClock(turns),
      disk: this.disk,
      network: new TcpNetwork({ ...told, turns, logService: service }),
      random: new SeededRandom(),
      trace,
    });
    this.http = new HttpServer(
      {
        notReady: () => this.notReady(),
        metrics: () => this.metrics.registry.metrics(),
      },
      this.httpTls,
    );
  }

  /** Health and metrics are encrypted where others than this machine ask for them. */
  private get httpTls(): TlsMaterial | undefined {
    return isLoopback(this.config.httpHost) ? undefined : this.config.tls?.material;
  }

  /** @throws LogError: the directory or a port is in use, the directory is another's, the disk fails. */
  async start(): Promise<void> {
    const { config } = this;
    for (const warning of config.warnings) this.logger.warn(warning);
    const settled = (call: (done: (error: Error | undefined) => void) => void): Promise<void> =>
      new Promise((resolve, reject) => {
        call((error) => (error === undefined ? resolve() : reject(startFault(config, error))));
      });
    try {
      await settled((done) => this.disk.makeDirectory("", done));
      await this.http.listen({ host: config.httpHost, port: config.httpPort });
      await settled((done) => this.node.start(done));
    } catch (error) {
      this.close();
      throw error;
    }
    const http = `${this.httpTls === undefined ? "http" : "https"}://${config.httpHost}:${config.httpPort}`;
    const tls = config.tls !== undefined;
    this.logger.info(
      { listen: config.node.listen, tls, http, data: config.dataDirectory, version },
      "started",
    );
  }

  /** Hands leadership over, closes the log and the ports. */
  async stop(): Promise<void> {
    this.stopping = true;
    await new Promise<void>((resolve) => this.node.stop(resolve));
    this.close();
    this.logger.info("stopped");
  }

  private close(): void {
    this.http.close();
    this.metrics.close();
  }

  private notReady(): readonly string[] {
    if (this.stopping) return ["the node is stopping"];
    const reasons: string[] = [];
    for (const group of this.node.groups.values()) {
      const { standing, reason, leader, waitingFor } = group.status();
      const waits = waitingFor.length === 0 ? "" : `; not heard from ${waitingFor.join(", ")}`;
      if (standing !== "member") reasons.push(`group ${group.group} is ${standing}: ${reason}${waits}`);
      else if (leader === "") reasons.push(`group ${group.group} has no leader${waits}`);
    }
    // A node that takes part all the same is ready, whatever a third one thinks of it.
    if (reasons.length > 0) reasons.push(...this.refusals.reasons());
    return reasons;
  }
}

/** The peers that turn this node away, or that it turns away, and why: a directory of another cluster, say. */
class PeerRefusals implements Trace {
  readonly detailed = false;
  private readonly byPeer = new Map<string, string>();

  emit(event: TraceEvent): void {
    if (event.kind !== "peer" || event.change === "surplus") return;
    const peer = `${event.group} ${event.peer}`;
    if (event.change === "refused") this.byPeer.set(peer, `peer ${event.peer} refused: ${event.reason}`);
    else this.byPeer.delete(peer);
  }

  reasons(): Iterable<string> {
    return this.byPeer.values();
  }
}

/** What stopped a node from starting, as a fault with a code. */
function startFault(config: ServerConfig, error: Error): LogError {
  if (error instanceof LogError) return error.code === "damaged" ? damageFault(config, error) : error;
  const fault = error instanceof DiskFault ? error.code : "io";
  if (fault === "locked") return new LogError("directory-in-use", error.message, { cause: error });
  const misplaced = placeFault(config, error);
  if (misplaced !== undefined) return misplaced;
  const message = `directory ${config.dataDirectory}: ${error.message}`;
  return new LogError(fault === "full" ? "disk-full" : "disk-error", message, { cause: error });
}

/** What is in the directory cannot be used, and no restart mends that. */
function damageFault({ dataDirectory }: ServerConfig, cause: LogError): LogError {
  const todo =
    "give it its file back, or the node an empty directory: it then takes entries as `wiped` and never votes by itself";
  const text = `directory ${dataDirectory}: ${cause.message}; ${todo}`;
  return new LogError("damaged", text, { retry: "never", cause });
}

/** The fault of a place where no data can be kept; undefined for any other one. */
function placeFault({ settings, dataDirectory }: ServerConfig, { cause }: Error): LogError | undefined {
  const origin = settings.find(({ key }) => key === "storePathRootDir")?.origin ?? "default";
  const { code, syscall } = (cause ?? {}) as NodeJS.ErrnoException;
  const refused = code === "EACCES" || code === "EPERM" || code === "EROFS";
  // Below a directory that is there, a missing or unexpected file is a fault of what is in it.
  if (!refused && syscall !== "mkdir") return undefined;
  return directoryFault({ value: dataDirectory, origin }, cause as NodeJS.ErrnoException);
}

/**
 * How much the old part of the heap may grow between two full collections. The engine's own measure is what is left
 * after one, some 20 MiB at a node, and under load entries that wait to be committed fill as much several times a second:
 * a third of all processor time went into full collections. docs/PERFORMANCE.md has the figures.
 */
const heapGrowthPercent = 400;

/**
 * Runs one node until SIGTERM, SIGINT or the end of the process that started it; the second signal ends it at once.
 * @param tell what the process that started this one wants to know.
 * @param logFile where the log goes instead of standard error, once the directory is this node's.
 * @returns the exit code.
 * @throws LogError when the node cannot start.
 */
export async function runServer(
  config: ServerConfig,
  tell: (news: ServerNews) => void,
  logFile?: LogFile,
): Promise<number> {
  v8.setFlagsFromString(`--heap-growing-percent=${heapGrowthPercent}`);
  const logger = makeLogger(config.logLevel, logFile ?? 2);
  process.on("uncaughtException", (error) => {
    logger.fatal({ err: error }, `stopped by a fault of its own: ${error.message}`);
    process.exit(exitCodes.internal);
  });
  const asked = askedToStop();
  const listener: Trace = {
    detailed: false,
    emit: (event) => {
      if (event.kind === "role") tell({ type: "role", role: event.role, leader: event.leader });
    },
  };
  const server = new QuorumServer(config, logger, { listener });
  await server.start();
  logFile?.open();
  tell({ type: "started" });
  const reason = await asked;
  logger.info(`${reason}: handing leadership over and stopping`);
  const late = setTimeout(() => {
    logger.error(`not stopped within ${config.stopTimeoutMs} ms: leaving`);
    process.exit(exitCodes.failed);
  }, config.stopTimeoutMs);
  await server.stop();
  clearTimeout(late);
  return exitCodes.ok;
}

/** The first reason to stop; a second signal ends the process. */
function askedToStop(): Promise<string> {
  return new Promise((resolve) => {
    onStopSignal((signal, again) => {
      if (again) process.exit(stopExitCodes[signal]);
      resolve(signal);
    });
    // Nodes of `quorumlog start` do not outlive it, whatever became of it.
    process.once("disconnect", () => resolve("the process that started it is gone"));
  });
}
