import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { LogClient } from "#prod/log-client";
import { etcd } from "./peers/etcd.ts";
import { nats } from "./peers/nats.ts";
import type { Peer, PeerRun } from "./peers/peer.ts";
import type { DiskProbe } from "./support/disk-probe.ts";
import { probeDisk } from "./support/disk-probe.ts";
import type { Figures } from "./support/figures.ts";
import { measure } from "./support/figures.ts";
import { Children, freePorts, isInstalled, persist } from "./support/processes.ts";

const usage = `Usage: npm run bench -- append [--seconds N] [--bytes N] [--in-flight N,N] [--dir DIR] [--alone] [--json]

Appends to three processes on this machine, and where they are installed to the same with NATS JetStream and etcd.
Figures of one run may be compared with each other only.`;

const exitUsage = 64;
/** Each system is warmed up alike, before anything is counted. */
const warmUpInFlight = 64;
const warmUpSecondsMax = 3;

/** quorumlog itself, behind the same interface as its peers. */
const quorumlog: Peer = {
  name: "quorumlog, 3 nodes",
  program: "node",
  note: "acknowledged once a majority has synced it",
  start,
};

async function start(directory: string): Promise<PeerRun> {
  const children = new Children();
  const ports = await freePorts(6);
  const peers = [0, 1, 2].map((at) => `n${at}-127.0.0.1:${ports[at]}`).join(";");
  const program = fileURLToPath(new URL("../cli/quorumlog.js", import.meta.url));
  for (let at = 0; at < 3; at++) {
    const own = [
      "--self-id",
      `n${at}`,
      "--data",
      path.join(directory, `n${at}`),
      "--http-port",
      String(ports[3 + at]),
    ];
    children.start(
      process.execPath,
      [program, "start", ...own, "--peers", peers, "--log-level", "error"],
      "inherit",
    );
  }
  const client = new LogClient({ peers, name: "bench" });
  await persist("quorumlog", () => client.append("first"));
  return {
    append: async (payload) => void (await client.append(payload)),
    stop: async () => {
      await client.close();
      await children.stop();
    },
  };
}

interface Options {
  readonly seconds: number;
  readonly bytes: number;
  readonly inFlight: readonly number[];
  readonly directory: string;
  readonly alone: boolean;
  readonly json: boolean;
}

function parse(args: readonly string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seconds: { type: "string", default: "4" },
        bytes: { type: "string", default: "1024" },
        "in-flight": { type: "string", default: "1,256" },
        dir: { type: "string", default: os.tmpdir() },
        alone: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    const numbers = [values.seconds, values.bytes, ...values["in-flight"].split(",")].map(Number);
    if (numbers.some((value) => !Number.isSafeInteger(value) || value < 1))
      throw new Error("counts are whole numbers from 1");
    const [seconds = 4, bytes = 1_024, ...inFlight] = numbers;
    return { seconds, bytes, inFlight, directory: values.dir, alone: values.alone, json: values.json };
  } catch (error) {
    process.stderr.write(`bench append: ${(error as Error).message}\n${usage}\n`);
    return undefined;
  }
}

/** `npm run bench -- append`. @returns the exit code. */
export async function benchmark(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (options === undefined) return exitUsage;
  const root = fs.mkdtempSync(path.join(options.directory, "quorumlog-bench-"));
  const figures: Figures[] = [];
  const leftOut: string[] = [];
  try {
    const disk = await probeDisk(root);
    for (const peer of options.alone ? [quorumlog] : [quorumlog, nats, etcd]) {
      if (peer === quorumlog || isInstalled(peer.program))
        figures.push(...(await measurePeer(peer, root, options)));
      else leftOut.push(`${peer.name}: ${peer.program} is not installed`);
    }
    report(disk, figures, leftOut, options);
    return 0;
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

async function measurePeer(
  peer: Peer,
  root: string,
  { seconds, bytes, inFlight }: Options,
): Promise<Figures[]> {
  const directory = path.join(root, peer.program);
  fs.mkdirSync(directory);
  const run = await peer.start(directory);
  const payload = new Uint8Array(bytes).fill(65);
  const figures: Figures[] = [];
  try {
    // One request at a time is too slow a load for compilers and caches to settle under.
    const warmUp = { bytes, seconds: Math.min(seconds, warmUpSecondsMax), note: "" };
    await measure({ name: peer.name, inFlight: warmUpInFlight, ...warmUp }, () => run.append(payload));
    for (const count of inFlight) {
      const load = { name: peer.name, inFlight: count, bytes, seconds, note: peer.note };
      figures.push(await measure(load, () => run.append(payload)));
    }
  } finally {
    await run.stop();
  }
  return figures;
}

/** How quorumlog compares with a peer under the same load: above 1 it does more, and waits longer. */
interface Ratio {
  readonly peer: string;
  readonly inFlight: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

function ratiosOf(figures: readonly Figures[]): Ratio[] {
  const own = figures.filter(({ name }) => name === quorumlog.name);
  return figures
    .filter(({ name }) => name !== quorumlog.name)
    .flatMap((peer) => {
      const ours = own.find(({ inFlight }) => inFlight === peer.inFlight);
      if (ours === undefined) return [];
      const ratio = (mine: number, theirs: number): number => Math.round((mine / theirs) * 100) / 100;
      return [
        {
          peer: peer.name,
          inFlight: peer.inFlight,
          perSecond: ratio(ours.perSecond, peer.perSecond),
          p50: ratio(ours.p50Ms, peer.p50Ms),
          p99: ratio(ours.p99Ms, peer.p99Ms),
        },
      ];
    });
}

function report(
  disk: DiskProbe,
  figures: readonly Figures[],
  leftOut: readonly string[],
  options: Options,
): void {
  if (options.json) {
    const all = { disk, figures, ratios: ratiosOf(figures), leftOut, processors: os.cpus().length };
    process.stdout.write(`${JSON.stringify(all)}\n`);
    return;
  }
  const lines = [
    `${os.cpus().length} processors, ${disk.fileSystem}; 1 KiB and fdatasync: p50 ${disk.syncP50Ms} ms, p99 ${disk.syncP99Ms} ms`,
    "",
    row(["system", "bytes", "in flight", "acked/s", "p50 ms", "p99 ms", "note"]),
    ...figures.map(({ name, bytes, inFlight, perSecond, p50Ms, p99Ms, note }) =>
      row([name, bytes, inFlight, perSecond, p50Ms, p99Ms, note]),
    ),
    ...ratiosOf(figures).map(
      ({ peer, inFlight, perSecond, p50, p99 }, at) =>
        `${at === 0 ? "\n" : ""}quorumlog to ${peer}, ${inFlight} in flight: acked/s x ${perSecond}, p50 x ${p50}, p99 x ${p99}`,
    ),
    ...leftOut.map((what) => `!! LEFT OUT: ${what}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function row(cells: readonly (string | number)[]): string {
  const widths = [20, 7, 10, 9, 9, 9, 0];
  return cells.map((cell, at) => String(cell).padEnd(widths[at] ?? 0)).join(" ");
}
