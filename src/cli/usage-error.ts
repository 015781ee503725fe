/** The command line is wrong: `message` says what, and what was meant or is allowed. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
