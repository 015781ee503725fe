import type { Load, Timed } from "../peers/peer.ts";
import { quantile, round } from "../support/figures.ts";
import { cpuSecondsOf } from "../support/process-stats.ts";

/** Loads before anything is counted, unless it counts for less: connections and queues settle. */
const settleMsMax = 1_000;

/** A system that this process loads itself. */
export interface Driven {
  /** Its processes, the leader first. */
  readonly pids: readonly number[];
  append(payload: Uint8Array): Promise<unknown>;
  /** How often the leader has made entries durable. */
  syncs?(): Promise<number>;
}

interface Sample {
  readonly at: number;
  readonly cpu: readonly number[];
  readonly own: number;
  readonly syncs: number;
}

async function sample({ pids, syncs }: Driven): Promise<Sample> {
  const synced = (await syncs?.()) ?? 0;
  const { user, system } = process.cpuUsage();
  const cpu = pids.map((pid) => cpuSecondsOf(pid) ?? 0);
  return { at: performance.now(), cpu, own: (user + system) / 1_000_000, syncs: synced };
}

/** Keeps `inFlight` appends under way, first for a second that does not count. */
export async function drive(driven: Driven, { bytes, inFlight, seconds }: Load): Promise<Timed> {
  const payload = new Uint8Array(bytes).fill(65);
  const latencies: number[] = [];
  let counting = false;
  let running = true;
  const worker = async (): Promise<void> => {
    for (let at = performance.now(); running; ) {
      const counted = counting;
      await driven.append(payload);
      const now = performance.now();
      if (counted && counting) latencies.push(now - at);
      at = now;
    }
  };
  const workers = Promise.all(Array.from({ length: inFlight }, worker));
  // A worker that fails must end the wait, too.
  await Promise.race([workers, pause(Math.min(settleMsMax, seconds * 1_000))]);
  const before = await sample(driven);
  counting = true;
  await Promise.race([workers, pause(seconds * 1_000)]);
  counting = false;
  const after = await sample(driven);
  running = false;
  await workers;
  return timedOf(latencies, before, after, driven.syncs !== undefined);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function timedOf(latencies: number[], before: Sample, after: Sample, tellsSyncs: boolean): Timed {
  latencies.sort((a, b) => a - b);
  const seconds = (after.at - before.at) / 1_000;
  const count = latencies.length;
  const micros = (cpu: number): number => Math.round((cpu * 1_000_000) / Math.max(count, 1));
  const syncs = after.syncs - before.syncs;
  return {
    perSecond: Math.round(count / seconds),
    p50Ms: round(quantile(latencies, 0.5)),
    p99Ms: round(quantile(latencies, 0.99)),
    nodeCpuMicros: after.cpu.map((cpu, at) => micros(cpu - (before.cpu[at] ?? 0))),
    loadCpuMicros: micros(after.own - before.own),
    ...(tellsSyncs
      ? {
          syncsPerSecond: Math.round(syncs / seconds),
          appendsPerSync: Math.round((count * 10) / Math.max(syncs, 1)) / 10,
        }
      : {}),
  };
}
