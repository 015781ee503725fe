import type { LogError } from "../core/base/errors.ts";

/** Exit codes of servers and of the commands, after sysexits.h. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  /** Of `log status`: it shows a group without a leader or a majority. */
  unhealthy: 10,
  usage: 64,
  noInput: 66,
  unavailable: 69,
  internal: 70,
  /** What a command tells cannot be written, as on a full disk; what it did stands. */
  output: 74,
  temporary: 75,
  configuration: 78,
  interrupted: 130,
  terminated: 143,
} as const;

/** For a server that could not start. */
export function exitCodeOf(error: LogError): number {
  switch (error.code) {
    case "bad-configuration":
    case "wrong-directory":
    case "wrong-cluster":
    case "wrong-version":
    case "damaged":
      return exitCodes.configuration;
    case "directory-in-use":
    case "unavailable":
      return exitCodes.unavailable;
    default:
      return exitCodes.internal;
  }
}
