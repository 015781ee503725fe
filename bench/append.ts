import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { AppendOptions, SystemName } from "./append/options.ts";
import { parseOptions, usage } from "./append/options.ts";
import type { AppendReport, Cell } from "./append/report.ts";
import { cellOf, jsonOf, ratiosOf, textOf, tooFast } from "./append/report.ts";
import { dledger } from "./peers/dledger.ts";
import { etcd } from "./peers/etcd.ts";
import { nats } from "./peers/nats.ts";
import type { Load, Peer, Timed } from "./peers/peer.ts";
import { quorumlog } from "./peers/quorumlog.ts";
import type { DiskProbe } from "./support/disk-probe.ts";
import { probeDisk } from "./support/disk-probe.ts";

const exitFailed = 1;
const exitUsage = 64;
/** Each system is warmed up alike, before anything is counted. */
const warmUp = { bytes: 1_024, inFlight: 64 };
const warmUpSecondsMax = 3;

function peerOf(name: SystemName, { natsServer, dledger: sources }: AppendOptions): Peer {
  switch (name) {
    case "quorumlog":
      return quorumlog;
    case "nats":
      return nats(natsServer, false);
    case "nats-always":
      return nats(natsServer, true);
    case "etcd":
      return etcd;
    case "dledger":
      return dledger(sources);
  }
}

/** `npm run bench -- append`. @returns the exit code. */
export async function benchmark(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  let options: AppendOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    process.stderr.write(`bench append: ${(error as Error).message}\n${usage}\n`);
    return exitUsage;
  }
  const root = fs.mkdtempSync(path.join(options.directory, "quorumlog-bench-"));
  const clean = (): void => fs.rmSync(root, { recursive: true, force: true });
  // Ctrl-C ends the process without unwinding.
  process.once("exit", clean);
  try {
    const report = await new AppendBench(options, root).run();
    process.stdout.write(options.json ? jsonOf(report) : textOf(report));
    return report.tooFast.length > 0 ? exitFailed : 0;
  } finally {
    clean();
  }
}

class AppendBench {
  private readonly options: AppendOptions;
  private readonly root: string;
  private readonly peers: Peer[] = [];
  private readonly leftOut: string[] = [];
  private readonly probes: DiskProbe[] = [];
  /** What each load of each system came to, round by round. */
  private readonly taken = new Map<Peer, { readonly load: Load; readonly timed: Timed[] }[]>();

  constructor(options: AppendOptions, root: string) {
    this.options = options;
    this.root = root;
    const { bytes, inFlight, seconds } = options;
    for (const name of options.only) {
      const peer = peerOf(name, options);
      const missing = peer.missing();
      if (missing === undefined) this.peers.push(peer);
      else this.leaveOut(`${peer.name}: ${missing}`);
      const loads = bytes.flatMap((size) =>
        inFlight.map((count) => ({ bytes: size, inFlight: count, seconds })),
      );
      this.taken.set(
        peer,
        loads.map((load) => ({ load, timed: [] })),
      );
    }
  }

  private leaveOut(what: string): void {
    if (this.leftOut.includes(what)) return;
    this.leftOut.push(what);
    process.stderr.write(`!! LEFT OUT: ${what}\n`);
  }

  async run(): Promise<AppendReport> {
    for (let round = 1; round <= this.options.rounds; round++) {
      this.probes.push(await probeDisk(this.root));
      for (const peer of this.peers) await this.measure(peer, round);
    }
    this.probes.push(await probeDisk(this.root));
    const cells = this.peers.flatMap((peer) =>
      (this.taken.get(peer) ?? []).flatMap(({ load, timed }): Cell[] =>
        timed.length === 0 ? [] : [cellOf(peer, load, timed)],
      ),
    );
    const own = cells.filter(({ name }) => name === quorumlog.name);
    return {
      disks: this.probes,
      cells,
      ratios: ratiosOf(own, cells),
      tooFast: tooFast(own, this.probes),
      leftOut: this.leftOut,
      rounds: this.options.rounds,
      processors: os.cpus().length,
    };
  }

  /** Each round begins with empty directories and new processes, as the other systems' do. */
  private async measure(peer: Peer, round: number): Promise<void> {
    const directory = path.join(this.root, `${this.peers.indexOf(peer)}-${round}`);
    fs.mkdirSync(directory);
    try {
      const run = await peer.start(directory);
      try {
        // One request at a time is too slow a load for compilers and caches to settle under.
        await run.drive({ ...warmUp, seconds: Math.min(this.options.seconds, warmUpSecondsMax) });
        for (const { load, timed } of this.taken.get(peer) ?? []) {
          this.say(`round ${round}: ${peer.name}, ${load.bytes} bytes, ${load.inFlight} in flight`);
          timed.push(await run.drive(load));
        }
      } finally {
        await run.stop();
      }
    } catch (error) {
      if (peer === quorumlog) throw error;
      this.leaveOut(`${peer.name}, part of its loads: ${(error as Error).message}`);
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  }

  private say(what: string): void {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${what}`);
  }
}
