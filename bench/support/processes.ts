import type { ChildProcess, StdioOptions } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import * as net from "node:net";

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", 'command -v -- "$1"', "sh", program]).status === 0;
}

/** Processes that this one started and that still run. */
const owned = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of owned) child.kill("SIGKILL");
});

/** Starts a process that does not outlive this one, unless this one is killed. */
export function spawnOwned(program: string, args: readonly string[], stdio: StdioOptions): ChildProcess {
  const child = spawn(program, [...args], { stdio });
  owned.add(child);
  child.on("error", (error) => process.stderr.write(`${program}: ${error.message}\n`));
  child.once("exit", () => owned.delete(child));
  return child;
}

/** Ends a process of `spawnOwned` and waits until it is gone. */
export function stopOwned(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  return gone;
}

/** Child processes of a benchmark; none outlives it. */
export class Children {
  private readonly children: ChildProcess[] = [];

  /** @param errors where its standard error goes: a peer's chatter is left out. */
  start(program: string, args: readonly string[], errors: "inherit" | "ignore"): ChildProcess {
    const child = spawnOwned(program, args, ["ignore", "ignore", errors]);
    this.children.push(child);
    return child;
  }

  get pids(): readonly number[] {
    return this.children.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.splice(0).map(stopOwned));
  }
}

/** Ports that nobody uses now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  for (const server of servers)
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

/** What was asked for will not come: its processes were ended. */
export class Abandoned extends Error {
  override readonly name = "Abandoned";
}

/** Tries until the call succeeds. @throws Abandoned at once when the call does. */
export async function persist<T>(what: string, call: () => Promise<T>, msMax = 20_000): Promise<T> {
  const until = performance.now() + msMax;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (error instanceof Abandoned) throw error;
      if (performance.now() > until)
        throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
