import * as fs from "node:fs";
import * as path from "node:path";
import { LogError } from "../core/base/errors.ts";

/**
 * Makes a directory and the parents that are missing. Node's own `recursive` never ends where a file system refuses a
 * name in a directory that exists, as /proc does: it makes the parent and tries again, for ever.
 * @throws what the file system says, with a `code`.
 */
export function makeDirectories(directory: string): void {
  const missing: string[] = [];
  for (let at = path.resolve(directory); !isDirectory(at); at = path.dirname(at)) {
    missing.push(at);
    if (path.dirname(at) === at) break;
  }
  for (const one of missing.reverse()) {
    try {
      fs.mkdirSync(one);
    } catch (error) {
      // Another process may have made it meanwhile.
      if (!isDirectory(one)) throw error;
    }
  }
}

function isDirectory(at: string): boolean {
  try {
    return fs.statSync(at).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}

/** The setting that named a directory. */
export interface DirectorySetting {
  readonly value: string;
  /** `flag --data`, say. */
  readonly origin: string;
}

const disks: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EIO"]);

/**
 * A data directory that cannot be made or written, as a fault of the configuration.
 * @returns undefined when it is the disk's fault, and another place on it would fare no better.
 */
export function directoryFault(
  { value, origin }: DirectorySetting,
  error: NodeJS.ErrnoException,
): LogError | undefined {
  if (error.code === undefined || disks.has(error.code)) return undefined;
  const text = `storePathRootDir is ${JSON.stringify(value)} (${origin}), which is no place for data: ${reason(error)}; name a directory that this user can make and write`;
  return new LogError("bad-configuration", text, { cause: error });
}

function reason({ code, message, path: at = "" }: NodeJS.ErrnoException): string {
  switch (code) {
    case "EEXIST":
      return `${at} is there and is not a directory`;
    case "ENOTDIR":
      return `something above ${at} is not a directory`;
    case "ENOENT":
      return `nothing can be made in ${path.dirname(at)}`;
    case "EACCES":
    case "EPERM":
      return `this user may not write ${at}`;
    case "EROFS":
      return `the file system of ${at} is read-only`;
    default:
      return message;
  }
}
