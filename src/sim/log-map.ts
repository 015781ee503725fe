import type { GroupId } from "../core/base/brand.ts";
import { getU32 } from "../core/base/bytes.ts";
import { recordHeaderBytes } from "../core/base/entry.ts";
import { LogError } from "../core/base/errors.ts";
import type { BatchHeader } from "../core/storage/batch.ts";
import { batchBytes, batchMagic, decodeBatchHeader, directorySeed } from "../core/storage/batch.ts";
import {
  batchHeaderBytes,
  frameAlignmentBytes,
  positionOf,
  segmentHeaderBytes,
} from "../core/storage/format.ts";
import { decodeIdentity, identityName } from "../core/storage/identity.ts";
import type { MetaRecord } from "../core/storage/meta.ts";
import { decodeSlot, noCut, slotBytes } from "../core/storage/meta.ts";
import { metaName } from "../core/storage/meta-file.ts";
import { segmentName } from "../core/storage/segment.ts";
import type { DirectoryTree } from "./sim-directory.ts";
import type { SimFile } from "./sim-file.ts";

/** A batch of records as it stands on a disk. */
export interface FrameOnDisk {
  readonly segment: number;
  readonly file: SimFile;
  readonly offset: number;
  readonly header: BatchHeader;
}

/** What was read of a file, which mostly has not changed since. */
interface Parsed {
  readonly version: number;
  readonly segment: number;
  readonly seed: number;
  readonly frames: readonly FrameOnDisk[];
}

/** Batches of which is remembered where they are. */
const parsedFramesMax = 16_384;

/** A record of a frame: its index, and where its bytes are. */
export interface RecordOnDisk {
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

/**
 * One group's directory as its bytes tell: which batches are where, and up to which position a sync is proven by what a
 * crash would leave. It knows the formats, and nothing of how core reads a log back.
 */
export class LogMap {
  readonly group: GroupId;
  /** Segment files by number, without holes. */
  readonly segments: readonly SimFile[];
  /** Ascending; those of before the last cut, behind it, and those that cannot be read are left out. */
  readonly frames: readonly FrameOnDisk[];
  /** What stands before this position is known to have been synced, whatever a crash takes away. */
  readonly proven: number;
  readonly meta: SimFile | undefined;
  readonly slots: readonly (MetaRecord | undefined)[];
  /** Batches behind the last cut that were written before it: until it has been carried out. */
  private uncutFrames = 0;
  /** The position of the last cut, and how often the log was cut. */
  readonly cut: { readonly position: number; readonly generation: number };

  private readonly seed: number;

  private static readonly parsed = new WeakMap<SimFile, Parsed>();
  private static readonly latest: { readonly file: SimFile; readonly parsed: Parsed }[] = [];
  /** In `latest`, one more for each file. */
  private static parsedFrames = 0;

  /** @returns undefined when there is no log, or nobody can tell whose. */
  /** @param last looks into so many segments only, the last ones. */
  static of(
    tree: DirectoryTree,
    group: GroupId,
    last: number = Number.POSITIVE_INFINITY,
  ): LogMap | undefined {
    const identity = find(tree, `${group}/${identityName}`);
    if (identity === undefined) return undefined;
    try {
      const { incarnation } = decodeIdentity(identity.read(0, identity.length));
      return new LogMap(tree, group, directorySeed(incarnation), last);
    } catch (error) {
      if (error instanceof LogError) return undefined;
      throw error;
    }
  }

  private constructor(tree: DirectoryTree, group: GroupId, seed: number, last: number) {
    this.group = group;
    this.seed = seed;
    this.meta = find(tree, `${group}/${metaName}`);
    const bytes = this.meta?.read(0, 2 * slotBytes) ?? new Uint8Array(0);
    this.slots = [0, 1].map((slot) =>
      decodeSlot(bytes.slice(slot * slotBytes, (slot + 1) * slotBytes), seed, slot),
    );
    const [first, second] = this.slots;
    this.cut = ((second?.sequence ?? -1) > (first?.sequence ?? -1) ? second : first)?.cut ?? noCut;
    const segments: SimFile[] = [];
    const frames: FrameOnDisk[] = [];
    for (let n = 0; ; n++) {
      const file = find(tree, `${group}/${segmentName(n)}`);
      if (file === undefined) break;
      segments.push(file);
    }
    for (let n = Math.max(0, segments.length - last); n < segments.length; n++)
      frames.push(...this.counting(this.framesOf(n, segments[n] as SimFile, seed)));
    this.segments = segments;
    this.frames = frames;
    let proven = 0;
    for (const { file, offset, header } of frames) {
      if (header.syncedPosition > proven && file.isClean(offset, offset + batchHeaderBytes))
        proven = header.syncedPosition;
    }
    this.proven = proven;
  }

  /** Every batch of a segment whose header is good, those of before the last cut too. */
  private framesOf(segment: number, file: SimFile, seed: number): readonly FrameOnDisk[] {
    const { version } = file;
    const known = LogMap.parsed.get(file);
    if (known?.version === version && known.segment === segment && known.seed === seed) return known.frames;
    const frames: FrameOnDisk[] = [];
    const bytes = file.read(0, file.length);
    for (
      let offset = segmentHeaderBytes;
      offset + batchHeaderBytes <= bytes.length;
      offset += frameAlignmentBytes
    ) {
      if (getU32(bytes, offset) !== batchMagic) continue;
      const header = decodeBatchHeader(bytes, offset, seed, positionOf(segment, offset));
      if (header !== undefined) frames.push({ segment, file, offset, header });
    }
    LogMap.remember(file, { version, segment, seed, frames });
    return frames;
  }

  /** What was parsed of the latest files is kept: that of all files of a long run would be as much again as they are. */
  private static remember(file: SimFile, parsed: Parsed): void {
    LogMap.latest.push({ file, parsed });
    LogMap.parsed.set(file, parsed);
    LogMap.parsedFrames += 1 + parsed.frames.length;
    while (LogMap.parsedFrames > parsedFramesMax) {
      const oldest = LogMap.latest.shift();
      if (oldest === undefined) break;
      LogMap.parsedFrames -= 1 + oldest.parsed.frames.length;
      if (LogMap.parsed.get(oldest.file) === oldest.parsed) LogMap.parsed.delete(oldest.file);
    }
  }

  /** Those of a segment that count: none of before the last cut, behind it, and none within another one's records. */
  private *counting(frames: readonly FrameOnDisk[]): Generator<FrameOnDisk> {
    let end = 0;
    for (const frame of frames) {
      const { segment, offset, header } = frame;
      const stale =
        positionOf(segment, offset) >= this.cut.position && header.generation < this.cut.generation;
      if (stale) this.uncutFrames += 1;
      if (stale || offset < end) continue;
      end = offset + batchBytes(header);
      yield frame;
    }
  }

  /** Whether the last cut waits for no sync: a crash does not undo it. */
  get isCutDurable(): boolean {
    return this.meta?.isClean(0, 2 * slotBytes) !== false;
  }

  /** Whether anything is left of what the last cut took away. */
  get isUncut(): boolean {
    return this.uncutFrames > 0;
  }

  /** Whether all of a frame is proven to be synced, lies before the last cut as a whole, and waits for no sync. */
  isProven(frame: FrameOnDisk): boolean {
    const { segment, offset, header } = frame;
    return positionOf(segment, offset + batchBytes(header)) <= this.proven && this.isSettled(frame);
  }

  /** Whether all of a frame waits for no sync, and lies before the last cut as a whole. */
  isSettled({ segment, file, offset, header }: FrameOnDisk): boolean {
    const end = offset + batchBytes(header);
    const { cut } = this;
    if (!file.isClean(offset, end)) return false;
    // What the cut goes through was written before it and reaches behind it.
    return !(header.generation < cut.generation && positionOf(segment, end) > cut.position);
  }

  /** The proven frames with bytes in [from, to) of a segment; undefined when the piece holds anything else of value. */
  provenWithin(segment: number, from: number, to: number): readonly FrameOnDisk[] | undefined {
    if (positionOf(segment, to) > this.proven) return undefined;
    const within = this.frames.filter(
      (frame) =>
        frame.segment === segment && frame.offset < to && frame.offset + batchBytes(frame.header) > from,
    );
    return within.every((frame) => this.isProven(frame)) ? within : undefined;
  }

  /**
   * Whether what a place held before has a whole batch header that is not there any more: one that a cut went through, or of a
   * batch that was cut. Its checksum is right, so nothing tells that it is old.
   */
  hasFormerHeader(segment: number, from: number, bytes: Uint8Array): boolean {
    for (let at = 0; at + batchHeaderBytes <= bytes.length; at += frameAlignmentBytes) {
      if (getU32(bytes, at) !== batchMagic) continue;
      const header = decodeBatchHeader(bytes, at, this.seed, positionOf(segment, from + at));
      if (header === undefined || this.isStale(positionOf(segment, from + at), header.generation)) continue;
      const known = this.frames.find(
        (frame) => frame.segment === segment && frame.offset === from + at,
      )?.header;
      if (known?.count !== header.count || known.generation !== header.generation) return true;
    }
    return false;
  }

  /** Whether recovery tells by its generation that a batch is of before the last cut. */
  private isStale(position: number, generation: number): boolean {
    return position >= this.cut.position && generation < this.cut.generation;
  }

  /** Whether a byte that rotted matters to nobody: padding, what lies behind the log or between two batches, a segment's first page. */
  isIdle(file: SimFile, position: number): boolean {
    const segment = this.segments.indexOf(file);
    if (segment === -1) return file !== this.meta;
    if (position < segmentHeaderBytes) return true;
    const frame = this.frames.find(
      ({ segment: n, offset, header }) =>
        n === segment && offset <= position && position < offset + batchBytes(header),
    );
    if (frame !== undefined) return position >= frame.offset + batchHeaderBytes + frame.header.payloadBytes;
    const last = this.frames[this.frames.length - 1];
    const end = last === undefined ? 0 : positionOf(last.segment, last.offset);
    const at = positionOf(segment, position);
    return at > Math.max(end, this.cut.position) || this.nothingMissingAt(at);
  }

  /** Whether the batch before a place and the one behind it follow each other: what stood between held no record. */
  private nothingMissingAt(position: number): boolean {
    const behind = this.frames.findIndex(({ segment, offset }) => positionOf(segment, offset) > position);
    const next = this.frames[behind];
    const before = this.frames[behind - 1];
    const end = before === undefined ? -1 : before.header.previous.index + before.header.count;
    return next !== undefined && next.header.previous.index === end;
  }
}

/** The records of a frame, as far as their sizes can be followed. */
export function recordsOf({ file, offset, header }: FrameOnDisk): RecordOnDisk[] {
  const payload = file.read(offset + batchHeaderBytes, header.payloadBytes);
  const records: RecordOnDisk[] = [];
  let at = 0;
  for (let n = 0; n < header.count && at + recordHeaderBytes <= payload.length; n++) {
    const size = getU32(payload, at + 4);
    if (size < recordHeaderBytes || at + size > payload.length) break;
    const from = offset + batchHeaderBytes + at;
    records.push({ index: header.previous.index + 1 + n, from, to: from + size });
    at += size;
  }
  return records;
}

function find(tree: DirectoryTree, path: string): SimFile | undefined {
  try {
    return tree.find(path);
  } catch {
    return undefined;
  }
}
