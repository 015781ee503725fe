import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { isInstalled } from "../support/processes.ts";
import type { Letter, Row, Turns } from "./measurement.ts";
import { countsProcessorTime, Shortest, shareOf } from "./measurement.ts";
import { pingPongInFlight, pingPongNodes } from "./ping-pong.ts";
import { raftBatch, raftNodes } from "./raft-core.ts";

/** One way to run a peer's program, and what it prints. */
interface Mode {
  readonly what: string;
  readonly args: readonly string[];
  readonly figures: readonly { readonly count: RegExp; readonly unit: string }[];
}

interface Program {
  readonly name: string;
  readonly folder: string;
  readonly letter: Letter;
  readonly flags?: string;
  readonly modes: readonly Mode[];
}

const delivered = { count: / delivered=(\d+)/, unit: "messages/s" };
const ofRaft = [
  { count: / msgs=(\d+)/, unit: "messages/s" },
  { count: / proposals=(\d+)/, unit: "proposals/s" },
];
const wallSeconds = / wall=([\d.]+)/;
/** What `times` of a shell says of its children. */
const childTimes = /\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n*$/;

function programs(messages: number, proposals: number): Program[] {
  const load = [pingPongNodes, pingPongInFlight, messages].map(String);
  const raftLoad = [raftNodes, raftBatch, proposals].map(String);
  return [
    {
      name: "madsim",
      folder: "madsim",
      letter: "b",
      flags: "--cfg madsim",
      modes: [{ what: "madsim, endpoints", args: ["ep", ...load], figures: [delivered] }],
    },
    {
      name: "turmoil",
      folder: "turmoil",
      letter: "b",
      modes: [{ what: "turmoil, UDP", args: ["udp", ...load], figures: [delivered] }],
    },
    {
      name: "raft-rs",
      folder: "raftrs",
      letter: "e",
      modes: [
        {
          what: "raft-rs with its codec, proposals each by itself",
          args: [...raftLoad, "codec"],
          figures: ofRaft,
        },
        {
          what: `raft-rs with its codec, proposals grouped by ${raftBatch}`,
          args: [...raftLoad, "codec", "group"],
          figures: ofRaft,
        },
      ],
    },
  ];
}

/** Outside the repository, so that what was built once is found again. */
export function cacheDirectory(): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? path.join(os.homedir(), ".cache");
  return path.join(cache, "quorumlog-bench", "simulators");
}

/** A program of others. By wall time its own clock counts; its processor time includes its start of some milliseconds. */
class PeerProgram implements Turns {
  readonly letter: Letter;
  private readonly binary: string;
  private readonly mode: Mode;
  private readonly shortest = new Shortest();
  private counts: readonly number[] = [];

  constructor(letter: Letter, binary: string, mode: Mode) {
    this.letter = letter;
    this.binary = binary;
    this.mode = mode;
  }

  async round(): Promise<void> {
    const { status, stdout } = spawnSync("sh", ["-c", '"$@"; times', "sh", this.binary, ...this.mode.args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ms =
      1_000 * (countsProcessorTime() ? processorSeconds(stdout) : Number(wallSeconds.exec(stdout)?.[1]));
    this.counts = this.mode.figures.map(({ count }) => Number(count.exec(stdout)?.[1]));
    if (status !== 0 || ![ms, ...this.counts].every((value) => value > 0))
      throw new Error(`${this.binary} ended with ${status} and ${JSON.stringify(stdout)}`);
    this.shortest.take(ms);
  }

  async rows(bare: number | undefined): Promise<readonly Row[]> {
    return this.mode.figures.map(({ unit }, i): Row => {
      const value = this.shortest.perSecond(this.counts[i] ?? 0);
      const row = { letter: this.letter, what: i === 0 ? this.mode.what : "  the same", value, unit };
      return i === 0 ? { ...row, ...shareOf(value, bare) } : row;
    });
  }

  stop(): void {}
}

function processorSeconds(stdout: string): number {
  const [, ...parts] = childTimes.exec(stdout) ?? [];
  const [userMinutes = 0, user = 0, systemMinutes = 0, system = 0] = parts.map(Number);
  return (userMinutes + systemMinutes) * 60 + user + system;
}

/** Copies what changed, and only that: cargo builds anew what looks new. */
function copySources(from: string, to: string): void {
  for (const name of ["Cargo.toml", path.join("src", "main.rs")]) {
    const text = fs.readFileSync(path.join(from, name));
    const target = path.join(to, name);
    if (fs.existsSync(target) && fs.readFileSync(target).equals(text)) continue;
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
  }
}

/** @returns the program, or why there is none. */
function build(
  program: Program,
  sources: string,
): { readonly binary: string } | { readonly missing: string } {
  const from = path.join(sources, program.folder);
  if (!fs.existsSync(path.join(from, "Cargo.toml")))
    return { missing: `no Cargo.toml in ${from} (--peers-dir DIR names the folder above it)` };
  const to = path.join(cacheDirectory(), program.folder);
  copySources(from, to);
  const binary = path.join(to, "target", "release", `pp_${program.folder}`);
  if (!fs.existsSync(binary)) process.stderr.write(`building ${program.name} in ${to}; it takes minutes\n`);
  const flags = program.flags === undefined ? {} : { RUSTFLAGS: program.flags };
  const { status } = spawnSync("nice", ["-n", "19", "cargo", "build", "--release", "--quiet", "-j", "1"], {
    cwd: to,
    env: { ...process.env, CARGO_TARGET_DIR: path.join(to, "target"), ...flags },
    stdio: ["ignore", process.stderr.fd, process.stderr.fd],
  });
  if (status !== 0) return { missing: `cargo could not build it in ${to}` };
  return { binary };
}

export interface PeerWork {
  readonly messages: number;
  readonly proposals: number;
  /** The folder with `madsim`, `turmoil` and `raftrs`. */
  readonly sources: string;
  readonly only: readonly Letter[];
}

/** Builds what can be built. @returns what can be measured; `leaveOut` hears of the rest. */
export function peers(work: PeerWork, leaveOut: (what: string) => void): Turns[] {
  const wanted = programs(work.messages, work.proposals).filter(({ letter }) => work.only.includes(letter));
  if (!isInstalled("cargo")) {
    for (const { name } of wanted) leaveOut(`${name}: cargo is not installed`);
    return [];
  }
  return wanted.flatMap((program) => {
    const built = build(program, work.sources);
    if ("binary" in built)
      return program.modes.map((mode) => new PeerProgram(program.letter, built.binary, mode));
    leaveOut(`${program.name}: ${built.missing}`);
    return [];
  });
}
