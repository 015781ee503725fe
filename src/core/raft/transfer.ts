import type { NodeId } from "../base/brand.ts";
import type { FaultCode } from "../base/errors.ts";
import type { Progress } from "./progress.ts";
import { pump } from "./replication.ts";
import type { RaftState, Transfer } from "./state.ts";
import { counts, isVoter, send } from "./state.ts";

/** Handing leadership over. Source: dissertation §3.10. */

export function beginTransfer(s: RaftState, request: number, to: NodeId): void {
  const code = immediateAnswer(s, to);
  if (code !== undefined) {
    s.out.push({ type: "transferred", request, code });
    return;
  }
  s.transfer = { request, to, deadline: s.now + s.config.transferTimeout, sendAt: Number.POSITIVE_INFINITY };
  tell(s, to, "begun");
  const progress = s.progress.get(to);
  if (progress === undefined) return;
  pump(s, progress);
  continueTransfer(s, progress);
}

function immediateAnswer(s: RaftState, to: NodeId): FaultCode | "ok" | undefined {
  if (s.role !== "leader") return "not-leader";
  if (!isVoter(s, to)) return "unknown-node";
  if (to === s.self) return "ok";
  if (s.transfer !== undefined) return "leader-transferring";
  const progress = s.progress.get(to);
  if (progress !== undefined && progress.intake !== "open") {
    return progress.intake === "full" ? "disk-full" : "read-only";
  }
  // A target that is gone would only stop the appends until the timeout.
  return progress !== undefined && counts(s, to) && isActive(s, progress) ? undefined : "transfer-failed";
}

/** Whether the follower answered lately. */
export function isActive(s: RaftState, progress: Progress): boolean {
  return s.now - progress.heardAt < s.config.electionTimeoutMax;
}

/** Whom a leader that does not want to lead hands over to: the live, writable follower that holds most of its log; "" for none. */
export function heirOf(s: RaftState): NodeId | "" {
  let heir: NodeId | "" = "";
  let most = -1;
  for (const progress of s.progress.values()) {
    const able = progress.intake === "open" && counts(s, progress.peer) && isActive(s, progress);
    // A match only grows: whoever found damage since vouches for less, and does not campaign.
    const holds = Math.min(progress.matchIndex, progress.vouched);
    if (!able || holds <= most) continue;
    heir = progress.peer;
    most = holds;
  }
  return heir;
}

/** The follower's match grew: once the target holds the whole log, it is told to campaign. */
export function continueTransfer(s: RaftState, progress: Progress): void {
  const transfer = s.transfer;
  if (transfer === undefined || transfer.to !== progress.peer || transfer.sendAt !== Number.POSITIVE_INFINITY)
    return;
  // The leader takes no proposals meanwhile, so a target that has caught up stays so and can win.
  if (progress.matchIndex === s.log.lastIndex) sendTimeoutNow(s);
}

function sendTimeoutNow(s: RaftState): void {
  const transfer = s.transfer;
  if (transfer === undefined) return;
  // Sent again while nothing happens: the target's term tells it that a second one is late.
  transfer.sendAt = s.now + s.config.heartbeatInterval;
  send(s, transfer.to, { type: "timeout-now", term: s.term });
  tell(s, transfer.to, "sent");
}

export function transferTick(s: RaftState): void {
  const transfer = s.transfer;
  if (transfer === undefined) return;
  // Dissertation §3.10: a transfer that takes too long is abandoned and the leader takes requests again.
  if (s.now >= transfer.deadline) endTransfer(s, "transfer-failed");
  else if (s.now >= transfer.sendAt) sendTimeoutNow(s);
}

function endTransfer(s: RaftState, code: FaultCode | "ok"): void {
  const transfer = s.transfer;
  if (transfer === undefined) return;
  s.transfer = undefined;
  tellEnd(s, transfer, code);
}

/** This node leads no more. @param raised because a newer term is here, which may be the target's or another's. */
export function leaveTransfer(s: RaftState, raised: boolean): void {
  const transfer = s.transfer;
  if (transfer === undefined) return;
  const told = transfer.sendAt !== Number.POSITIVE_INFINITY;
  if (!told || !raised) return endTransfer(s, "transfer-failed");
  s.transfer = undefined;
  s.handedOver = transfer;
}

/** It may be known by now who leads after a hand-over, or too late to wait for it. */
export function settleHandOver(s: RaftState): void {
  const transfer = s.handedOver;
  if (transfer === undefined || (s.leader === "" && s.now < transfer.deadline)) return;
  s.handedOver = undefined;
  tellEnd(s, transfer, s.leader === transfer.to ? "ok" : "transfer-failed");
}

function tellEnd(s: RaftState, { request, to }: Transfer, code: FaultCode | "ok"): void {
  s.out.push({ type: "transferred", request, code });
  tell(s, to, code === "ok" ? "done" : "failed");
}

function tell(s: RaftState, to: NodeId, change: "begun" | "sent" | "done" | "failed"): void {
  s.trace.emit({ kind: "transfer", node: s.self, group: s.group, term: s.term, to, change });
}
