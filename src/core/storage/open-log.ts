import { LogError } from "../base/errors.ts";
import type { Task } from "../base/task.ts";
import { wait } from "../base/task.ts";
import type { Disk, DiskFile } from "../io/disk.ts";
import { isFull } from "../io/disk.ts";
import { clipBatchAgain, cutLog } from "./cut.ts";
import { placeOf, segmentHeaderBytes } from "./format.ts";
import type { Identity } from "./identity.ts";
import { checkIdentity, identityName, readIdentity, writeIdentity } from "./identity.ts";
import { LogFiles } from "./log-files.ts";
import type { Cut } from "./meta.ts";
import { noCut } from "./meta.ts";
import type { MetaFile } from "./meta-file.ts";
import { createMeta, metaName, openMeta } from "./meta-file.ts";
import type { StoreOptions } from "./options.ts";
import type { Scan } from "./recovery.ts";
import { scanLog } from "./recovery.ts";
import type { Segment } from "./segment.ts";
import { segmentNumber, unfinishedNumber } from "./segment.ts";
import { restoreLengths } from "./shortened.ts";

/** A directory that was recovered: everything told here is durable. */
export interface OpenedLog {
  readonly files: LogFiles;
  readonly meta: MetaFile;
  readonly scan: Scan;
  readonly spare: Segment | undefined;
  /** Whether the segment at the log's end has its header. */
  readonly headerWritten: boolean;
  /** The directory was empty and has been made. */
  readonly created: boolean;
}

/** Opens a log's directory, or makes it. The order of making is: identity, first segment, meta; each durable before the next. */
export function* openLog(
  disk: Disk,
  options: StoreOptions,
  newIdentity: () => Identity,
  metaFailed: (error: Error, operation: string) => void,
): Task<OpenedLog> {
  const { directory } = options;
  yield* wait<void>((done) => disk.makeDirectory(directory, done));
  const names = yield* wait<readonly string[]>((done) => disk.list(directory, done));
  const created = !names.includes(identityName);
  const used = names.some((name) => name === metaName || segmentNumber(name) !== undefined);
  if (created && used) throw damaged(`${directory}/${identityName} is missing beside a log`);
  if (created) yield* writeIdentity(disk, directory, newIdentity());
  const identity = yield* readIdentity(disk, directory);
  checkIdentity(identity, { ...options, cluster: options.cluster ?? "", voters: options.voters });
  const files = new LogFiles(disk, directory, options, identity);
  const numbers = names.map(segmentNumber).filter((number) => number !== undefined);
  const unfinished = names.map(unfinishedNumber).filter((number) => number !== undefined);
  let meta: MetaFile | undefined;
  try {
    for (const number of numbers) files.segments.set(number, yield* files.open(number));
    if (!names.includes(metaName)) {
      // A directory has its meta file before it is anything but empty.
      if (identity.stage !== "empty") throw damaged(`${directory}/${metaName} is missing`);
      yield* finishCreation(files, options);
    }
    meta = yield* openMeta(disk, directory, files.seed, metaFailed);
    return { files, meta, created, ...(yield* recover(files, meta, options, unfinished)) };
  } catch (error) {
    if (meta !== undefined) yield* meta.close();
    yield* files.close();
    throw error;
  }
}

/** Closes every file of a log, in which nothing is under way any more. */
export function* closeOpened({
  files,
  meta,
  spare,
}: Pick<OpenedLog, "files" | "meta" | "spare">): Task<void> {
  if (spare !== undefined) yield* wait<void>((done) => spare.file.close(done));
  yield* meta.close();
  yield* files.close();
}

/** A full disk is a fault that callers know by its own code. */
export function openFault(error: Error | undefined): Error {
  if (error !== undefined && isFull(error)) {
    return new LogError("disk-full", error.message, { cause: error });
  }
  return error ?? new LogError("disk-error", "the log could not be opened");
}

function damaged(message: string): LogError {
  return new LogError("damaged", message, { retry: "never" });
}

/** Makes what a crash may have left undone when the directory was made. Nothing can have been promised yet. */
function* finishCreation(files: LogFiles, options: StoreOptions): Task<void> {
  const scan = yield* scanLog(files, noCut, options);
  if (scan.end.index >= 0 || scan.dirty.size > 0 || scan.holes.all.length > 0) {
    throw damaged(`${files.directory}/${metaName} is missing beside a log`);
  }
  yield* files.removeUnfinished();
  yield* files.remove([...files.segments.values()]);
  files.segments.set(0, yield* files.create(0, atOnce));
  yield* createMeta(files.disk, files.directory, files.seed);
}

/** Recovers the log and carries out what recovery decided, so that the files hold the log and nothing else. */
function* recover(
  files: LogFiles,
  meta: MetaFile,
  options: StoreOptions,
  unfinished: readonly number[],
): Task<{ scan: Scan; spare: Segment | undefined; headerWritten: boolean }> {
  yield* writeMendedAgain(files, meta, options.readBytesMax);
  const scan = yield* scanLog(files, meta.record.cut, options);
  const { segment: active, offset } = scan.place;
  checkNoneMissing(files, active, unfinished);
  yield* restoreLengths(files, scan);
  // Not before: a directory that is refused is refused again the next time.
  yield* files.removeUnfinished();
  yield* restoreSizes(files, scan);
  const { cut } = meta.record;
  yield* writeAgain(files, scan, cut, options.readBytesMax);
  const later = [...files.segments.values()].filter((segment) => segment.number > active);
  const spare = later.find((segment) => {
    const whole = segment.number === active + 1 && segment.size === options.segmentBytes;
    return whole && !scan.dirty.has(segment.number);
  });
  const extra = later.filter((segment) => segment !== spare);
  if (scan.cut !== undefined) yield* cutLog(files, meta, scan.cut, extra);
  else yield* files.remove(extra);
  yield* zeroAgain(files, scan, cut);
  yield* healHeaders(files, scan, meta.record.cut.generation);
  if (spare !== undefined) files.segments.delete(spare.number);
  return { scan, spare, headerWritten: !scan.headless.has(active) || offset > segmentHeaderBytes };
}

/**
 * A segment is begun only when the one before is in use, and the newest one goes first: what is there of a segment, even
 * an unfinished one, proves that those before it were. One that is gone behind all that the log tells of is a loss.
 */
function checkNoneMissing(files: LogFiles, active: number, unfinished: readonly number[]): void {
  const last = Math.max(active, files.lastNumber, ...unfinished.map((number) => number - 1));
  for (let number = active; number <= last; number++) {
    if (!files.segments.has(number)) {
      throw damaged(`${files.path(number)} is missing, and nothing tells what was in it`);
    }
  }
}

/** Segments that were lost or shortened where records were damaged get their size back, so that copies have a place. */
function* restoreSizes(files: LogFiles, scan: Scan): Task<void> {
  const needed = new Map<number, number>();
  const need = (number: number, bytes: number): void => {
    needed.set(number, Math.max(bytes, needed.get(number) ?? 0));
  };
  for (let number = 0; number < scan.place.segment; number++) {
    if (!files.segments.has(number)) need(number, files.segmentBytes);
  }
  for (const hole of scan.holes.all) for (const extent of hole.extents) need(extent.segment, extent.to);
  for (const [number, bytes] of needed) {
    const known = files.segments.get(number);
    if (known !== undefined && known.size >= bytes) continue;
    const file =
      known?.file ?? (yield* wait<DiskFile>((done) => files.disk.open(files.path(number), "new", done)));
    yield* wait<void>((done) => file.truncate(bytes, done));
    yield* wait<void>((done) => file.sync(done));
    if (known !== undefined) known.size = bytes;
    else {
      yield* files.syncDirectory();
      files.segments.set(number, { number, file, size: bytes });
    }
  }
}

/** Nothing is appended meanwhile that the zeros of a segment could hold up. */
function* atOnce(): Task<void> {}

/**
 * What is not proven to be synced may stand in the page cache only (the process was killed), or have been given up by
 * the kernel after a failed sync: it is written again and synced before anybody counts on it.
 */
function* writeAgain(files: LogFiles, scan: Scan, cut: Cut, pieceBytes: number): Task<void> {
  const { segment: number } = scan.place;
  const segment = files.get(number);
  const stop = Math.min(scan.cut?.place.offset ?? scan.place.offset, segment.size);
  const proven = placeOf(scan.proven);
  const from = proven.segment === number ? proven.offset : 0;
  yield* writeRangeAgain(segment, { from, to: stop }, pieceBytes);
  const { beforeCut } = scan;
  if (beforeCut?.place.segment === number) yield* clipBatchAgain(files, segment, cut, beforeCut);
  yield* wait<void>((done) => segment.file.sync(done));
}

/**
 * So are the zeros behind a cut in the segment in use: its sync may have failed, and dead records stand on the disk where zeros
 * are read. While it is the last cut they are known by their generation; behind a later one nothing would tell.
 */
function* zeroAgain(files: LogFiles, { place }: Scan, cut: Cut): Task<void> {
  if (cut.generation === 0 || placeOf(cut.position).segment !== place.segment) return;
  const segment = files.get(place.segment);
  yield* files.zero(segment.file, place.offset, segment.size);
  yield* wait<void>((done) => segment.file.sync(done));
}

/**
 * So is what a mending wrote last, which lies before what is proven, whatever it is: before it is read, since that may give
 * what the disk does not hold. A segment that is not there any more was cut since.
 */
function* writeMendedAgain(files: LogFiles, meta: MetaFile, pieceBytes: number): Task<void> {
  const { mending } = meta.record;
  if (mending === undefined) return;
  const segment = files.segments.get(mending.segment);
  if (segment !== undefined) {
    const { from, to } = mending;
    yield* writeRangeAgain(segment, { from, to: Math.min(to, segment.size) }, pieceBytes);
    yield* wait<void>((done) => segment.file.sync(done));
  }
  yield* wait<void>((done) => meta.saveMending(undefined, done));
}

/** The caller syncs. */
function* writeRangeAgain(
  { file }: Segment,
  { from, to }: { readonly from: number; readonly to: number },
  pieceBytes: number,
): Task<void> {
  for (let at = from; at < to; ) {
    const offset = at;
    const length = Math.min(pieceBytes, to - offset);
    const bytes = yield* wait<Uint8Array>((done) => file.read(offset, length, done));
    if (bytes.length === 0) break;
    yield* wait<void>((done) => file.write(offset, [bytes], done));
    at += bytes.length;
  }
}

/** A lost segment header tells nothing that the log does not: it is written again. */
function* healHeaders(files: LogFiles, scan: Scan, generation: number): Task<void> {
  for (const [number, previous] of scan.headless) {
    if (number > scan.place.segment) continue;
    if (number === scan.place.segment && scan.place.offset <= segmentHeaderBytes) continue;
    const { file } = files.get(number);
    const bytes = files.header(files.get(number), generation, previous, 0);
    yield* wait<void>((done) => file.write(0, [bytes], done));
    yield* wait<void>((done) => file.sync(done));
  }
}
