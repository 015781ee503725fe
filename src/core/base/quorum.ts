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
  reached.sort((a, b) => b - a);
  const value = reached[majority(reached.length) - 1];
  assert(value !== undefined, "a quorum value exists for every group");
  return value;
}

/** How many voters may fail while the rest still is a majority. */
export function failuresTolerated(voters: number): number {
  return voters - majority(voters);
}
