/**
 * Every disturbance and what it does, each under one name: a scenario gives it a pace, the knob `nemesis.NAME` holds the pace
 * that is in effect, and `plan.ts` starts it. A new one stands at the end, so that the seeds that were there before it draw
 * what they drew.
 */
export const disturbances = {
  crashLeader: "the leader crashes",
  crashNode: "any node crashes",
  orderlyRestart: "a node is stopped in good order and started again",
  powerLoss: "all nodes lose their power within a moment",
  aimedCrash: "a node crashes at a moment at which it hurts most",
  partition: "the network falls apart",
  clog: "one direction between two nodes is held up",
  loneAppend: "a leader's first entry reaches one slow disk only, and the leader loses its power",
  lateTransfer: "an order to campaign arrives when the transfer was given up",
  freezeLeader:
    "the leader stands still, cut off, and finds its clients' calls before it hears of its successor",
  pause: "a process stands still",
  slowDisk: "a disk becomes many times slower",
  diskError: "the next write or sync of a disk fails, often in the middle of a campaign, an append or a cut",
  rot: "part of a node's log rots, mostly as it crashes",
  wipe: "a voter's directory is emptied",
  clockJump: "a wall clock jumps",
  readOnly: "a node is made read-only",
  allReadOnly: "all nodes are made read-only",
  fullDisk: "disks fill up: one, a majority or all",
  outrun: "a candidate's questions are held up, so that a rival wins its term",
  mendingError: "a sync fails just when damage was mended",
  cutTail: "the power fails while an old leader cuts the tail that nobody else has",
  rollCrash:
    "a process is killed while it makes a segment; its power fails when the log rolls into that segment",
  rotTail: "what an old leader alone has appended rots as it crashes",
  laneLag: "between two nodes entries are held up while heartbeats and answers pass, or the other way round",
  firstEntriesLag: "a new leader's entries are held up on their way to all others",
  closedRot: "the last batch of a log that was closed in good order rots",
  heldAnswers:
    "the answers to a leader's last heartbeats reach it behind its clients' calls, when it has stood still",
  formerAnswers: "answers of a leader's former term reach it when it leads again, its tail cut meanwhile",
  crowd: "the leader crashes when it has committed, and more new clients come than sessions are kept",
  lostMending:
    "a process ends before what it mended is synced, and the power fails once the next one has recovered",
  rivalTails:
    "two leaders by turns append what nobody else gets; part of the first one's several terms cannot be read, for a while or at all, as the second one's entries cut it",
  lostCut: "a process ends before a cut is synced, and the power fails once the next one has recovered",
} as const;

export type Disturbance = keyof typeof disturbances;

export const disturbanceNames: readonly Disturbance[] = Object.keys(disturbances) as Disturbance[];
