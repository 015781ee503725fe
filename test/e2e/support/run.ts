import { spawn } from "node:child_process";
import { program } from "./cluster.ts";

export interface Run {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Runs the compiled command line to its end. */
export function quorumlog(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  return run(process.execPath, [program, ...args], options);
}

export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const begun = performance.now();
  const child = spawn(file, [...args], {
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 20_000,
    killSignal: "SIGKILL",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) =>
      resolve({
        code,
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString(),
        ms: performance.now() - begun,
      }),
    );
  });
}

/** The one JSON object that a command printed. */
export function jsonOf<T>(result: Run): T {
  const text = result.stdout.toString();
  if (!/^[^\n]+\n$/.test(text)) throw new Error(`not one line: ${text}\n${result.stderr}`);
  return JSON.parse(text) as T;
}
