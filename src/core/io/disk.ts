import type { Done } from "../base/task.ts";

/** What a disk can answer. `io` is a failed read, write or sync; after one, nothing may be assumed of the file. */
export type DiskFaultCode = "missing" | "exists" | "full" | "io" | "locked";

export class DiskFault extends Error {
  override readonly name = "DiskFault";
  readonly code: DiskFaultCode;

  constructor(code: DiskFaultCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** A full disk refused a write; what is there is as it was. */
export function isFull(error: unknown): error is DiskFault {
  return error instanceof DiskFault && error.code === "full";
}

/**
 * An open file. Calls are submitted at once and completed later through `done`, never inside the call, in any order
 * unless said otherwise; errors are `DiskFault`s.
 *
 * What is durable: bytes of a write are certain to survive a crash once a `sync` that was submitted after the write
 * completed has itself completed. Until then any 512-byte sector of it may hold old or new content, each by itself,
 * and the file's length may be old or new. The file itself survives only once its directory was synced after it was made.
 * A failed sync leaves the file in an unknown state: it is never synced again as if nothing had happened.
 */
export interface DiskFile {
  /**
   * Reads up to `length` bytes; fewer come back only at the end of the file. The caller may keep the bytes, which no later
   * write changes, and leaves them unchanged itself.
   */
  read(offset: number, length: number, done: Done<Uint8Array>): void;
  /** Writes all the parts behind each other at `offset`, extending the file if need be. The caller leaves them unchanged until `done`. */
  write(offset: number, parts: readonly Uint8Array[], done: Done<void>): void;
  /**
   * A write that is durable once it completes, with the length that it gives the file: as if a sync of these bytes alone
   * followed it, at less cost. What was written elsewhere in the file waits for its own sync.
   */
  writeSynced(offset: number, parts: readonly Uint8Array[], done: Done<void>): void;
  /** fdatasync: content and length. */
  sync(done: Done<void>): void;
  /** Sets the length; durable after the next sync. */
  truncate(length: number, done: Done<void>): void;
  size(done: Done<number>): void;
  close(done: Done<void>): void;
}

/** Keeps a second process out of a directory for as long as this process lives and does not release it. */
export interface DiskLock {
  release(done: Done<void>): void;
}

/**
 * A file system. Paths are relative to the node's root, with `/` between names. Making, renaming and removing a file
 * is durable once its directory is synced (`syncDirectory`) after the call completed; until then a crash may undo it.
 */
export interface Disk {
  /** Makes the directory and its parents, and syncs each parent; one that exists is fine. */
  makeDirectory(path: string, done: Done<void>): void;
  /** Names in a directory, sorted by code unit. `missing` when there is no such directory. */
  list(path: string, done: Done<readonly string[]>): void;
  /** `existing` refuses a missing file, `new` refuses an existing one. Files open for reading and writing. */
  open(path: string, mode: "existing" | "new", done: Done<DiskFile>): void;
  rename(from: string, to: string, done: Done<void>): void;
  remove(path: string, done: Done<void>): void;
  syncDirectory(path: string, done: Done<void>): void;
  /** `locked` when another process holds it. The lock goes with the process: a killed process never holds one. */
  lock(directory: string, done: Done<DiskLock>): void;
}
