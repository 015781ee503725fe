import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { LogError } from "../core/base/errors.ts";
import { configKeys } from "../prod/config-keys.ts";
import type { DirectorySetting } from "../prod/directory.ts";
import { directoryFault, makeDirectories } from "../prod/directory.ts";
import { exitCodes } from "../prod/exit-codes.ts";
import { onStopSignal, stopExitCodes } from "../prod/stop-signals.ts";
import { table } from "./log-output.ts";
import type { NodePlan, Running, Started } from "./start-node.ts";
import { codeOfFailure, startNode } from "./start-node.ts";
import type { StartRequest } from "./start-options.ts";
import { defaultBasePort, httpOffset } from "./start-options.ts";

/** How long three nodes may take to elect a leader before the table is printed without one. */
const leaderMsMax = 10_000;
/** A node that has not stopped by then is killed. */
const stopMsMax = 10_000;

/** Starts three nodes, watches them, and stops them at the first signal. @returns the exit code. */
export async function startCluster(request: StartRequest): Promise<number> {
  tellLeftOut();
  const setting = dataSetting(request);
  const plans = planNodes(request, setting.value);
  // All of them before the first node runs: what is wrong with one place leaves nothing to be stopped.
  for (const plan of plans) checkLog(plan, setting);
  const signal = firstSignal();
  const running: Running[] = [];
  const starts: Promise<Started>[] = [];
  for (const plan of plans) {
    const args = [program, "start", ...nodeArguments(plan, request.flags)];
    const { node, started } = startNode(plan, args);
    running.push(node);
    starts.push(started);
  }
  signal.onSecond = () => {
    for (const node of running) node.child.kill("SIGKILL");
    process.exit(signal.code);
  };
  const outcome = await Promise.race([Promise.all(starts), signal.first]);
  if (typeof outcome === "string") return stopAll(running);
  if (outcome.some((started) => started !== "started")) {
    tellFailure(running, outcome);
    const code = await codeOfFailure(running, outcome);
    await stopAll(running);
    return code;
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

/** Variables of one node, which three cannot share. A shell may have them for another purpose, so they are no error. */
function tellLeftOut(): void {
  for (const { key, env } of configKeys) {
    if (!["dLegerPeers", "httpPort"].includes(key) || process.env[env] === undefined) continue;
    process.stderr.write(
      `variable ${env} is left out: it is of one node; ports of three follow --base-port\n`,
    );
  }
}

/**
 * Where the nodes' directories go, and who says so.
 * @throws LogError bad-configuration when it is no place.
 */
function dataSetting({ flags }: StartRequest): DirectorySetting {
  const row = configKeys.find(({ key }) => key === "storePathRootDir");
  const flag = flags["storePathRootDir"];
  const variable = process.env[row?.env ?? ""];
  const setting =
    flag !== undefined
      ? { value: flag.trim(), origin: `flag --${row?.flag}` }
      : {
          value: (variable ?? "data").trim(),
          origin: variable === undefined ? "default" : `variable ${row?.env}`,
        };
  if (setting.value !== "") return setting;
  // Each node would find its directory in the working directory, where nobody looks for it.
  const text = `storePathRootDir is "" (${setting.origin}); allowed: ${row?.allowed}`;
  throw new LogError("bad-configuration", text);
}

function planNodes({ basePort }: StartRequest, data: string): NodePlan[] {
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

/**
 * Whether a node's log can be written; makes the directory around it. Nothing is written here: another node may use it.
 * @throws LogError bad-configuration when that is no place for data.
 */
function checkLog(plan: NodePlan, setting: DirectorySetting): void {
  try {
    makeDirectories(path.dirname(plan.log));
    fs.closeSync(fs.openSync(plan.log, "a"));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const fault = code === "ENOSPC" || code === "EDQUOT" ? "disk-full" : "disk-error";
    throw (
      directoryFault(setting, error as NodeJS.ErrnoException) ??
      new LogError(fault, `the log ${plan.log}: ${message}`, { cause: error })
    );
  }
}

/** What stopped several of them for the same reason, as a wrong setting does, is told once. */
function tellFailure(running: readonly Running[], outcome: readonly Started[]): void {
  const failed = new Map<string, string[]>();
  outcome.forEach((started, at) => {
    const node = running[at];
    if (started === "started" || node === undefined) return;
    // One that left without a word to this process may have said something all the same.
    const said = node.ended === started.failed && node.said !== "" ? `\n${node.said.trimEnd()}` : "";
    const why = started.failed + said;
    failed.set(why, [...(failed.get(why) ?? []), node.plan.id]);
  });
  for (const [why, ids] of failed) process.stderr.write(`${ids.join(", ")} could not start: ${why}\n`);
}

function tellDeath({ plan, child, ended }: Running, request: StartRequest): void {
  process.stderr.write(
    `\n${plan.id} (pid ${child.pid}) ${ended}; the others go on. Its log: ${plan.log}\nStart it again: ${restartCommand(plan, request)}\n`,
  );
}

/** What starts one node of the three again. */
function restartCommand(plan: NodePlan, { basePort, flags }: StartRequest): string {
  const plain = basePort === defaultBasePort && Object.keys(flags).length === 0;
  // The configurations of the repository describe the nodes of a plain start, whatever lies in other directories.
  if (plain && command === "bin/quorumlog" && fs.existsSync(`conf/${plan.id}.conf`))
    return `${command} start --config conf/${plan.id}.conf`;
  return `${command} start ${nodeArguments(plan, flags).map(quoted).join(" ")}`;
}

function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The compiled program, wherever this module runs from. */
const program = fileURLToPath(new URL("./quorumlog.js", import.meta.url));
/**
 * How people call it from here. Never through npx: where no such package is installed, that runs whatever the registry
 * has under the name.
 */
const command = commandFrom(process.cwd());

export function commandFrom(directory: string): string {
  const root = path.dirname(path.dirname(path.dirname(program)));
  const script = path.join(root, "bin", "quorumlog");
  if (directory === root && fs.existsSync(script)) return "bin/quorumlog";
  return `node ${quoted(program)}`;
}

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
  process.stdout.write(`${table(["node", "role", "pid", "address", "HTTP", "data"], rows)}\n`);
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
  onStopSignal((signal, again) => {
    signals.code = stopExitCodes[signal];
    if (again) signals.onSecond();
    resolveFirst(signal);
  });
  return signals;
}
