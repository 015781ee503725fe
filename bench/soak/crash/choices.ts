import type { Choose } from "../../storage/memory-inode.ts";

/** A sequence of choices that a run made, for telling it again. */
export type Choices = readonly number[];

/** A seeded source of numbers; xorshift, good enough to spread and quick. */
export class Chance {
  private state: number;

  constructor(seed: number) {
    // The finalizer of murmur3: neighbouring seeds give sequences of their own.
    let s = (seed ^ 0x9e3779b9) | 0;
    s = Math.imul(s ^ (s >>> 16), 0x85ebca6b);
    s = Math.imul(s ^ (s >>> 13), 0xc2b2ae35);
    this.state = (s ^ (s >>> 16)) | 1;
  }

  /** @returns an integer in [0, 2^32). */
  next(): number {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return Math.imul(s, 0x2545f491) >>> 0;
  }

  /** @returns an integer in [0, choices). */
  below(choices: number): number {
    return choices <= 1 ? 0 : Math.floor((this.next() / 0x1_0000_0000) * choices);
  }
}

/** Which choice to take at the `at`-th place, where so many are. */
type Policy = (at: number, choices: number) => number;

/**
 * Runs `test` with every sequence of choices that it can make, up to `wholeMax`. Where there are more it runs as often
 * again: with each prefix, suffix, single one and all but one of the last choices (the newest contents) over the first
 * (the oldest), and then by chance.
 * @returns whether it was every one.
 */
export function exploreChoices(
  test: (choose: Choose, made: Choices) => void,
  wholeMax: number,
  chance: Chance,
): boolean {
  if (everyUpTo(test, wholeMax)) return true;
  let runs = 0;
  const follow = (policy: Policy): number => {
    const made: number[] = [];
    test((choices) => {
      const choice = policy(made.length, choices);
      made.push(choice);
      return choice;
    }, made);
    runs += 1;
    return made.length;
  };
  const places = follow((_, choices) => choices - 1);
  for (const policy of shapes(places)) if (runs < wholeMax) follow(policy);
  while (runs < wholeMax) follow((_, choices) => chance.below(choices));
  return false;
}

function* shapes(places: number): Generator<Policy> {
  for (let n = 0; n <= places; n++) {
    yield (at, choices) => (at < n ? choices - 1 : 0);
    yield (at, choices) => (at >= n ? choices - 1 : 0);
    yield (at, choices) => (at === n ? choices - 1 : 0);
    yield (at, choices) => (at === n ? 0 : choices - 1);
  }
}

function everyUpTo(test: (choose: Choose, made: Choices) => void, runsMax: number): boolean {
  const path: { choice: number; choices: number }[] = [];
  for (let runs = 1; runs <= runsMax; runs++) {
    const made: number[] = [];
    test((choices) => {
      const step = path[made.length] ?? { choice: 0, choices };
      path[made.length] = step;
      made.push(step.choice);
      return step.choice;
    }, made);
    path.length = made.length;
    let last = path.pop();
    while (last !== undefined && last.choice + 1 >= last.choices) last = path.pop();
    if (last === undefined) return true;
    path.push({ choice: last.choice + 1, choices: last.choices });
  }
  return false;
}
