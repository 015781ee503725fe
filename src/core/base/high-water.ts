/** The most that something has ever been. */
export class HighWater {
  private mark = 0;

  /** @returns whether `size` is more than ever before. */
  rises(size: number): boolean {
    if (size <= this.mark) return false;
    this.mark = size;
    return true;
  }
}
