import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import type { Entry, LogEnd } from "../base/entry.ts";
import type { TermRun } from "./event.ts";
import type { RaftLog } from "./log.ts";
import type { RaftState } from "./state.ts";

/** What held at the end of the step before. */
export interface Checked {
  term: number;
  votedFor: NodeId | "";
  commitIndex: number;
  leading: boolean;
  lastIndex: number;
  verifiedIndex: number;
}

export function firstChecked(s: RaftState): Checked {
  return {
    term: s.term,
    votedFor: s.votedFor,
    commitIndex: s.commitIndex,
    leading: false,
    lastIndex: s.log.lastIndex,
    verifiedIndex: -1,
  };
}

/** Called at the end of every step. */
export function checkStep(s: RaftState, before: Checked): void {
  assert(s.term >= before.term, "a term never goes backwards");
  const sameTerm = s.term === before.term;
  assert(
    !sameTerm || before.votedFor === "" || s.votedFor === before.votedFor,
    "a vote is never changed within its term (§5.2)",
  );
  assert(s.commitIndex >= before.commitIndex, "the commit index never goes backwards");
  assert(s.commitIndex <= s.log.lastIndex, "only entries that are in the log commit");
  assert(s.log.lastTerm <= s.term, "no entry is of a later term than the node's");
  assert(s.log.durableIndex <= s.log.lastIndex, "only entries that are in the log are durable");
  const leading = s.role === "leader";
  if (leading) {
    assert(
      !(before.leading && sameTerm) || s.log.lastIndex >= before.lastIndex,
      "a leader only appends to its own log (§5.3, Leader Append-Only)",
    );
    assert(s.votedFor === s.self, "a leader voted for itself in its term");
    assert(
      s.termStart <= s.log.lastIndex && s.termStart >= 0,
      "a leader's log holds the no-op of its term (§8)",
    );
    assert(s.participation === "full", "a wiped or damaged node never leads");
  } else {
    assert(s.verifiedIndex <= s.log.lastIndex, "only entries that are in the log were verified");
    assert(
      !sameTerm || s.verifiedIndex >= before.verifiedIndex,
      "what was verified against a leader's log stays for the whole term",
    );
  }
  before.term = s.term;
  before.votedFor = s.votedFor;
  before.commitIndex = s.commitIndex;
  before.leading = leading;
  before.lastIndex = s.log.lastIndex;
  before.verifiedIndex = s.verifiedIndex;
}

export function assertOneLeader(s: RaftState): void {
  assert(s.role !== "leader", "a term has at most one leader (§5.2, Election Safety)");
}

export function assertKeepsCommitted(newLastIndex: number, commitIndex: number): void {
  assert(newLastIndex >= commitIndex, "a committed entry is never cut (§5.4, Leader Completeness)");
}

export function assertDoesNotLead(s: RaftState): void {
  assert(s.role !== "leader", "a leader never cuts its own log (§5.3, Leader Append-Only)");
}

export function assertCommitsOwnTerm(s: RaftState, index: number): void {
  assert(s.log.termAt(index) === s.term, "only entries of the leader's own term commit by counting (§5.4.2)");
}

export function assertEntryContinues(log: RaftLog, entry: Entry): void {
  assert(
    entry.index === log.lastIndex + 1 && entry.pos === log.endPos && entry.term >= log.lastTerm,
    "an entry continues the log without a gap and with a term that never falls",
  );
}

export function assertDurableWithinLog(index: number, lastIndex: number): void {
  assert(index <= lastIndex, "the disk never reports entries that the log does not have");
}

/** What is learned of damaged entries lies within what was known of them: they were there before. */
export function assertTermsFit(log: RaftLog, entries: readonly Entry[]): void {
  for (const { index, term } of entries)
    assert(log.matchesTerm(index, term), "the copies of damaged entries are of terms that they can have");
}

export function assertTermsCoverLog(end: LogEnd, terms: readonly TermRun[]): void {
  let covered = end.index === -1 ? terms.length === 0 : terms[terms.length - 1]?.term === end.term;
  for (let i = 0; i < terms.length; i++) {
    const run = terms[i] as TermRun;
    const before = terms[i - 1];
    covered &&= run.firstIndex <= end.index;
    const termMax = run.termMax ?? run.term;
    covered &&= termMax >= run.term;
    covered &&=
      before === undefined ||
      (run.firstIndex > before.firstIndex &&
        run.term >= (before.termMax ?? before.term) &&
        (termMax > before.term || before.termMax !== undefined));
  }
  assert(covered, "the recovered term runs are ascending and end with the log");
}
