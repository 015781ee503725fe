import { endOfAll } from "#bench/storage/log-script";
import type { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { batchHeaderBytes, segmentHeaderBytes } from "#core/storage/format";
import { entriesOf, logOf } from "./damaged-log.ts";

const first = "g0/segment-0000000000";

/**
 * A follower's log, whose five first records came in one batch as to one that catches up, and that of a leader with
 * other records from 1 on. From 3 on they are of a term that tells them apart, those before may be the follower's.
 */
export const own: readonly Entry[] = entriesOf(
  [
    [1, [100]],
    [2, [100, 100, 100]],
    [4, [100, 100]],
  ],
  emptyLogEnd,
);
export const leaders: readonly Entry[] = [
  ...own.slice(0, 1),
  ...entriesOf(
    [
      [3, [100, 100]],
      [5, [100, 100, 100]],
    ],
    endOfAll(own.slice(0, 1), emptyLogEnd),
    9,
  ),
];

/** The follower's disk. */
export function ownDisk(): MemoryDisk {
  return logOf([
    [
      [1, [100]],
      [2, [100, 100, 100]],
      [4, [100]],
    ],
    [[4, [100]]],
  ]).disk;
}

/** Changes the header of record 1, so that the rest of its batch cannot be read, or changes it back. */
export function flipRecord1(disk: MemoryDisk): void {
  disk.flip(first, segmentHeaderBytes + batchHeaderBytes + (own[0] as Entry).size + 20);
}
