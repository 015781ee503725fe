import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { LocalCluster } from "../support/cluster.ts";
import type { FillReport, RestartReport } from "./nodes/restart-run.ts";
import { fill, restart } from "./nodes/restart-run.ts";
import type { Soak, SoakContext, SoakFailure, SoakResult } from "./support/soak.ts";
import { wholeNumber } from "./support/soak.ts";

const mebibyte = 1_024 * 1_024;
/** The limits, for 2 GiB. */
const restartMsMax = 5_000;
const residentMiBMax = 250;
/** The heap of the second half of the filling may be above that of the first by as much. */
const heapGrowthMiBMax = 64;
const mebibytesLong = 2_048;
const mebibytesShort = 64;

export const soak: Soak = {
  summary:
    "Fills three nodes with 2 GiB and restarts one: it is back in 5 s and below 250 MiB, and no heap grew with the log.",
  usage: "[--mebibytes N] [--entry-bytes N] [--in-flight N] [--dir DIR]",
  explained: [
    `--mebibytes N      of the log (${mebibytesLong}; --short ${mebibytesShort}), from 1`,
    "--entry-bytes N    of each entry (4096), from 16",
    "--in-flight N      appends under way at one time (128), from 1",
    "--dir DIR          where the nodes' directories are made (the system's place for temporary files)",
  ],
  options: {
    mebibytes: { type: "string" },
    "entry-bytes": { type: "string" },
    "in-flight": { type: "string" },
    dir: { type: "string" },
  },
  run,
};

async function run({ values, short, progress, onStop }: SoakContext): Promise<SoakResult> {
  const mebibytes = wholeNumber(values, "mebibytes", short ? mebibytesShort : mebibytesLong, 1);
  const entryBytes = wholeNumber(values, "entry-bytes", 4_096, 16);
  const inFlight = wholeNumber(values, "in-flight", 128, 1);
  const base = typeof values["dir"] === "string" ? values["dir"] : os.tmpdir();
  const directory = fs.mkdtempSync(path.join(base, "quorumlog-restart-"));
  const cluster = await LocalCluster.start({ directory, logLevel: "info" });
  onStop(() => void cluster.stop());
  try {
    const appends = Math.ceil((mebibytes * mebibyte) / entryBytes);
    const filled = await fill(cluster, { appends, entryBytes, inFlight }, progress);
    const restarted: RestartReport[] = [];
    for (const signal of ["SIGTERM", "SIGKILL"] as const) restarted.push(await restart(cluster, signal));
    return resultOf(filled, restarted, { mebibytes, entryBytes });
  } finally {
    await cluster.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function resultOf(
  filled: FillReport,
  restarted: readonly RestartReport[],
  size: { readonly mebibytes: number; readonly entryBytes: number },
): SoakResult {
  const failures: SoakFailure[] = [];
  const fail = (what: string, details: Record<string, unknown>): void => {
    failures.push({ what, replay: "npm run soak -- restart", details });
  };
  for (const report of restarted) {
    if (report.readyMs > restartMsMax)
      fail(`after ${report.signal} a node took ${report.readyMs} ms, allowed are ${restartMsMax}`, {
        report,
      });
    if (report.residentMaxMiB > residentMiBMax)
      fail(`a restarted node took ${report.residentMaxMiB} MiB, allowed are ${residentMiBMax}`, { report });
  }
  for (const node of filled.nodes) {
    if (node.secondHeapMiB - node.firstHeapMiB > heapGrowthMiBMax)
      fail(`the heap of ${node.id} grew by more than ${heapGrowthMiBMax} MiB`, { ...node });
  }
  return {
    title: `${size.mebibytes} MiB in entries of ${size.entryBytes} bytes`,
    columns: ["node", "heap MiB, first half", "second half", "resident MiB, most"],
    rows: filled.nodes.map((node) => [node.id, node.firstHeapMiB, node.secondHeapMiB, node.residentMaxMiB]),
    notes: [
      `Filled in ${filled.seconds} s (${filled.perSecond}/s, ${filled.mebibytesPerSecond} MiB/s). Heap: the most of a half, each sample after a second.`,
      ...restarted.map(
        ({ signal, recoveredMs, readyMs, appliedMs, residentMaxMiB }) =>
          `Restart after ${signal}: log open in ${recoveredMs} ms, ready in ${readyMs} ms, all applied in ${appliedMs} ms, ${residentMaxMiB} MiB at most.`,
      ),
    ],
    figures: { ...size, filled, restarted },
    failures,
  };
}
