/** One simulated run of a mutant. */
export interface TrialRun {
  readonly scenario: string;
  readonly seed: number;
  /** Whether core's own assertions are on. */
  readonly assertions: boolean;
}

/**
 * How a run of the mutated program ended.
 * - `detected`: a checker fired, or an assertion with a name; `checker` is its name.
 * - `unnoticed`: the run passed, or it broke in a way that names nothing.
 * - `hung`, `died`: the process had to be stopped, or stopped by itself. Neither is a detection.
 */
export interface TrialOutcome {
  readonly kind: "detected" | "unnoticed" | "hung" | "died";
  readonly checker: string;
  readonly verdict: string;
}

export interface Detection {
  readonly run: TrialRun;
  /** Runs up to and with this one. */
  readonly runs: number;
  readonly checker: string;
  readonly verdict: string;
}

/** A mutant that hangs or kills its process this often is given up: no checker will ever fire in it. */
const brokenRunsMax = 3;

/** A round of a search has so many seeds of the mutant's own scenario, and one of each other. */
const ownSeedsPerRound = 3;

/**
 * The search for a detection: seed 1 of every scenario, then seed 2, and so on, core's assertions off; then all of it
 * again with them on. The mutant's own scenario comes first, and three seeds of it each time. Several workers may take
 * runs at once; the first detection in this order wins, however the runs end.
 */
export class Trial {
  /** Its first half: the other is the same with assertions. */
  private readonly order: readonly Omit<TrialRun, "assertions">[];
  private nextRun = 0;
  private readonly outcomes: (TrialOutcome | undefined)[] = [];
  /** All runs before this one ended, unnoticed. */
  private settled = 0;
  private broken = 0;
  private detectedAhead = false;
  detection: Detection | undefined;
  /** Why the search was given up; empty while it was not. */
  givenUp: "" | "hung" | "died" = "";

  constructor(scenarios: readonly string[], first: string | undefined, seedMax: number) {
    this.order = searchOrder(scenarios, first, seedMax);
  }

  get runsMax(): number {
    return this.order.length * 2;
  }

  /** Runs whose outcome counts. */
  get runs(): number {
    return this.detection?.runs ?? this.settled;
  }

  get decided(): boolean {
    return this.detection !== undefined || this.givenUp !== "" || this.settled === this.runsMax;
  }

  /** Whether there is a run that nobody has taken and that may still matter. */
  get canTake(): boolean {
    // A detection may still be beaten by a run before it that has not ended, but by no later one.
    return !this.decided && !this.detectedAhead && this.nextRun < this.runsMax;
  }

  /** The next run that nobody has taken, with its number. */
  take(): { readonly number: number; readonly run: TrialRun } | undefined {
    if (!this.canTake) return undefined;
    const number = this.nextRun;
    this.nextRun += 1;
    return { number, run: this.runAt(number) };
  }

  record(number: number, outcome: TrialOutcome): void {
    this.outcomes[number] = outcome;
    if (outcome.kind === "detected") this.detectedAhead = true;
    while (!this.decided) {
      const next = this.outcomes[this.settled];
      if (next === undefined) return;
      this.settle(next);
    }
  }

  private settle(outcome: TrialOutcome): void {
    const number = this.settled;
    this.settled += 1;
    if (outcome.kind === "detected") {
      const { checker, verdict } = outcome;
      this.detection = { run: this.runAt(number), runs: number + 1, checker, verdict };
    } else if (outcome.kind !== "unnoticed") {
      this.broken += 1;
      if (this.broken >= brokenRunsMax) this.givenUp = outcome.kind;
    }
  }

  private runAt(number: number): TrialRun {
    const run = this.order[number % this.order.length] as Omit<TrialRun, "assertions">;
    return { ...run, assertions: number >= this.order.length };
  }
}

function searchOrder(
  scenarios: readonly string[],
  own: string | undefined,
  seedMax: number,
): Omit<TrialRun, "assertions">[] {
  const order: Omit<TrialRun, "assertions">[] = [];
  for (let round = 1; round <= seedMax; round++) {
    const ownLast = Math.min(round * ownSeedsPerRound, seedMax);
    for (let seed = 1 + (round - 1) * ownSeedsPerRound; seed <= ownLast; seed++)
      if (own !== undefined && scenarios.includes(own)) order.push({ scenario: own, seed });
    for (const scenario of scenarios) if (scenario !== own) order.push({ scenario, seed: round });
  }
  return order;
}
