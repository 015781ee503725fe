/**
 * Every fault that quorumlog reports, on the wire and in the library. Callers branch on the code, never on text.
 * The number is the wire's; numbers are never reused.
 */
export const faultCodes = {
  "not-leader": 1,
  "leader-not-ready": 2,
  "leader-transferring": 3,
  "no-quorum": 4,
  "pending-full": 5,
  "entry-too-large": 6,
  "batch-too-large": 7,
  "session-expired": 8,
  "sequence-gap": 9,
  "sequence-too-old": 10,
  "sessions-full": 11,
  "index-out-of-range": 12,
  "internal-entry": 13,
  "unknown-group": 14,
  "unknown-node": 15,
  "wrong-cluster": 16,
  "wrong-version": 17,
  "wrong-incarnation": 18,
  "malformed-frame": 19,
  "frame-too-large": 20,
  "disk-full": 21,
  "disk-error": 22,
  damaged: 23,
  wiped: 24,
  "read-only": 25,
  timeout: 26,
  "outcome-unknown": 27,
  unavailable: 28,
  stopping: 29,
  "not-authorised": 30,
  "bad-configuration": 31,
  "directory-in-use": 32,
  "wrong-directory": 33,
  cancelled: 34,
  "transfer-failed": 35,
} as const;

export type FaultCode = keyof typeof faultCodes;

/**
 * Whether the same call may be made again.
 * - `now`: nothing happened; retry, elsewhere if the error names a leader.
 * - `later`: nothing happened; retry after a pause.
 * - `never`: the same call fails again.
 * - `unknown`: the call may have taken effect; only a session makes a retry safe.
 */
export type Retry = "now" | "later" | "never" | "unknown";

const retries: { readonly [code in FaultCode]: Retry } = {
  "not-leader": "now",
  "leader-not-ready": "later",
  "leader-transferring": "later",
  "no-quorum": "later",
  "pending-full": "later",
  "entry-too-large": "never",
  "batch-too-large": "never",
  "session-expired": "never",
  "sequence-gap": "now",
  "sequence-too-old": "never",
  "sessions-full": "later",
  "index-out-of-range": "never",
  "internal-entry": "never",
  "unknown-group": "never",
  "unknown-node": "never",
  "wrong-cluster": "never",
  "wrong-version": "never",
  "wrong-incarnation": "never",
  "malformed-frame": "never",
  "frame-too-large": "never",
  "disk-full": "later",
  "disk-error": "later",
  damaged: "later",
  wiped: "later",
  "read-only": "later",
  timeout: "later",
  "outcome-unknown": "unknown",
  unavailable: "later",
  stopping: "now",
  "not-authorised": "never",
  "bad-configuration": "never",
  "directory-in-use": "never",
  "wrong-directory": "never",
  cancelled: "never",
  "transfer-failed": "later",
};

const codeOfNumber = new Map<number, FaultCode>();
for (const [code, number] of Object.entries(faultCodes)) codeOfNumber.set(number, code as FaultCode);

/** @returns undefined when the number names no fault of this version. */
export function faultCodeOf(number: number): FaultCode | undefined {
  return codeOfNumber.get(number);
}

/** Node's switch for how many calls an error writes down; other engines do not know it. */
const stacks = Error as { stackTraceLimit?: number | undefined };

/** A fault of the world: a disk, a peer, a caller. Says what happened, why, and whether to try again. */
export class LogError extends Error {
  override readonly name = "LogError";
  readonly code: FaultCode;
  readonly retry: Retry;

  constructor(
    code: FaultCode,
    message: string,
    options?: { readonly retry?: Retry; readonly cause?: unknown },
  ) {
    const retry = options?.retry ?? retries[code];
    // Where a refusal that passes was made tells nobody anything, and writing it down costs more than the refusal.
    const { stackTraceLimit } = stacks;
    if (retry !== "never") stacks.stackTraceLimit = 0;
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    stacks.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.retry = retry;
  }
}
