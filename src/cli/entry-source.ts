import * as fs from "node:fs";
import { entryBodyBytesMax } from "../core/base/entry.ts";
import { LogError } from "../core/base/errors.ts";
import type { AppendSource } from "./log-options.ts";

/** The entry to append cannot be read: nothing about the log, so no fault of it. */
export class InputError extends Error {
  override readonly name = "InputError";
}

/**
 * Reads the entry that is to be appended.
 * @throws InputError when it cannot be read, LogError entry-too-large.
 */
export async function readSource(source: AppendSource): Promise<Uint8Array | string> {
  if (source.kind === "text") return source.text;
  const stream: NodeJS.ReadableStream =
    source.kind === "stdin" ? process.stdin : fs.createReadStream(source.path);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      const part = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      bytes += part.length;
      // Read no further than it takes to know: the input may be endless.
      if (bytes > entryBodyBytesMax) {
        throw new LogError(
          "entry-too-large",
          `the entry has more than ${entryBodyBytesMax} bytes, the limit`,
        );
      }
      chunks.push(part);
    }
  } catch (error) {
    if (error instanceof LogError) throw error;
    const name = source.kind === "stdin" ? "standard input" : source.path;
    throw new InputError(`${name}: ${whyUnreadable(error as NodeJS.ErrnoException)}`, { cause: error });
  }
  return Buffer.concat(chunks);
}

function whyUnreadable({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case "ENOENT":
      return "there is no such file";
    case "EISDIR":
      return "it is a directory";
    case "EACCES":
      return "this user may not read it";
    default:
      return message;
  }
}
