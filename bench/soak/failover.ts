import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { LocalCluster } from "../support/cluster.ts";
import { quantile } from "../support/figures.ts";
import { FailoverRun } from "./nodes/failover-run.ts";
import type { Failover } from "./nodes/timeline.ts";
import type { Soak, SoakContext, SoakFailure, SoakResult } from "./support/soak.ts";
import { wholeNumber } from "./support/soak.ts";

/** The limits, in milliseconds to the next acknowledged append. */
const limits = { kill: { median: 400, max: 1_500 }, stop: { median: 1_000, max: 2_000 } };
const long = { kills: 50, stops: 20, seconds: 600 };
const short = { kills: 3, stops: 2, seconds: 5 };

export const soak: Soak = {
  summary:
    "Kills and stops the leader under load: the next append is acknowledged within the limits; without a fault no election is held.",
  usage: "[--kills N] [--stops N] [--seconds N] [--in-flight N]",
  explained: [
    `--kills N          of the leader (${long.kills}; --short ${short.kills}), from 0`,
    `--stops N          of the leader by SIGSTOP (${long.stops}; --short ${short.stops}), from 0`,
    `--seconds N        without a fault, in which no election may be held (${long.seconds}; --short ${short.seconds}), from 0`,
    "--in-flight N      appends under way at one time (64), from 1",
  ],
  options: {
    kills: { type: "string" },
    stops: { type: "string" },
    seconds: { type: "string" },
    "in-flight": { type: "string" },
  },
  run,
};

async function run({ values, short: brief, progress, onStop }: SoakContext): Promise<SoakResult> {
  const usual = brief ? short : long;
  const kills = wholeNumber(values, "kills", usual.kills);
  const stops = wholeNumber(values, "stops", usual.stops);
  const seconds = wholeNumber(values, "seconds", usual.seconds);
  const inFlight = wholeNumber(values, "in-flight", 64, 1);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-failover-"));
  const cluster = await LocalCluster.start({ directory, logLevel: "info" });
  const test = new FailoverRun(cluster, { inFlight, progress });
  onStop(() => void Promise.all([cluster.stop(), test.end()]));
  try {
    await test.begin();
    const killed = await test.repeat("SIGKILL of the leader", kills, () => test.killLeader());
    const stopped = await test.repeat("SIGSTOP of the leader", stops, () => test.stopLeader());
    // Last, for it makes the log long, and each restart reads all of it.
    const quiet = await test.quiet(seconds);
    const faults = Object.fromEntries(test.load.faults);
    const failures = [
      ...exceeded("SIGKILL", killed, limits.kill),
      ...exceeded("SIGSTOP", stopped, limits.stop),
      ...(quiet.elections > 0
        ? [failure(`${quiet.elections} changes of role in ${seconds} s without a fault`, { ...quiet })]
        : []),
    ];
    return {
      title: "From a fault of the leader to the next acknowledged append, in milliseconds",
      columns: ["fault", "times", "median", "p90", "max", "detect", "elect", "commit", "client"],
      rows: [row("SIGKILL", killed), row("SIGSTOP", stopped)],
      notes: [
        "detect, elect, commit, client: medians of the parts. Limits: SIGKILL median 400, max 1,500; SIGSTOP median 1,000, max 2,000.",
        `Without a fault: ${seconds} s at ${inFlight} in flight, ${quiet.perSecond}/s, ${quiet.elections} changes of role, ${Math.round(quiet.gapMaxMs)} ms at most between two acknowledgements.`,
        `Appends that ended as a fault: ${JSON.stringify(faults)}.`,
      ],
      figures: { inFlight, quiet, killed, stopped, faults },
      failures,
    };
  } finally {
    await test.end();
    await cluster.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function sorted(all: readonly Failover[], part: keyof Failover): number[] {
  return all.map((one) => one[part]).sort((a, b) => a - b);
}

function row(name: string, all: readonly Failover[]): (string | number)[] {
  const of = (part: keyof Failover, share: number): number => quantile(sorted(all, part), share);
  const parts = (["detect", "elect", "commit", "client"] as const).map((part) => of(part, 0.5));
  return [name, all.length, of("total", 0.5), of("total", 0.9), of("total", 1), ...parts];
}

function exceeded(
  name: string,
  all: readonly Failover[],
  limit: { median: number; max: number },
): SoakFailure[] {
  const totals = sorted(all, "total");
  const median = quantile(totals, 0.5);
  const failures: SoakFailure[] = [];
  if (median > limit.median)
    failures.push(failure(`${name}: median ${median} ms, allowed are ${limit.median}`));
  const slow = all.filter(({ total }) => total > limit.max);
  if (slow.length > 0) failures.push(failure(`${name}: ${slow.length} above ${limit.max} ms`, { slow }));
  return failures;
}

function failure(what: string, details: Record<string, unknown> = {}): SoakFailure {
  return { what, replay: "npm run soak -- failover", details };
}
