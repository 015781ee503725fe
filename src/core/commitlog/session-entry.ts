import { getU32 } from "../base/bytes.ts";
import type { Entry } from "../base/entry.ts";
import { bodyOf } from "../base/entry.ts";
import { sessionsCeiling } from "./limits.ts";

const bodyBytes = 4;

/**
 * The body of an entry that opens a session: the `sessionsMax` of the leader that proposes it, 4 bytes, big-endian.
 *
 * Which sessions live decides what an append of one means, so it has to follow from the log alone. A node's own number
 * would not: an operator may change it between two starts, or on one node before the other, and the same log would then
 * evict others than it did before, or than it does elsewhere.
 */
export function openingBody(sessionsMax: number): Uint8Array {
  const body = new Uint8Array(bodyBytes);
  new DataView(body.buffer).setUint32(0, sessionsMax);
  return body;
}

/**
 * How many sessions an entry that opens one leaves open.
 *
 * No leader of this build writes anything but four bytes within the bounds. Whatever else stands in a log must still mean
 * the same on every node, and stop none: a number out of bounds is the nearest within, and a body of another length, which
 * tells no number at all, evicts nobody, for a session that lives too long does no harm to anybody's appends.
 * @param own the node's own limit, which stands for the number where the body is empty: logs of earlier builds.
 */
export function sessionsMaxOf(entry: Entry, own: number): number {
  const body = bodyOf(entry);
  if (body.length === 0) return own;
  if (body.length !== bodyBytes) return sessionsCeiling;
  return Math.min(Math.max(getU32(body, 0), 1), sessionsCeiling);
}
