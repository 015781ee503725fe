import type { GroupId, NodeId } from "../base/brand.ts";
import type { NodeStatus } from "../commitlog/protocol.ts";
import type { Standing } from "../io/trace.ts";
import type { RaftView } from "../raft/view.ts";

/** What a node tells of one of its groups: to clients (NodeStatus), to health checks and to metrics. */
export interface GroupStatus extends NodeStatus {
  readonly incarnation: string;
  /** Why the standing is what it is. */
  readonly reason: string;
  /** Voters that have not been heard in this life. */
  readonly waitingFor: readonly NodeId[];
  readonly appliedIndex: number;
  readonly durableIndex: number;
  readonly pendingAppends: number;
  readonly pendingReads: number;
  readonly waitingTails: number;
  readonly uncommittedBytes: number;
  readonly sessions: number;
  readonly ready: boolean;
}

export interface StatusParts {
  readonly node: NodeId;
  readonly processId: number;
  readonly group: GroupId;
  readonly voters: readonly NodeId[];
  readonly standing: Standing;
  readonly reason: string;
  readonly waitingFor: readonly NodeId[];
  readonly cluster: string;
  readonly incarnation: string;
  /** Absent until the log is open. */
  readonly view: RaftView | undefined;
  readonly appliedIndex: number;
  readonly pendingAppends: number;
  readonly pendingReads: number;
  readonly waitingTails: number;
  readonly sessions: number;
}

export function groupStatus(parts: StatusParts): GroupStatus {
  const { view } = parts;
  const commitIndex = view?.commitIndex ?? -1;
  const intake = view?.intake ?? "open";
  return {
    id: parts.node,
    group: parts.group,
    cluster: parts.cluster,
    role: view?.role ?? "follower",
    standing: parts.standing,
    term: view?.term ?? 0,
    leader: view?.leader ?? "",
    commitIndex,
    lastIndex: view?.lastIndex ?? -1,
    chainCrc: view?.chainCrc ?? 0,
    lag: commitIndex - parts.appliedIndex,
    readOnly: intake === "read-only",
    intake,
    voters: parts.voters,
    pid: parts.processId,
    incarnation: parts.incarnation,
    reason: parts.reason,
    waitingFor: parts.waitingFor,
    appliedIndex: parts.appliedIndex,
    durableIndex: view?.durableIndex ?? -1,
    pendingAppends: parts.pendingAppends,
    pendingReads: parts.pendingReads,
    waitingTails: parts.waitingTails,
    uncommittedBytes: view?.uncommittedBytes ?? 0,
    sessions: parts.sessions,
    ready: parts.standing === "member" && view !== undefined && view.leader !== "",
  };
}
