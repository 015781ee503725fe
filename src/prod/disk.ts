import * as fs from "node:fs";
import * as path from "node:path";
import { assert } from "../core/base/assert.ts";
import type { Done } from "../core/base/task.ts";
import type { Disk, DiskFaultCode, DiskFile, DiskLock } from "../core/io/disk.ts";
import { DiskFault } from "../core/io/disk.ts";
import type { DiskMeter } from "./disk-file.ts";
import { OpenFile } from "./disk-file.ts";
import { lockDirectory, lockFileName } from "./lock.ts";
import type { Turns } from "./turn.ts";

const codes: { readonly [errno: string]: DiskFaultCode } = {
  ENOSPC: "full",
  EDQUOT: "full",
  ENOENT: "missing",
  ENOTDIR: "missing",
  EEXIST: "exists",
};

/** The fault that the core sees for an error of the host's file system. Whatever has no name of its own is `io`. */
export function diskFaultOf(error: NodeJS.ErrnoException, operation: string): DiskFault {
  const code = codes[error.code ?? ""] ?? "io";
  return new DiskFault(code, `${operation}: ${error.message}`, error);
}

/** A node's directory on the host's file system. Every call runs on the host's threads, off the event loop. */
export class FileDisk implements Disk {
  private readonly root: string;
  private readonly turns: Turns;
  private readonly meter: DiskMeter | undefined;

  /**
   * @param root the node's directory; made, with its parents, by the first `makeDirectory("")`.
   */
  constructor(root: string, turns: Turns, meter?: DiskMeter) {
    this.root = path.resolve(root);
    this.turns = turns;
    this.meter = meter;
  }

  makeDirectory(name: string, done: Done<void>): void {
    const target = this.resolve(name);
    const complete = this.completion("make directory", done);
    // A directory is durable once its parent is synced, so each parent of a new one is synced, deepest last.
    const parents: string[] = [];
    for (let at = target; ; at = path.dirname(at)) {
      parents.unshift(at);
      if (path.dirname(at) === at) break;
    }
    const make = (at: number): void => {
      const directory = parents[at];
      if (directory === undefined) {
        complete(undefined, undefined);
        return;
      }
      fs.mkdir(directory, (error) => {
        if (error !== null) {
          // It exists, or the host's own directories are read-only: what matters is whether it is there.
          fs.stat(directory, (missing, stat) =>
            missing === null && stat.isDirectory() ? make(at + 1) : complete(error, undefined),
          );
          return;
        }
        syncPath(path.dirname(directory), (failed) =>
          failed === null ? make(at + 1) : complete(failed, undefined),
        );
      });
    };
    make(0);
  }

  list(name: string, done: Done<readonly string[]>): void {
    const complete = this.completion("list", done);
    fs.readdir(this.resolve(name), (error, names) => {
      if (error !== null) return complete(error, []);
      const seen = names.filter((entry) => entry !== lockFileName);
      complete(undefined, seen.sort(byCodeUnit));
    });
  }

  open(name: string, mode: "existing" | "new", done: Done<DiskFile>): void {
    const file = this.resolve(name);
    const complete = this.completion("open", done);
    fs.open(file, mode === "new" ? "wx+" : "r+", 0o644, (error, fd) => {
      if (error !== null) return complete(error, undefined as never);
      complete(
        undefined,
        new OpenFile({
          fd,
          path: file,
          name,
          meter: this.meter,
          complete: (operation, then) => this.completion(operation, then),
        }),
      );
    });
  }

  rename(from: string, to: string, done: Done<void>): void {
    const complete = this.completion("rename", done);
    fs.rename(this.resolve(from), this.resolve(to), (error) => complete(error ?? undefined, undefined));
  }

  remove(name: string, done: Done<void>): void {
    const complete = this.completion("remove", done);
    fs.unlink(this.resolve(name), (error) => complete(error ?? undefined, undefined));
  }

  syncDirectory(name: string, done: Done<void>): void {
    const complete = this.completion("sync directory", done);
    syncPath(this.resolve(name), (error) => complete(error ?? undefined, undefined));
  }

  lock(directory: string, done: Done<DiskLock>): void {
    const complete = this.completion("lock", done);
    lockDirectory(this.resolve(directory), (error, release) => {
      if (error !== undefined || release === undefined) return complete(error, undefined as never);
      complete(undefined, {
        release: (released) => release(this.completion("release lock", released)),
      });
    });
  }

  /** Makes each completion a turn of its own and each error a fault. */
  private completion<T>(operation: string, done: Done<T>): Done<T> {
    return (error, value) => {
      this.turns.enter();
      if (error === undefined) done(undefined, value);
      else done(error instanceof DiskFault ? error : diskFaultOf(error, operation), value);
    };
  }

  private resolve(name: string): string {
    if (name === "" || name === ".") return this.root;
    const inside = name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
    assert(inside && !/[\\\0]/.test(name), "a path stays below the node's directory");
    return path.join(this.root, name);
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** fsync of a directory: makes the names in it durable. */
function syncPath(directory: string, done: (error: NodeJS.ErrnoException | null) => void): void {
  fs.open(directory, "r", (error, fd) => {
    if (error !== null) return done(error);
    fs.fsync(fd, (failed) => fs.close(fd, (closed) => done(failed ?? closed ?? null)));
  });
}
