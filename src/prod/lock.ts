import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import type { Done } from "../core/base/task.ts";
import { DiskFault } from "../core/io/disk.ts";

/** Tells people which process uses the directory, and keeps processes apart that do not share a network namespace. */
export const lockFileName = "quorumlog.lock";

/** How long a killed holder may take to let go (its last writes are still in the kernel) before it counts as alive. */
const lettingGoMsMax = 3_000;
const retryMs = 50;
const answerMsMax = 250;

type Release = (done: Done<void>) => void;

interface Holder {
  readonly pid: number;
  /** When the process started, in the kernel's ticks since boot: tells a process from a later one with its pid. */
  readonly started: string;
  readonly boot: string;
}

/**
 * Keeps a second process out of a directory. Node has no flock, so the lock is a socket in Linux's abstract namespace,
 * named by the directory's device and inode: the kernel takes it away with the process, however that ends. A file
 * with pid and start time says who it is, and stands in where there are no abstract sockets.
 */
export function lockDirectory(
  directory: string,
  done: (error: Error | undefined, release?: Release) => void,
): void {
  fs.stat(directory, { bigint: true }, (error, stat) => {
    if (error !== null) return done(error);
    const giveUpAt = performance.now() + lettingGoMsMax;
    const attempt = (): void => {
      hold(stat, (held, server) => {
        const refusal = held ? liveHolder(directory) : undefined;
        if (held && refusal === undefined) return finish(directory, server, done);
        server?.close();
        if (refusal !== undefined) return done(locked(directory, refusal.pid));
        askHolder(stat, (pid) => {
          // A holder that answers lives. One that does not may be dying, or stopped: it gets time to let go.
          if (pid === undefined && performance.now() < giveUpAt) setTimeout(attempt, retryMs);
          else done(locked(directory, pid ?? readHolder(directory)?.pid));
        });
      });
    };
    attempt();
  });
}

function locked(directory: string, pid: number | undefined): DiskFault {
  return new DiskFault("locked", `${directory} is in use by process ${pid ?? "(unknown)"}`);
}

/** Undefined where the host has no abstract sockets: then only the file stands between two processes. */
function socketName(stat: fs.BigIntStats): string | undefined {
  if (process.platform !== "linux") return undefined;
  const digest = createHash("sha256").update(`${stat.dev}:${stat.ino}`).digest("hex");
  return `\0quorumlog/${digest.slice(0, 32)}`;
}

function hold(stat: fs.BigIntStats, done: (held: boolean, server: net.Server | undefined) => void): void {
  const name = socketName(stat);
  if (name === undefined) {
    done(true, undefined);
    return;
  }
  const server = net.createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(String(process.pid));
  });
  server.once("error", () => done(false, undefined));
  server.listen({ path: name, exclusive: true }, () => {
    server.unref();
    done(true, server);
  });
}

function askHolder(stat: fs.BigIntStats, done: (pid: number | undefined) => void): void {
  const name = socketName(stat);
  if (name === undefined) {
    done(undefined);
    return;
  }
  const socket = net.connect(name);
  let answer = "";
  socket.setTimeout(answerMsMax, () => socket.destroy());
  socket.on("data", (bytes) => {
    answer = (answer + bytes.toString("latin1")).slice(0, 16);
  });
  socket.on("error", () => socket.destroy());
  socket.once("close", () => done(/^\d+$/.test(answer) ? Number(answer) : undefined));
}

function finish(
  directory: string,
  server: net.Server | undefined,
  done: (error: Error | undefined, release?: Release) => void,
): void {
  const file = path.join(directory, lockFileName);
  const mine: Holder = { pid: process.pid, started: startOf(process.pid) ?? "", boot: bootId() };
  fs.writeFile(file, `${JSON.stringify(mine)}\n`, (error) => {
    if (error !== null) {
      server?.close();
      return done(error);
    }
    done(undefined, (released) => {
      fs.rm(file, { force: true }, (failed) => {
        if (server === undefined) return released(failed ?? undefined, undefined);
        server.close(() => released(failed ?? undefined, undefined));
      });
    });
  });
}

function readHolder(directory: string): Holder | undefined {
  try {
    const { pid, started, boot } = JSON.parse(fs.readFileSync(path.join(directory, lockFileName), "utf8"));
    return Number.isSafeInteger(pid) ? { pid, started: String(started), boot: String(boot) } : undefined;
  } catch {
    return undefined; // None, or torn by a crash: nobody is named.
  }
}

/** The process that the file names, if it is another one and still runs. */
function liveHolder(directory: string): Holder | undefined {
  const holder = readHolder(directory);
  if (holder === undefined || holder.pid === process.pid) return undefined;
  if (holder.boot !== bootId()) return undefined;
  if (holder.started === "") return isAlive(holder.pid) ? holder : undefined;
  return startOf(holder.pid) === holder.started ? holder : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Undefined when there is no such process, or no /proc, or it is a zombie that only waits to be collected. */
function startOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command stands in brackets and may hold anything; fields are counted behind the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}
