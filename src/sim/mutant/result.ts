/** What became of one mutant. */
export interface MutantResult {
  readonly name: string;
  readonly found: boolean;
  /** Where it was found; null when it was not. */
  readonly scenario: string | null;
  /** Runs made, up to and with the one that found it. */
  readonly seeds: number;
  /** The checker, or the assertion, that fired; null when none did. */
  readonly checker: string | null;
  /** The verdict of the run that found it, else "survived", "hung", "died" or "invalid". */
  readonly verdict: string;
  /** Of wall time. */
  readonly seconds: number;
}

export interface MutantsReport {
  readonly mutants: readonly MutantResult[];
  readonly found: number;
  readonly survived: number;
}

/** Whatever was not found survived, an invalid mutant too: it proved nothing. */
export function reportOf(mutants: readonly MutantResult[]): MutantsReport {
  const found = mutants.filter((mutant) => mutant.found).length;
  return { mutants, found, survived: mutants.length - found };
}

/** One row of the table: mutant, scenario, seeds to detection, checker that fired, seconds. */
export function rowOf(mutant: MutantResult): readonly string[] {
  return [
    mutant.name,
    mutant.scenario ?? "-",
    String(mutant.seeds),
    mutant.checker ?? mutant.verdict,
    mutant.seconds.toFixed(1),
  ];
}

export const columns: readonly string[] = ["mutant", "scenario", "seeds", "checker", "seconds"];
