import type { MemoryDisk } from "../../storage/memory-disk.ts";
import type { Classified, Verdict } from "./classify.ts";
import { classify } from "./classify.ts";
import type { FlipLog, Region } from "./flip-log.ts";
import { regions, segmentBytes, segmentPath } from "./flip-log.ts";

/** Which of the changes are made: those of every byte, or of so many bytes of each region, spread over it. */
export type ChangeSettings = "every byte" | { readonly flips: number; readonly truncations: number };

/** One change of the segment. */
export type Change =
  | { readonly kind: "flip"; readonly offset: number; readonly bit: number }
  | { readonly kind: "truncate"; readonly length: number };

export interface ChangeFailure {
  readonly change: Change;
  readonly region: Region;
  readonly what: string;
}

/** Counts of one kind of change. */
export class ChangeTally {
  readonly byRegion: Map<Region, Map<Verdict, number>> = new Map<Region, Map<Verdict, number>>();
  changes = 0;
  mended = 0;
  /** Changes that cut entries which a later header had proven to be synced, and the proof with them. */
  lostProven = 0;
  readonly failures: ChangeFailure[] = [];

  count(verdict: Verdict, region?: Region): number {
    const some = region === undefined ? [...this.byRegion.values()] : [this.byRegion.get(region)];
    return some.reduce((sum, verdicts) => sum + (verdicts?.get(verdict) ?? 0), 0);
  }

  add(region: Region, { verdict, lost, mended }: Classified, unproven: number): void {
    const verdicts = this.byRegion.get(region) ?? new Map<Verdict, number>();
    this.byRegion.set(region, verdicts);
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    this.changes += 1;
    if (mended) this.mended += 1;
    if (lost > unproven) this.lostProven += 1;
  }
}

/** Flips one bit after the other. Damage in one bit of every byte is mended too: mending costs as much as all else. */
export function* everyFlip(made: FlipLog, settings: ChangeSettings, tally: ChangeTally): Generator<void> {
  const every = settings === "every byte";
  for (const offset of every ? allOffsets() : spreadOffsets(made, settings.flips)) {
    for (let bit = 0; bit < 8; bit++) {
      const mend = bit === offset % 8;
      if (!every && !mend) continue;
      tryChange(made, { kind: "flip", offset, bit }, { mend, tally });
      yield;
    }
  }
}

/** Cuts the file to every length below its own. */
export function* everyTruncation(
  made: FlipLog,
  settings: ChangeSettings,
  tally: ChangeTally,
): Generator<void> {
  const lengths = settings === "every byte" ? allOffsets() : spreadOffsets(made, settings.truncations);
  for (const length of lengths) {
    tryChange(made, { kind: "truncate", length }, { mend: true, tally });
    yield;
  }
}

function* allOffsets(): Generator<number> {
  for (let offset = 0; offset < segmentBytes; offset++) yield offset;
}

function* spreadOffsets({ regionOf }: FlipLog, perRegion: number): Generator<number> {
  for (const region of regions) {
    const offsets: number[] = [];
    for (const [offset, of] of regionOf.entries()) if (of === region) offsets.push(offset);
    const step = Math.max(1, offsets.length / perRegion);
    for (let at = 0; at < offsets.length; at += step) yield offsets[Math.floor(at)] ?? 0;
  }
}

function tryChange(
  made: FlipLog,
  change: Change,
  { mend, tally }: { readonly mend: boolean; readonly tally: ChangeTally },
): void {
  const region = made.regionOf[change.kind === "flip" ? change.offset : change.length] ?? "zeros behind";
  try {
    const classified = classify(made, changed(made.disk, change), mend);
    const unproven = made.entries.length - made.proven;
    if (change.kind === "flip" && classified.lost > unproven)
      throw new Error("an entry that was proven is cut");
    if (change.kind === "truncate" && classified.lost > 0)
      throw new Error("an entry is cut, and nobody is told that the file was longer");
    if (change.kind === "flip" && classified.verdict === "refused")
      throw new Error("one changed byte keeps the directory from being opened");
    tally.add(region, classified, unproven);
  } catch (error) {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    tally.failures.push({ change, region, what });
    tally.changes += 1;
  }
}

export function changed(disk: MemoryDisk, change: Change): MemoryDisk {
  const copy = disk.crashed(() => 0);
  if (change.kind === "flip") copy.flip(segmentPath, change.offset, 1 << change.bit);
  else copy.plant(segmentPath, disk.content(segmentPath).subarray(0, change.length));
  return copy;
}
