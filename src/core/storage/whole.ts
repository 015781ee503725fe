import { LogError } from "../base/errors.ts";

/**
 * Reads the fields of what a checksum has vouched for. That they are nonsense all the same is no bug of the reader's.
 * @throws LogError damaged, naming `what`.
 */
export function wholeOr<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof RangeError) && !(cause instanceof LogError)) throw cause;
    const message = `${what} matches its checksum, but not its format: ${cause.message}`;
    throw new LogError("damaged", message, { retry: "never", cause });
  }
}
