import type { NodeId } from "../base/brand.ts";
import type { Intake } from "../io/trace.ts";
import { isAsComplete } from "./log.ts";
import type { PreVote } from "./message.ts";
import type { RaftState } from "./state.ts";
import { mayVote } from "./state.ts";
import { beginTransfer, heirOf } from "./transfer.ts";

/**
 * Nodes that take no entries of clients: an operator made them read-only, or their disk is full. They follow, vote and
 * serve reads as all others do, and lead only as a last resort, when no writable voter's log is as complete:
 * - A read-only node asks for pre-votes and says that it would rather not. A writable voter whose log is as complete
 *   objects and campaigns itself; the read-only one yields. Without an objection it waits a whole election timeout for
 *   one, unless all have answered.
 * - A read-only leader commits its no-op, refuses appends, catches a writable voter up and transfers leadership to it.
 *
 * No vote is refused for any of this, so none of it touches safety; a writable voter that objects and cannot win is
 * passed over after `yieldsMax` times.
 */

/** So often in a row a read-only node yields to an objection; then it leads, and hands over by a transfer. */
const yieldsMax = 4;

/** The number by which a leader's own transfers are told from those that were asked for. */
const ownTransfer = 0;

/** Whether this node takes clients' entries has changed. */
export function setIntake(s: RaftState, intake: Intake): void {
  if (s.intake === intake) return;
  s.intake = intake;
  s.yields = 0;
  handOver(s);
}

/** Whether a pre-candidate that could win must not campaign yet: an objection may still be on its way. */
export function awaitsObjections(s: RaftState): boolean {
  return s.intake !== "open" && s.yields < yieldsMax && s.votes.size < s.voters.length;
}

/** As a voter: whether this node would rather lead itself than see the asking node lead. */
export function objectsTo(s: RaftState, m: PreVote): boolean {
  return m.yields === true && s.intake === "open" && mayVote(s) && isAsComplete(s.log, m);
}

/** A writable voter objected. @returns whether this pre-candidate gives way. */
export function givesWay(s: RaftState): boolean {
  if (s.role !== "pre-candidate" || s.intake === "open" || s.yields >= yieldsMax) return false;
  s.yields += 1;
  return true;
}

/** As leader: what a follower told of itself. */
export function noteIntake(s: RaftState, from: NodeId, intake: Intake): void {
  const progress = s.progress.get(from);
  if (progress !== undefined) progress.intake = intake;
}

/** As a leader that takes no entries itself: hands leadership to a writable follower. */
export function handOver(s: RaftState): void {
  if (s.role !== "leader" || s.intake === "open" || s.transfer !== undefined) return;
  // Its no-op tells which entries are committed: without it the followers' readers would learn nothing new.
  if (s.commitIndex < s.termStart) return;
  const heir = heirOf(s);
  if (heir !== "") beginTransfer(s, ownTransfer, heir);
}
