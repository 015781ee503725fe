/** What a load of equal requests came to. */
export interface Figures {
  readonly name: string;
  readonly inFlight: number;
  readonly bytes: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What an acknowledgement means, and anything else that a reader of the figure must know. */
  readonly note: string;
}

export interface LoadOptions {
  readonly name: string;
  readonly inFlight: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly note: string;
}

/** Loads before anything is counted: connections and queues settle. */
const warmUpMs = 1_000;

/** Keeps `inFlight` requests under way for some seconds. */
export async function measure(options: LoadOptions, request: () => Promise<unknown>): Promise<Figures> {
  const begun = performance.now() + warmUpMs;
  const until = begun + options.seconds * 1_000;
  const latencies: number[] = [];
  const worker = async (): Promise<void> => {
    for (let at = performance.now(); at < until; ) {
      await request();
      const now = performance.now();
      if (at >= begun && now <= until) latencies.push(now - at);
      at = now;
    }
  };
  await Promise.all(Array.from({ length: options.inFlight }, worker));
  latencies.sort((a, b) => a - b);
  return {
    name: options.name,
    inFlight: options.inFlight,
    bytes: options.bytes,
    perSecond: Math.round(latencies.length / options.seconds),
    p50Ms: round(quantile(latencies, 0.5)),
    p99Ms: round(quantile(latencies, 0.99)),
    note: options.note,
  };
}

/** @param sorted ascending; 0 for an empty one. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
