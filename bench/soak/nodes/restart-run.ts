import { LogClient } from "#prod/log-client";
import type { ClusterNode, LocalCluster } from "../../support/cluster.ts";
import { memoryOf } from "../../support/process-stats.ts";
import { persist } from "../../support/processes.ts";
import type { Progress } from "../support/progress.ts";
import { pause, wallMs } from "./ack-load.ts";

const sampleEveryMs = 1_000;
const pollMs = 20;
const restartMsMax = 120_000;
const mebibyte = 1_024 * 1_024;

export interface NodeMemory {
  readonly id: string;
  /** The most of the first half of the time, and of the second. */
  readonly firstHeapMiB: number;
  readonly secondHeapMiB: number;
  readonly residentMaxMiB: number;
}

export interface FillReport {
  readonly seconds: number;
  readonly perSecond: number;
  readonly mebibytesPerSecond: number;
  readonly nodes: readonly NodeMemory[];
}

interface Filling {
  readonly appends: number;
  readonly entryBytes: number;
  readonly inFlight: number;
}

/** Appends so many entries, and looks at the nodes' memory meanwhile. */
export async function fill(cluster: LocalCluster, filling: Filling, progress: Progress): Promise<FillReport> {
  const { appends, entryBytes, inFlight } = filling;
  const client = new LogClient({ peers: cluster.peers, name: "soak", timeoutMs: 60_000 });
  const heaps = new Map<ClusterNode, number[]>(cluster.nodes.map((node) => [node, []]));
  let begun = 0;
  let done = 0;
  try {
    const payload = new Uint8Array(entryBytes).fill(67);
    await persist("the cluster", () => client.append(payload));
    const started = performance.now();
    const worker = async (): Promise<void> => {
      while (begun < appends) {
        begun += 1;
        await client.append(payload);
        done += 1;
      }
    };
    const workers = Promise.all(Array.from({ length: inFlight }, worker));
    progress.begin("appends", appends);
    while (done < appends) {
      await Promise.race([workers, pause(sampleEveryMs)]);
      for (const [node, samples] of heaps) samples.push(await heapOf(node));
      progress.step(done);
      await progress.breathe();
    }
    await workers;
    const seconds = (performance.now() - started) / 1_000;
    return {
      seconds: Math.round(seconds),
      perSecond: Math.round(appends / seconds),
      mebibytesPerSecond: Math.round((appends * entryBytes) / mebibyte / seconds),
      nodes: [...heaps].map(([node, samples]) => memoryReport(node, samples)),
    };
  } finally {
    await client.close();
  }
}

async function heapOf(node: ClusterNode): Promise<number> {
  try {
    return ((await node.metrics(5_000)).get("process_heap_used_bytes") ?? 0) / mebibyte;
  } catch {
    return 0; // Too busy to answer in time: the next look tells.
  }
}

function memoryReport(node: ClusterNode, samples: readonly number[]): NodeMemory {
  const half = Math.floor(samples.length / 2);
  const most = (some: readonly number[]): number => Math.round(Math.max(0, ...some));
  return {
    id: node.id,
    firstHeapMiB: most(samples.slice(0, half)),
    secondHeapMiB: most(samples.slice(half)),
    residentMaxMiB: Math.round(memoryOf(node.pid)?.residentMaxMiB ?? 0),
  };
}

export interface RestartReport {
  readonly signal: NodeJS.Signals;
  /** From the start of the process until the log is open. */
  readonly recoveredMs: number;
  /** ... until /readyz says that the node takes part. */
  readonly readyMs: number;
  /** ... until everything that is committed has reached its state machine. */
  readonly appliedMs: number;
  readonly residentMaxMiB: number;
}

/** Ends a follower and starts it again. */
export async function restart(cluster: LocalCluster, signal: NodeJS.Signals): Promise<RestartReport> {
  const leader = await cluster.leader();
  const node = cluster.nodes.find((one) => one !== leader) as ClusterNode;
  const gone = new Promise((resolve) => node.child?.once("exit", resolve));
  node.signal(signal);
  await gone;
  const logEnd = Buffer.byteLength(node.logFrom(0));
  const started = wallMs();
  node.start();
  const since = (): number => Math.round(wallMs() - started);
  await until(async () => (await fetch(`http://127.0.0.1:${node.httpPort}/readyz`)).status === 200);
  const readyMs = since();
  const last = (await leader.metrics()).get("quorumlog_commit_index") ?? 0;
  await until(async () => ((await node.metrics()).get("quorumlog_applied_index") ?? -1) >= last);
  const appliedMs = since();
  const line = /"time":"([^"]+)".*"kind":"recovered"/.exec(node.logFrom(logEnd));
  const recoveredMs = line === null ? readyMs : Math.round(Date.parse(line[1] ?? "") - started);
  const { residentMaxMiB = 0 } = memoryOf(node.pid) ?? {};
  return { signal, recoveredMs, readyMs, appliedMs, residentMaxMiB: Math.round(residentMaxMiB) };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + restartMsMax;
  for (;;) {
    try {
      if (await holds()) return;
    } catch {
      // Not listening yet, or too busy to answer.
    }
    if (performance.now() > end) throw new Error("the node is not back");
    await pause(pollMs);
  }
}
