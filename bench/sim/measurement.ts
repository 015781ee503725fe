/**
 * What `npm run bench -- sim` measures: (a) the bare loop, (b) the ping-pong, (c) a scenario with all checkers, (d) an idle
 * group, (e) the Raft core alone, (f) seeds of `swarm`.
 */
export const letters = ["a", "b", "c", "d", "e", "f"] as const;
export type Letter = (typeof letters)[number];

/** What a figure should reach, in words, and whether it does. */
export interface Goal {
  readonly text: string;
  readonly met: boolean;
}

export interface Row {
  readonly letter: Letter;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The figure as a share of the bare loop's events. */
  readonly ofBare?: number;
  readonly goal?: Goal;
}

/** One piece of work, done once a round; the shortest round counts. */
export interface Measurement {
  readonly letter: Letter;
  round(): void;
  /** @param bare events a second of the bare loop; undefined when it was left out. */
  rows(bare: number | undefined): Row[];
}

/** What takes its turn in every round: a measurement in another process, or a program of others. */
export interface Turns {
  readonly letter: Letter;
  round(): Promise<void>;
  rows(bare: number | undefined): Promise<readonly Row[]>;
  stop(): void;
}

/** The shortest of several times that the same work took. */
export class Shortest {
  ms: number = Number.POSITIVE_INFINITY;

  take(ms: number): void {
    if (ms < this.ms) this.ms = ms;
  }

  perSecond(count: number): number {
    return (count * 1_000) / this.ms;
  }
}

let byProcessorTime = false;

/** From here on figures are by the processor time of the process, which others' load on the machine hardly touches. */
export function countProcessorTime(): void {
  byProcessorTime = true;
}

export function countsProcessorTime(): boolean {
  return byProcessorTime;
}

/** Milliseconds of wall time, or of processor time. */
export function clockMs(): number {
  if (!byProcessorTime) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Runs `work` and notes how long it took. */
export function timed<T>(shortest: Shortest, work: () => T): T {
  const begun = clockMs();
  const result = work();
  shortest.take(clockMs() - begun);
  return result;
}

/** The share of the bare loop as a row has it: left out when there is nothing to compare with. */
export function shareOf(value: number, bare: number | undefined): { readonly ofBare?: number } {
  return bare === undefined ? {} : { ofBare: value / bare };
}

export function atLeast(value: number, least: number, text: string): { readonly goal: Goal } {
  return { goal: { text, met: value >= least } };
}
