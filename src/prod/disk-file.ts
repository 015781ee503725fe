import * as fs from "node:fs";
import type { Done } from "../core/base/task.ts";
import type { DiskFile } from "../core/io/disk.ts";
import { DiskFault } from "../core/io/disk.ts";

/** Buffers in one writev; the host's limit is 1,024. */
const partsMax = 512;

type Complete = <T>(operation: string, done: Done<T>) => Done<T>;

/** Counts what moves between the process and its files. */
export interface DiskMeter {
  synced(seconds: number): void;
  wrote(bytes: number): void;
  read(bytes: number): void;
}

export interface OpenFileOptions {
  readonly fd: number;
  /** Where it was opened. */
  readonly path: string;
  /** For messages. */
  readonly name: string;
  readonly complete: Complete;
  readonly meter: DiskMeter | undefined;
}

/** An open file of the host. */
export class OpenFile implements DiskFile {
  private readonly fd: number;
  private readonly path: string;
  /** The same file again, each write of which is durable; undefined where the host has none, "unknown" before the first. */
  private syncing: number | undefined | "unknown" = "unknown";
  /** Writes that wait for it to be opened. */
  private readonly openings: (() => void)[] = [];
  private readonly name: string;
  private readonly complete: Complete;
  private readonly meter: DiskMeter | undefined;
  /** Set by a failed write or sync: the host may have dropped dirty pages and would call the next sync good. */
  private broken: DiskFault | undefined;

  constructor({ fd, path, name, complete, meter }: OpenFileOptions) {
    this.fd = fd;
    this.path = path;
    this.name = name;
    this.complete = complete;
    this.meter = meter;
  }

  read(offset: number, length: number, done: Done<Uint8Array>): void {
    const complete = this.complete(`read ${this.name}`, done);
    const bytes = new Uint8Array(length);
    const more = (filled: number): void => {
      fs.read(this.fd, bytes, filled, length - filled, offset + filled, (error, count) => {
        if (error !== null) return complete(error, bytes);
        // A short read is the end of the file only when it reads nothing.
        if (count > 0 && filled + count < length) return more(filled + count);
        this.meter?.read(filled + count);
        complete(undefined, filled + count === length ? bytes : bytes.slice(0, filled + count));
      });
    };
    more(0);
  }

  write(offset: number, parts: readonly Uint8Array[], done: Done<void>): void {
    this.writeTo(this.fd, offset, parts, this.failing(`write ${this.name}`, done));
  }

  /** One call of the host instead of two, and of its threads: a write through O_DSYNC. */
  writeSynced(offset: number, parts: readonly Uint8Array[], done: Done<void>): void {
    const { syncing, broken } = this;
    if (syncing === "unknown") {
      this.openings.push(() => this.writeSynced(offset, parts, done));
      if (this.openings.length > 1) return;
      openSyncing(this.path, this.fd, (fd) => {
        this.syncing = fd;
        for (const opened of this.openings.splice(0)) opened();
      });
      return;
    }
    if (syncing === undefined) {
      this.write(offset, parts, (error) => (error === undefined ? this.sync(done) : done(error, undefined)));
      return;
    }
    const complete = this.failing(`write and sync ${this.name}`, done);
    if (broken !== undefined) {
      setImmediate(() => complete(broken, undefined));
      return;
    }
    const begun = performance.now();
    this.writeTo(syncing, offset, parts, (error) => {
      this.meter?.synced((performance.now() - begun) / 1_000);
      complete(error ?? this.broken, undefined);
    });
  }

  private writeTo(fd: number, offset: number, parts: readonly Uint8Array[], complete: Done<void>): void {
    const more = (at: number, waiting: readonly Uint8Array[]): void => {
      if (waiting.length === 0) {
        complete(undefined, undefined);
        return;
      }
      const now = waiting.slice(0, partsMax);
      fs.writev(fd, now, at, (error, count) => {
        if (error !== null) return complete(error, undefined);
        // A write that moves nothing and names no error would be repeated for ever.
        if (count === 0)
          return complete(new DiskFault("io", `write ${this.name}: nothing was written`), undefined);
        this.meter?.wrote(count);
        more(at + count, [...rest(now, count), ...waiting.slice(partsMax)]);
      });
    };
    const filled = parts.filter((part) => part.length > 0);
    if (filled.length > 0) more(offset, filled);
    else setImmediate(complete, undefined, undefined);
  }

  sync(done: Done<void>): void {
    const complete = this.failing(`sync ${this.name}`, done);
    const { broken } = this;
    if (broken !== undefined) setImmediate(() => complete(broken, undefined));
    else {
      const begun = performance.now();
      fs.fdatasync(this.fd, (error) => {
        this.meter?.synced((performance.now() - begun) / 1_000);
        complete(error ?? this.broken, undefined);
      });
    }
  }

  truncate(length: number, done: Done<void>): void {
    const complete = this.failing(`truncate ${this.name}`, done);
    fs.ftruncate(this.fd, length, (error) => complete(error ?? undefined, undefined));
  }

  size(done: Done<number>): void {
    const complete = this.complete(`size of ${this.name}`, done);
    fs.fstat(this.fd, (error, stat) => complete(error ?? undefined, stat?.size ?? 0));
  }

  close(done: Done<void>): void {
    const complete = this.complete(`close ${this.name}`, done);
    const { syncing } = this;
    this.syncing = undefined;
    const closeOwn = (failed: NodeJS.ErrnoException | null): void =>
      fs.close(this.fd, (error) => complete(failed ?? error ?? undefined, undefined));
    if (typeof syncing === "number") fs.close(syncing, (error) => closeOwn(error ?? null));
    else closeOwn(null);
  }

  /** A completion that remembers its fault. A full disk refused the write; the file itself is as it was. */
  private failing(operation: string, done: Done<void>): Done<void> {
    return this.complete<void>(operation, (error) => {
      if (error instanceof DiskFault && error.code !== "full") this.broken ??= error;
      done(error, undefined);
    });
  }
}

/** Opens a file once more for writes that are durable by themselves. @param done told undefined where that cannot be done. */
function openSyncing(path: string, fd: number, done: (fd: number | undefined) => void): void {
  const flag: number | undefined = fs.constants.O_DSYNC;
  // Elsewhere it may mean less than Node.js' fdatasync, which on macOS empties the drive's own cache too.
  if (process.platform !== "linux" || flag === undefined) return done(undefined);
  fs.open(path, fs.constants.O_WRONLY | flag, (error, syncing) => {
    if (error !== null) return done(undefined);
    fs.fstat(fd, (_error, known) =>
      fs.fstat(syncing, (_failed, again) => {
        // Between the two openings the path may have become another file's.
        if (known?.ino === again?.ino && known?.dev === again?.dev && known !== undefined)
          return done(syncing);
        fs.close(syncing, () => done(undefined));
      }),
    );
  });
}

/** What is left of `parts` after their first `count` bytes. */
function rest(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let at = 0;
  while (at < parts.length && count >= (parts[at] as Uint8Array).length) {
    count -= (parts[at] as Uint8Array).length;
    at += 1;
  }
  const left = parts.slice(at);
  if (count > 0 && left[0] !== undefined) left[0] = left[0].subarray(count);
  return left;
}
