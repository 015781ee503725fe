import { getU32 } from "#core/base/bytes";
import type { Entry, EntryContent } from "#core/base/entry";
import { emptyLogEnd, encodeEntries, recordHeaderBytes } from "#core/base/entry";
import { decodeBatchHeader, directorySeed } from "#core/storage/batch";
import { alignUp, batchHeaderBytes, positionOf, segmentHeaderBytes } from "#core/storage/format";
import type { StoreOptions } from "#core/storage/log-store";
import { endOfAll, identity, smallOptions, TestLog } from "../../storage/log-script.ts";
import { MemoryDisk } from "../../storage/memory-disk.ts";

export const segmentPath = "g0/segment-0000000000";
export const segmentBytes = 65_536;

export const flipOptions: StoreOptions = {
  ...smallOptions,
  segmentBytes,
  batchBytesMax: 8_192,
  readBytesMax: 8_192,
  indexIntervalBytes: 4_096,
  aheadBytes: 65_536,
};

/** What a byte of the segment belongs to. */
export type Region =
  | "segment header"
  | "batch header"
  | "mark"
  | "record header"
  | "body"
  | "padding"
  | "unproven batch"
  | "zeros behind";

export const regions: readonly Region[] = [
  "segment header",
  "batch header",
  "mark",
  "record header",
  "body",
  "padding",
  "unproven batch",
  "zeros behind",
];

/** A log whose first segment is what gets changed. */
export interface FlipLog {
  readonly disk: MemoryDisk;
  readonly entries: readonly Entry[];
  /** Entries before this index are proven to be synced by a later header. */
  readonly proven: number;
  /** By byte of the segment. */
  readonly regionOf: readonly Region[];
}

/** Bodies of one batch, and whether they are a session's. */
interface Batch {
  readonly term: number;
  readonly lengths: readonly number[];
  readonly session?: number;
  readonly mark?: boolean;
}

const batches: readonly Batch[] = [
  { term: 1, lengths: [40, 60, 0] },
  { term: 1, lengths: [200], session: 7, mark: true },
  { term: 2, lengths: [1_500] },
  { term: 2, lengths: [1_600, 50], session: 7 },
  { term: 3, lengths: [900, 10, 10], mark: true },
  { term: 3, lengths: [7_000, 5] },
  { term: 3, lengths: [12_000], session: 2 ** 40 },
  { term: 5, lengths: Array.from({ length: 24 }, (_, n) => n * 13), mark: true },
  { term: 5, lengths: [16_000] },
  { term: 6, lengths: [4_096, 512, 511, 513], session: 9, mark: true },
  { term: 6, lengths: [300, 30] },
];

function contentsOf({ lengths, session = 0 }: Batch, salt: number): EntryContent[] {
  return lengths.map((length, n) => {
    const body = new Uint8Array(length);
    for (let at = 0; at < length; at++) body[at] = (at * 7 + n * 31 + salt * 101) & 255;
    return { kind: "data", body, session, sequence: session === 0 ? 0 : n + 1 };
  });
}

/**
 * @param rolled another segment follows, whose header proves the whole first one; else the last batch is not proven by
 * any mark, and zeros follow it.
 */
export function makeFlipLog(rolled: boolean): FlipLog {
  const disk = new MemoryDisk();
  const log = new TestLog(disk, flipOptions, identity);
  const entries: Entry[] = [];
  const append = (batch: Batch): void => {
    const added = encodeEntries(
      endOfAll(entries, emptyLogEnd),
      batch.term,
      contentsOf(batch, entries.length),
    );
    entries.push(...added);
    log.store.append(added);
    disk.run();
    if (batch.mark === true) log.store.markIdle();
    disk.run();
  };
  for (const batch of batches) append(batch);
  if (rolled) append({ term: 7, lengths: [30_000, 40], mark: true });
  const last = batches[batches.length - 1];
  return {
    disk: disk.crashed(() => 0),
    entries,
    proven: rolled ? entries.length : entries.length - (last?.lengths.length ?? 0),
    regionOf: regionsOf(disk.content(segmentPath)),
  };
}

function regionsOf(content: Uint8Array): Region[] {
  const all = new Array<Region>(content.length).fill("zeros behind");
  all.fill("segment header", 0, segmentHeaderBytes);
  const seed = directorySeed(identity.incarnation);
  let lastFrame = segmentHeaderBytes;
  let lastStop = segmentHeaderBytes;
  let at = segmentHeaderBytes;
  for (;;) {
    const header = decodeBatchHeader(content, at, seed, positionOf(0, at));
    if (header === undefined) break;
    lastFrame = at;
    all.fill(header.count === 0 ? "mark" : "batch header", at, at + batchHeaderBytes);
    const stop = at + batchHeaderBytes + header.payloadBytes;
    for (let record = at + batchHeaderBytes; record < stop; ) {
      const size = getU32(content, record + 4);
      all.fill("record header", record, record + recordHeaderBytes);
      all.fill("body", record + recordHeaderBytes, record + size);
      record += size;
    }
    lastStop = stop;
    all.fill("padding", stop, stop + header.paddingBytes);
    at = alignUp(stop);
  }
  if (all[lastFrame] === "batch header") all.fill("unproven batch", lastFrame, lastStop);
  return all;
}
