/** A bug in quorumlog itself: a named invariant does not hold. Faults of the world are `LogError`s. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
  /** The invariant, as an English sentence. */
  readonly invariant: string;

  constructor(invariant: string) {
    super(`invariant broken: ${invariant}`);
    this.invariant = invariant;
  }
}

/**
 * Whether assertions throw. They are on everywhere, production too; only the mutation run turns them off for the
 * length of one simulated run, to show that checkers outside core find a planted bug without core's help.
 */
export const assertions: { enabled: boolean } = { enabled: true };

/** Throws unless `condition` holds. `invariant` is the sentence that is broken; it names the finding in reports. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition && assertions.enabled) throw new AssertionError(invariant);
}

/** For values that the types promise but the compiler cannot see; unlike `assert` it can never be turned off. */
export function required<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionError(what);
  return value;
}

/** The end of a `switch` over a union: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`a known variant, not ${JSON.stringify(value)}`);
}
