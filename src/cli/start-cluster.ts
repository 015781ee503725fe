import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { configKeys } from "../prod/config-keys.ts";
import { exitCodes } from "../prod/exit-codes.ts";
import type { ServerNews } from "../prod/server-news.ts";
import { sameSignalMs } from "../prod/server-news.ts";
import { table } from "./log-output.ts";
import type { StartRequest } from "./start-options.ts";
import { defaultBasePort, httpOffset } from "./start-options.ts";

/** How long three nodes may take to elect a leader before the table is printed without one. */
const leaderMsMax = 10_000;
/** A node that has not stopped by then is killed. */
const stopMsMax = 10_000;
const logBytesMax = 16 * 1_024 * 1_024;

interface NodePlan {
  readonly id: string;
  readonly port: number;
  readonly httpPort: number;
  readonly data: string;
  readonly peers: string;
  readonly log: string;
}

interface Running {
  readonly plan: NodePlan;
  readonly child: ChildProcess;
  /** How it ended; undefined while it runs. */
  ended: string | undefined;
  code: number;
  role: string;
  /** Who leads, as far as this node knows; empty while it does not. */
  leader: string;
  /** Told at each change of role or leader. */
  onRole: () => void;
  readonly exited: Promise<void>;
}

type Started = "started" | { readonly failed: string };

/** Starts three nodes, watches them, and stops them at the first signal. @returns the exit code. */
export async function startCluster(request: StartRequest): Promise<number> {
  const plans = planNodes(request);
  const signal = firstSignal();
  const running: Running[] = [];
  const starts: Promise<Started>[] = [];
  for (const plan of plans) {
    const { node, started } = startNode(plan, request.flags);
    running.push(node);
    starts.push(started);
  }
  signal.onSecond = () => {
    for (const node of running) node.child.kill("SIGKILL");
    process.exit(signal.code);
  };
  const outcome = await Promise.race([Promise.all(starts), signal.first]);
  if (typeof outcome === "string") return stopAll(running);
  const failed = outcome.findIndex((started) => started !== "started");
  if (failed >= 0) {
    tellFailure(running, outcome);
    await stopAll(running);
    return running[failed]?.code ?? exitCodes.internal;
  }
  let stopping = false;
  for (const node of running) void node.exited.then(() => stopping || tellDeath(node, request));
  await showCluster(running, request, signal.first);
  const allDead = Promise.all(running.map((node) => node.exited)).then(() => "dead" as const);
  const end = await Promise.race([signal.first, allDead]);
  if (end === "dead") {
    process.stderr.write("every node has died\n");
    return exitCodes.failed;
  }
  stopping = true;
  process.stdout.write("\nstopping: leadership is handed over, logs are closed\n");
  return stopAll(running);
}

function planNodes({ basePort, flags }: StartRequest): NodePlan[] {
  const data = flags["storePathRootDir"] ?? process.env["QUORUMLOG_STORE_PATH_ROOT_DIR"] ?? "data";
  const ids = [0, 1, 2].map((at) => ({ id: `n${at}`, port: basePort + at }));
  const peers = ids.map(({ id, port }) => `${id}-127.0.0.1:${port}`).join(";");
  return ids.map(({ id, port }) => ({
    id,
    port,
    httpPort: port + httpOffset,
    data: path.join(data, id),
    peers,
    log: path.join(data, `${id}.log`),
  }));
}

function nodeArguments(plan: NodePlan, flags: StartRequest["flags"]): string[] {
  const own = {
    dLegerSelfId: plan.id,
    dLegerPeers: plan.peers,
    storePathRootDir: plan.data,
    httpPort: String(plan.httpPort),
  };
  return flagArguments({ ...flags, ...own });
}

function flagArguments(flags: StartRequest["flags"]): string[] {
  return Object.entries(flags).flatMap(([key, value]) => {
    const row = configKeys.find((one) => one.key === key);
    return row === undefined ? [] : [`--${row.flag}`, value];
  });
}

function startNode(
  plan: NodePlan,
  flags: StartRequest["flags"],
): { node: Running; started: Promise<Started> } {
  fs.mkdirSync(path.dirname(plan.log), { recursive: true });
  // One old log is kept: a log that only grows would fill the disk.
  if ((fs.statSync(plan.log, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax)
    fs.renameSync(plan.log, `${plan.log}.1`);
  const log = fs.openSync(plan.log, "a");
  // A group of its own: Ctrl-C reaches this process only, which then stops the nodes in order.
  const child = spawn(process.execPath, [program, "start", ...nodeArguments(plan, flags)], {
    stdio: ["ignore", log, log, "ipc"],
    detached: true,
  });
  fs.closeSync(log);
  let tell: (started: Started) => void = () => undefined;
  const started = new Promise<Started>((resolve) => {
    tell = resolve;
  });
  let leave: () => void = () => undefined;
  const exited = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const none = { ended: undefined, code: 0, role: "unknown", leader: "", onRole: () => undefined };
  const node: Running = { plan, child, exited, ...none };
  child.on("message", (news: ServerNews) => {
    if (news.type === "role") {
      node.role = news.role;
      node.leader = news.role === "leader" ? plan.id : news.leader;
      node.onRole();
    } else tell(news.type === "started" ? "started" : { failed: news.message });
  });
  const end = (how: string, code: number): void => {
    node.ended = how;
    node.code = code;
    tell({ failed: how });
    leave();
  };
  child.once("error", (error) => end(error.message, exitCodes.internal));
  child.once("exit", (code, signal) =>
    end(
      signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`,
      code ?? exitCodes.failed,
    ),
  );
  return { node, started };
}

function tellFailure(running: readonly Running[], outcome: readonly Started[]): void {
  outcome.forEach((started, at) => {
    const plan = running[at]?.plan;
    if (started === "started" || plan === undefined) return;
    process.stderr.write(`${plan.id} could not start: ${started.failed}\n  its log: ${plan.log}\n`);
  });
}

function tellDeath({ plan, child, ended }: Running, request: StartRequest): void {
  process.stderr.write(
    `\n${plan.id} (pid ${child.pid}) ${ended}; the others go on. Its log: ${plan.log}\nStart it again: ${restartCommand(plan, request)}\n`,
  );
}

/** What starts one node of the three again. */
function restartCommand(plan: NodePlan, { basePort, flags }: StartRequest): string {
  const plain = basePort === defaultBasePort && Object.keys(flags).length === 0;
  if (plain && fs.existsSync(`conf/${plan.id}.conf`)) return `${command} start --config conf/${plan.id}.conf`;
  return `${command} start ${nodeArguments(plan, flags).map(quoted).join(" ")}`;
}

function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The compiled program, wherever this module runs from. */
const program = fileURLToPath(new URL("./quorumlog.js", import.meta.url));
/** How people call it from here. */
const command = fs.existsSync("bin/quorumlog") ? "bin/quorumlog" : "npx quorumlog";

/** Prints the table once the nodes agree on a leader, or when that takes too long. */
async function showCluster(
  running: readonly Running[],
  request: StartRequest,
  stop: Promise<string>,
): Promise<void> {
  const agreed = new Promise<void>((resolve) => {
    const look = (): void => {
      const left = running.filter((node) => node.ended === undefined);
      const leader = left.find(({ role }) => role === "leader");
      if (leader !== undefined && left.every((node) => node.leader === leader.plan.id)) resolve();
    };
    for (const node of running) node.onRole = look;
    look();
  });
  let late: NodeJS.Timeout | undefined;
  const tooLong = new Promise<void>((resolve) => {
    late = setTimeout(resolve, leaderMsMax);
  });
  const stopped = await Promise.race([agreed, tooLong, stop]);
  clearTimeout(late);
  if (stopped !== undefined) return;
  const rows = running.map(({ plan, child, role }) => [
    plan.id,
    role,
    String(child.pid),
    `127.0.0.1:${plan.port}`,
    `http://127.0.0.1:${plan.httpPort}`,
    plan.data,
  ]);
  process.stdout.write(`${table(["node", "role", "pid", "gRPC", "HTTP", "data"], rows)}\n`);
  process.stdout.write(whatNext(running, request));
}

function whatNext(running: readonly Running[], request: StartRequest): string {
  const [first] = running;
  if (first === undefined) return "";
  const group = request.flags["dLegerGroup"];
  const elsewhere = [
    ...(request.basePort === defaultBasePort ? [] : [` --peers ${quoted(first.plan.peers)}`]),
    ...(group === undefined ? [] : [` --group ${quoted(group)}`]),
  ].join("");
  const leader = running.find(({ role }) => role === "leader") ?? first;
  const lines = [
    `${command} log append${elsewhere} --data hello`,
    `${command} log tail${elsewhere} --follow`,
    `${command} log status${elsewhere}`,
    `curl http://127.0.0.1:${first.plan.httpPort}/metrics`,
    `kill -9 ${leader.child.pid}        # the leader: another one takes over`,
  ];
  return `\nWhat to type next, in another terminal (Ctrl-C here stops all three):\n  ${lines.join("\n  ")}\n`;
}

/** Stops one node after the other, each time the leader, while there is somebody to hand over to. */
async function stopAll(running: readonly Running[]): Promise<number> {
  for (;;) {
    const left = running.filter((node) => node.ended === undefined);
    const next = left.find((node) => node.role === "leader") ?? left[0];
    if (next === undefined) return exitCodes.ok;
    next.child.kill("SIGTERM");
    const late = setTimeout(() => next.child.kill("SIGKILL"), stopMsMax);
    await next.exited;
    clearTimeout(late);
  }
}

interface Signals {
  readonly first: Promise<string>;
  code: number;
  onSecond: () => void;
}

function firstSignal(): Signals {
  let resolveFirst: (name: string) => void = () => undefined;
  const first = new Promise<string>((resolve) => {
    resolveFirst = resolve;
  });
  const signals: Signals = { first, code: exitCodes.interrupted, onSecond: () => undefined };
  let firstAt = Number.POSITIVE_INFINITY;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      signals.code = name === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
      const now = performance.now();
      if (now > firstAt + sameSignalMs) signals.onSecond();
      firstAt = Math.min(firstAt, now);
      resolveFirst(name);
    });
  }
  return signals;
}
