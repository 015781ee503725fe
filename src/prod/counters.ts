/** Counts by one label, in the order in which labels were first seen. The labels are codes of ours, never input. */
export class LabelledCounts {
  private readonly counts = new Map<string, number>();

  add(label: string, count = 1): void {
    this.counts.set(label, (this.counts.get(label) ?? 0) + count);
  }

  entries(): Iterable<readonly [label: string, count: number]> {
    return this.counts.entries();
  }
}

/** Upper bounds in seconds, as Prometheus wants them. */
const boundsSeconds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

/** How long something takes: plain counters, since observing through the metrics library costs more than a write. */
export class DurationHistogram {
  private readonly buckets = new Float64Array(boundsSeconds.length + 1);
  private total = 0;
  private sumSeconds = 0;

  observe(seconds: number): void {
    let at = 0;
    while (at < boundsSeconds.length && seconds > (boundsSeconds[at] as number)) at += 1;
    this.buckets[at] = (this.buckets[at] as number) + 1;
    this.total += 1;
    this.sumSeconds += seconds;
  }

  get count(): number {
    return this.total;
  }

  get sum(): number {
    return this.sumSeconds;
  }

  /** Cumulative counts by upper bound, the last one without a bound. */
  cumulative(): { readonly le: string; readonly count: number }[] {
    let seen = 0;
    return [...boundsSeconds.map(String), "+Inf"].map((le, at) => {
      seen += this.buckets[at] as number;
      return { le, count: seen };
    });
  }
}
