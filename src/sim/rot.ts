export const sectorBytes = 512;

interface RottenByte {
  readonly good: number;
  readonly bad: number;
}

/**
 * Which bytes of a file are not what was last written there. A write mends them, but only its sync makes that last: until
 * then a power loss may bring the bad bytes back.
 */
export class Rot {
  private readonly bytes = new Map<number, RottenByte>();
  /** Overwritten and not yet synced, by sector. */
  private readonly mending = new Map<number, Map<number, RottenByte>>();

  places(): number[] {
    const found = [...this.bytes.keys()];
    for (const bytes of this.mending.values()) found.push(...bytes.keys());
    return found;
  }

  changed(position: number, from: number, to: number): void {
    const good = this.bytes.get(position)?.good ?? from;
    if (good === to) this.bytes.delete(position);
    else this.bytes.set(position, { good, bad: to });
  }

  /**
   * `written` stands at `from` now. Whoever writes again what it read leaves the bad bytes as bad as they were; where one of them
   * is another, it was something else that was written, and the others are as they should be.
   */
  overwritten(from: number, written: Uint8Array): void {
    if (this.bytes.size === 0) return;
    const hit = [...this.bytes].filter(([at]) => at >= from && at < from + written.length);
    if (hit.every(([at, { bad }]) => written[at - from] === bad)) return;
    for (const [position, byte] of hit) {
      this.bytes.delete(position);
      const sector = Math.floor(position / sectorBytes);
      const waiting = this.mending.get(sector) ?? new Map<number, RottenByte>();
      this.mending.set(sector, waiting.set(position, byte));
    }
  }

  /** A sync made the sector's latest content certain. */
  settled(sector: number): void {
    this.mending.delete(sector);
  }

  /** A power loss left the sector with these bytes. */
  restored(sector: number, content: Uint8Array): void {
    const waiting = this.mending.get(sector);
    this.mending.delete(sector);
    for (const [position, byte] of waiting ?? []) {
      if (content[position % sectorBytes] === byte.bad) this.bytes.set(position, byte);
    }
  }
}
