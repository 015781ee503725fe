import type { Micros } from "../base/units.ts";
import { second } from "../base/units.ts";
import { DiskFault } from "../io/disk.ts";

/**
 * A disk that is reset, or a path to it that is changed, answers again within a second or two; what cannot be read for longer
 * is lost. By then the timers that read again have tried the applier's entry 25 times, and a follower's 16 times.
 */
const patience: Micros = 5 * second;
/** Fewer failures than this are chance, however far apart: a process may have stood still between two. */
const failuresMin = 10;

/** Tells a place of the log that cannot be read any more from a read that failed: each of those who read asks for it again and again. */
export class ReadPatience {
  private readonly readers = new Map<string, { readonly since: Micros; failures: number }>();

  /** What `reader` wanted was read: whatever failed before was passing. */
  worked(reader: string): void {
    if (this.readers.size > 0) this.readers.delete(reader);
  }

  /** @returns whether the reader has failed for so long that no disk is to be hoped for. */
  failed(reader: string, error: Error, now: Micros): boolean {
    if (!(error instanceof DiskFault) || error.code !== "io") return false;
    const known = this.readers.get(reader) ?? { since: now, failures: 0 };
    known.failures += 1;
    this.readers.set(reader, known);
    return known.failures >= failuresMin && now - known.since >= patience;
  }

  clear(): void {
    this.readers.clear();
  }
}
