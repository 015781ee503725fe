import { assert } from "./assert.ts";

/**
 * The smallest number of voters of which any two sets share a member: floor(n / 2) + 1.
 * Source: Raft §5.2, "votes from a majority of the servers".
 */
export function majority(voters: number): number {
  assert(voters >= 1, "a group has at least one voter");
  return Math.floor(voters / 2) + 1;
}

/**
 * The highest value that a majority has reached: the median watermark.
 * @param reached one value a voter, in any order; sorted in place.
 */
export function quorumValue(reached: number[]): number {
  sortDescending(reached);
  const value = reached[majority(reached.length) - 1];
  assert(value !== undefined, "a quorum value exists for every group");
  return value;
}

/** By insertion: for so few values the engine's own sort costs many times as much as the comparisons. */
function sortDescending(values: number[]): void {
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as number;
    let at = i;
    for (; at > 0 && (values[at - 1] as number) < value; at--) values[at] = values[at - 1] as number;
    values[at] = value;
  }
}

/** How many voters may fail while the rest still is a majority. */
export function failuresTolerated(voters: number): number {
  return voters - majority(voters);
}
