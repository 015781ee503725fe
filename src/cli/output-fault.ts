import * as fs from "node:fs";
import { exitCodes } from "../prod/exit-codes.ts";

/** What a command tells has no place to go, as on a full disk: no fault of the log, the run or this program. */
export class OutputError extends Error {
  override readonly name = "OutputError";

  constructor(what: string, cause: Error) {
    super(`${what} cannot be written: ${cause.message}`, { cause });
  }
}

/** @returns undefined when something else failed. Standard output that is a file throws out of the call that writes. */
export function outputErrorOf(error: unknown): OutputError | undefined {
  if (error instanceof OutputError) return error;
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).syscall !== "write") return undefined;
  return new OutputError("standard output", error);
}

/** Ends the process with one line: whoever reads the exit code must not take it for the command's own answer. */
export function leaveWithoutOutput(error: OutputError): never {
  try {
    process.stderr.write(`quorumlog: ${error.message}; what the command did until then stands\n`);
  } catch {
    // Standard error has no place left either.
  }
  process.exit(exitCodes.output);
}

/** Writes all of `text`. @throws OutputError. */
export function writeFully(file: number, what: string, text: string): void {
  let left: Uint8Array = new TextEncoder().encode(text);
  try {
    // A disk that is nearly full takes the first part only, and says so at the next.
    while (left.length > 0) left = left.subarray(fs.writeSync(file, left));
  } catch (error) {
    throw new OutputError(what, error as Error);
  }
}
