import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { exitCodes } from "../prod/exit-codes.ts";
import { logFileVariable } from "../prod/log-file.ts";
import type { ServerNews } from "../prod/server-news.ts";

/** A node that told why it cannot start has nothing left to do but leave. */
const leaveMsMax = 3_000;
const saidCharsMax = 8_192;

export interface NodePlan {
  readonly id: string;
  readonly port: number;
  readonly httpPort: number;
  readonly data: string;
  readonly peers: string;
  readonly log: string;
}

export interface Running {
  readonly plan: NodePlan;
  readonly child: ChildProcess;
  /** How it ended; undefined while it runs. */
  ended: string | undefined;
  code: number;
  role: string;
  /** The end of what it wrote to standard error before it ran. */
  said: string;
  /** Who leads, as far as this node knows; empty while it does not. */
  leader: string;
  /** Told at each change of role or leader. */
  onRole: () => void;
  readonly exited: Promise<void>;
}

export type Started = "started" | { readonly failed: string };

/**
 * Starts a node as a process.
 * @param args of Node.js: the program and what it is told.
 */
export function startNode(
  plan: NodePlan,
  args: readonly string[],
): { readonly node: Running; readonly started: Promise<Started> } {
  // A group of its own: Ctrl-C reaches this process only, which then stops the nodes in order.
  const env = { ...process.env, [logFileVariable]: plan.log };
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    detached: true,
    env,
  });
  let tell: (started: Started) => void = () => undefined;
  const started = new Promise<Started>((resolve) => {
    tell = resolve;
  });
  let leave: () => void = () => undefined;
  const exited = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const none = { ended: undefined, code: 0, role: "unknown", leader: "", said: "", onRole: () => undefined };
  const node: Running = { plan, child, exited, ...none };
  let runs = false;
  // Its log goes to a file of its own once it runs. What it says here is why it does not, or what the host says of it.
  child.stderr?.on("data", (bytes: Buffer) => {
    if (runs) process.stderr.write(bytes);
    else node.said = (node.said + bytes.toString()).slice(-saidCharsMax);
  });
  child.on("message", (news: ServerNews) => {
    if (news.type === "role") {
      node.role = news.role;
      node.leader = news.role === "leader" ? plan.id : news.leader;
      node.onRole();
      return;
    }
    runs = news.type === "started";
    tell(news.type === "started" ? "started" : { failed: news.message });
  });
  const end = (how: string, code: number): void => {
    node.ended = how;
    node.code = code;
    tell({ failed: how });
    leave();
  };
  child.once("error", (error) => end(error.message, exitCodes.internal));
  // Once it has ended and all that it wrote is here.
  child.once("close", (code, signal) =>
    end(
      signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`,
      code ?? exitCodes.failed,
    ),
  );
  return { node, started };
}

/**
 * The exit code of the first node that could not start. It says why before it leaves, so its code is waited for: a
 * node that is stopped meanwhile would end with another one.
 */
export async function codeOfFailure(
  running: readonly Running[],
  outcome: readonly Started[],
): Promise<number> {
  const failed = running.filter((_, at) => outcome[at] !== "started");
  let late: NodeJS.Timeout | undefined;
  const tooLong = new Promise<void>((resolve) => {
    late = setTimeout(resolve, leaveMsMax);
  });
  await Promise.race([Promise.all(failed.map(({ exited }) => exited)), tooLong]);
  clearTimeout(late);
  const told = failed.find(({ ended }) => ended !== undefined);
  return told?.code ?? exitCodes.internal;
}
