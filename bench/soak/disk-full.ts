import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { LogClient } from "#prod/log-client";
import { LocalCluster } from "../support/cluster.ts";
import { DiskFullRun } from "./nodes/disk-full-run.ts";
import type { Soak, SoakContext, SoakResult } from "./support/soak.ts";
import { wholeNumber } from "./support/soak.ts";

export const soak: Soak = {
  summary:
    "Fills a node's file system, then a majority's, and frees them: leadership is handed over, appends are refused by name, service resumes by itself.",
  usage: "[--mebibytes N]",
  explained: [
    "--mebibytes N      of the smaller disk; the other has twice as many (64; --short 24), from 16",
  ],
  options: { mebibytes: { type: "string" } },
  run,
};

/** Small ones, so that a small file system holds several. */
const flags = ["segment-bytes 4194304", "reserve-bytes 1048576", "uncommitted-bytes-max 524288"].flatMap(
  (flag) => `--${flag}`.split(" "),
);

async function run({ values, short, progress, onStop }: SoakContext): Promise<SoakResult> {
  const mebibytes = wholeNumber(values, "mebibytes", short ? 24 : 64, 16);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-disk-full-"));
  const disks = ["n0", "n1"].map((id) => new SmallDisk(path.join(directory, id)));
  let cluster: LocalCluster | undefined;
  let client: LogClient | undefined;
  try {
    for (const [at, disk] of disks.entries()) {
      const refused = disk.mount(mebibytes * (at + 1));
      if (refused !== undefined) return skipped(refused);
    }
    cluster = await LocalCluster.start({ directory, flags });
    const started = cluster;
    onStop(() => void started.stop());
    client = new LogClient({ peers: cluster.peers, name: "soak", timeoutMs: 20_000 });
    const test = new DiskFullRun({ cluster, client, progress, mebibytes, disks });
    await test.run();
    return {
      title: `A node on a file system of ${mebibytes} MiB (tmpfs), another on ${2 * mebibytes} MiB`,
      columns: ["what", "how"],
      rows: test.told,
      notes: [
        "A disk is filled by appends and freed by making the file system larger; no process is touched.",
      ],
      figures: { mebibytes, told: Object.fromEntries(test.told) },
      failures: test.failures,
    };
  } finally {
    await client?.close();
    await cluster?.stop();
    for (const disk of disks) disk.unmount();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** A file system in memory, mounted where a node keeps its data. */
export class SmallDisk {
  readonly path: string;
  private mounted = false;

  constructor(at: string) {
    this.path = at;
  }

  /** @returns why not. */
  mount(mebibytes: number): string | undefined {
    fs.mkdirSync(this.path, { recursive: true });
    const refused = mount("-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", this.path);
    this.mounted = refused === undefined;
    return refused;
  }

  resize(mebibytes: number): void {
    const refused = mount("-o", `remount,size=${mebibytes}m`, this.path);
    if (refused !== undefined) throw new Error(refused);
  }

  unmount(): void {
    if (this.mounted) spawnSync("umount", ["-l", this.path]);
    this.mounted = false;
  }
}

function mount(...args: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync("mount", args, { encoding: "utf8" });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

function skipped(why: string): SoakResult {
  const what = `!! SKIPPED: this user may not mount a tmpfs here: ${why}`;
  process.stderr.write(`${what}\n`);
  return { title: what, columns: [], rows: [], notes: [], figures: { skipped: why }, failures: [] };
}
