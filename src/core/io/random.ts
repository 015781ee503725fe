/**
 * Chance, drawn by name: the same (stream, key) always gives the same number within one world, so that leaving out one
 * draw never shifts another. Keys are counters that the caller keeps.
 */
export interface Random {
  /** @returns an integer in [0, 2^32). */
  draw(stream: string, key: number): number;
}

/** Maps a draw onto the integers of [low, high]. Integers only: no float may decide anything. */
export function between(draw: number, low: number, high: number): number {
  return low + (draw % (high - low + 1));
}
