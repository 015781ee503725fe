import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { projectRoot } from "../../support/sources.ts";
import { eventually, freePorts, isFree, program } from "./cluster.ts";
import type { Run } from "./run.ts";
import { run } from "./run.ts";

/** Three free ports in a row, with those 1000 above. */
export async function freeBase(): Promise<number> {
  for (;;) {
    const [base = 0, ...more] = await freePorts(3);
    const wanted = [0, 1, 2].flatMap((at) => [base + at, base + at + 1_000]);
    const inARow = more.every((port, at) => port === base + at + 1);
    if (inARow && (await Promise.all(wanted.map(isFree))).every(Boolean)) return base;
  }
}

interface Status {
  readonly leader: string | null;
  readonly nodes: readonly { readonly id: string; readonly pid: number }[];
}

const commandMsMax = 100_000;
/** Simulated time of a run of the simulator: an example is run to see that it works. */
const simulated = "10s";

/**
 * Types the commands of a document: on ports and in a directory of its own, where documents name those of `npm start`,
 * and with fewer seeds and less simulated time. A command that runs until Ctrl-C gets it once it has shown something.
 */
export class Terminal {
  readonly directory: string = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-terminal-"));
  private readonly base: number;
  /** `npm start`, and nodes that were started again beside it. */
  private readonly running: ChildProcess[] = [];

  private constructor(base: number) {
    this.base = base;
  }

  static async open(): Promise<Terminal> {
    return new Terminal(await freeBase());
  }

  get peers(): string {
    return [0, 1, 2].map((at) => `n${at}-127.0.0.1:${this.base + at}`).join(";");
  }

  /** Runs a command to its end, to its first Ctrl-C, or into the background. @returns undefined in the background. */
  async type(command: string): Promise<Run | undefined> {
    const text = await this.adapt(command);
    if (/^npm start$/.test(command)) {
      await this.started(`${text} -- --base-port ${this.base} --data ${this.directory}/data`);
      return undefined;
    }
    if (/^npm start -- --base-port/.test(command)) return this.interrupted(text, /What to type next/);
    if (/^bin\/quorumlog start --config/.test(command)) {
      await this.restarted(text);
      return undefined;
    }
    if (/ --follow\b/.test(command)) return this.interrupted(text, /\n/);
    return run("bash", ["-c", text], { cwd: projectRoot, env: this.env, timeoutMs: commandMsMax });
  }

  private get env(): Record<string, string> {
    return { QUORUMLOG_PEERS: this.peers };
  }

  /** What a document shows, as it is typed here. */
  private async adapt(command: string): Promise<string> {
    let text = command
      .replace(/\b4([01])91([123])\b/g, (_, kind, digit) =>
        String(this.base + Number(kind) * 1_000 + Number(digit) - 1),
      )
      .replace(/(^| )data\//g, `$1${this.directory}/data/`)
      .replace(/\b[\w-]+\.ndjson\b/g, (name) => path.join(this.directory, name))
      .replace(/--seeds (\d+)\.\.(\d+)/, (_, first, last) => {
        return `--seeds ${first}..${Math.min(Number(last), Number(first) + 1)}`;
      })
      .replace(/conf\/(n\d)\.conf/, (_, id) => this.configOf(id));
    if (/--base-port \d+/.test(text))
      text = text.replace(/--base-port \d+/, `--base-port ${await freeBase()}`);
    if (/^npm run sim -- .*--seeds?\b/.test(text) && !/--duration/.test(text))
      text += ` --duration ${simulated}`;
    if (/\bPID\b/.test(text)) text = text.replace(/\bPID\b/, String(await this.leaderPid()));
    return text;
  }

  /** A copy of a configuration file for the ports and the directory of this terminal. */
  private configOf(id: string): string {
    const file = path.join(this.directory, `${id}.conf`);
    const config = fs
      .readFileSync(path.join(projectRoot, "conf", `${id}.conf`), "utf8")
      .replace(/\b4([01])91([123])\b/g, (_, kind, digit) =>
        String(this.base + Number(kind) * 1_000 + Number(digit) - 1),
      )
      .replace(/^storePathRootDir *= *(.*)$/m, `storePathRootDir=${this.directory}/$1`);
    fs.writeFileSync(file, config);
    return file;
  }

  private async leaderPid(): Promise<number> {
    const args = [program, "log", "status", "--json"];
    const { code, stdout, stderr } = await run(process.execPath, args, { env: this.env });
    if (code !== 0) throw new Error(`no status: ${stderr}`);
    const { leader, nodes } = JSON.parse(stdout.toString()) as Status;
    const pid = nodes.find(({ id }) => id === leader)?.pid;
    if (pid === undefined) throw new Error(`no leader: ${stdout.toString()}`);
    return pid;
  }

  private spawn(text: string): { child: ChildProcess; said: () => string; complained: () => string } {
    // As at a terminal: a process group of its own, which Ctrl-C goes to.
    const child = spawn("bash", ["-c", text], {
      cwd: projectRoot,
      detached: true,
      env: { ...process.env, ...this.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    let complained = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    child.stderr?.on("data", (bytes: Buffer) => {
      complained += bytes.toString();
    });
    return { child, said: () => said, complained: () => complained };
  }

  private async started(text: string): Promise<void> {
    const { child, said, complained } = this.spawn(text);
    this.running.push(child);
    await eventually(
      "the table of three nodes",
      async () => {
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${complained()}`);
        return /What to type next/.test(said()) ? true : undefined;
      },
      20_000,
    );
  }

  private async restarted(text: string): Promise<void> {
    const { child, complained } = this.spawn(`exec ${text}`);
    this.running.push(child);
    const port = this.base + 1_000 + Number(/n(\d)\.conf/.exec(text)?.[1]);
    await eventually(
      "the node started and ready",
      async () => {
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${complained()}`);
        if (!complained().includes('"msg":"started"')) return undefined;
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
        return answer?.status === 200 ? true : undefined;
      },
      20_000,
    );
  }

  private async interrupted(text: string, shown: RegExp): Promise<Run> {
    const begun = performance.now();
    const { child, said, complained } = this.spawn(text);
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    await eventually(
      `something shown by ${text}`,
      async () => {
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${complained()}`);
        return shown.test(said()) ? true : undefined;
      },
      20_000,
    );
    process.kill(-(child.pid ?? 0), "SIGINT");
    const code = await ended;
    return { code, stdout: Buffer.from(said()), stderr: complained(), ms: performance.now() - begun };
  }

  /** Ctrl-C in every terminal. @returns the exit codes. */
  async close(): Promise<(number | null)[]> {
    const codes: (number | null)[] = [];
    for (const child of this.running.splice(0)) {
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
      if (child.exitCode === null) process.kill(-(child.pid ?? 0), "SIGINT");
      codes.push(child.exitCode ?? (await ended));
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
    return codes;
  }
}

/** Runs a program of a document as a module beside the package, so that it imports the package as users do. */
export async function runProgram(text: string, peers: string): Promise<Run> {
  const file = path.join(projectRoot, "dist", `shown-${process.pid}.mjs`);
  const adapted = text
    .replace(/new LogClient\(\)/, `new LogClient({ peers: ${JSON.stringify(peers)} })`)
    .replace(/n0-127\.0\.0\.1:40911;[^"]*/, peers)
    .replace(/\b50911\b/, String(await freeBase()));
  fs.writeFileSync(file, adapted);
  const cwd = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-shown-"));
  try {
    return await run(process.execPath, [file], { cwd });
  } finally {
    fs.rmSync(file);
    fs.rmSync(cwd, { recursive: true, force: true });
  }
}
