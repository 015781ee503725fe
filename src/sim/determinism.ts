import type { SimRun } from "./run.ts";
import type { RunResult } from "./scenario.ts";
import { eventKinds } from "./scheduler.ts";
import type { HashObserver } from "./trace-hash.ts";
import { hashText } from "./trace-hash.ts";

/** Everything that one run's hash was made of, line by line. */
class HashLog implements HashObserver {
  length = 0;
  private fields = new Float64Array(4 * 65_536);

  hashed(at: number, node: number, kind: number, digest: number): void {
    if (this.length * 4 === this.fields.length) {
      const larger = new Float64Array(this.fields.length * 2);
      larger.set(this.fields);
      this.fields = larger;
    }
    const i = this.length * 4;
    this.fields[i] = at;
    this.fields[i + 1] = node;
    this.fields[i + 2] = kind;
    this.fields[i + 3] = digest;
    this.length += 1;
  }

  differs(n: number, at: number, node: number, kind: number, digest: number): boolean {
    const { fields } = this;
    const i = n * 4;
    return (
      n >= this.length ||
      fields[i] !== at ||
      fields[i + 1] !== node ||
      fields[i + 2] !== kind ||
      fields[i + 3] !== digest
    );
  }

  describe(n: number, names: readonly string[]): string {
    if (n >= this.length) return "nothing more";
    const i = n * 4;
    return describe(this.fields.subarray(i, i + 4), names);
  }
}

/** Compares a second run with the log of the first, and remembers the first difference. */
class HashComparison implements HashObserver {
  count = 0;
  firstDifference = -1;
  private readonly log: HashLog;
  private readonly stop: () => void;
  private different: Float64Array = new Float64Array(4);

  constructor(log: HashLog, stop: () => void) {
    this.log = log;
    this.stop = stop;
  }

  hashed(at: number, node: number, kind: number, digest: number): void {
    if (this.firstDifference < 0 && this.log.differs(this.count, at, node, kind, digest)) {
      this.firstDifference = this.count;
      this.different = Float64Array.of(at, node, kind, digest);
      this.stop();
    }
    this.count += 1;
  }

  describe(names: readonly string[]): string {
    return describe(this.different, names);
  }
}

const traceKinds = [
  ...[
    "recovered",
    "role",
    "vote",
    "hard-state",
    "append",
    "truncate",
    "sync",
    "match",
    "commit",
    "apply",
    "read",
  ],
  ...["session", "duplicate", "refuse", "transfer", "damage", "standing", "disk", "peer", "client", "fault"],
];

function describe(fields: Float64Array, names: readonly string[]): string {
  const [at = 0, node = -1, kind = 0, digest = 0] = fields;
  const scheduled = Object.entries(eventKinds).find(([, number]) => number === kind)?.[0];
  const what = scheduled ?? traceKinds.find((name) => hashText(name) === kind) ?? "event";
  const who = names[node] ?? "the world";
  return `${what} of ${who} at ${at} us, digest ${(digest >>> 0).toString(16).padStart(8, "0")}`;
}

/** Two runs of one seed, compared event by event; the second ends at the first difference. */
export class DeterminismCheck {
  private readonly make: () => SimRun;
  private readonly log = new HashLog();
  private first: SimRun;
  private second: SimRun | undefined;
  private comparison: HashComparison | undefined;

  constructor(make: () => SimRun) {
    this.make = make;
    this.first = make();
    this.first.world.hash.observer = this.log;
  }

  /** @returns whether both runs are over. */
  advance(eventsMax: number = Number.POSITIVE_INFINITY): boolean {
    if (!this.first.over) {
      this.first.advance(eventsMax);
      return false;
    }
    let run = this.second;
    if (run === undefined) {
      run = this.make();
      const { scheduler } = run.world;
      this.comparison = new HashComparison(this.log, () => scheduler.stop());
      run.world.hash.observer = this.comparison;
      this.second = run;
    }
    if ((this.comparison?.firstDifference ?? -1) >= 0) return true;
    return run.advance(eventsMax) || (this.comparison?.firstDifference ?? -1) >= 0;
  }

  /** The first run's result, or the verdict that the two differ. */
  result(): RunResult {
    const result = this.first.result();
    const { comparison, second } = this;
    if (comparison === undefined || second === undefined) return result;
    const same = comparison.firstDifference < 0 && comparison.count === this.log.length;
    if (same && second.result().traceHash === result.traceHash) return result;
    const n = comparison.firstDifference < 0 ? comparison.count : comparison.firstDifference;
    const names = second.world.processes.map((process) => process.id);
    const other = comparison.firstDifference < 0 ? "nothing more" : comparison.describe(names);
    return {
      ...result,
      verdict: "nondeterminism",
      violation: {
        checker: "determinism",
        message: "two runs of one seed do the same",
        explanation: `They differ first at event ${n + 1}: once ${this.log.describe(n, names)}, once ${other}.`,
        atMicros: second.now,
      },
    };
  }
}
