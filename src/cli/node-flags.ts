/**
 * How Node.js collects the garbage of a node: early, and on one thread. Nearly all of it are the buffers of entries on
 * their way, which die young, but the engine counts them only when it collects; with few collections of the young it
 * begins full ones instead, on four threads beside the loop. `bin/quorumlog start` gives the same.
 * docs/PERFORMANCE.md has the figures.
 */
export const nodeFlags: readonly string[] = ["--max-semi-space-size=1", "--single-threaded-gc"];
