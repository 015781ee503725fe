import type { NodeId } from "../base/brand.ts";
import type { Intake, Role } from "../io/trace.ts";
import type { Participation } from "./event.ts";
import type { ProgressState } from "./progress.ts";
import { majorityHasRoom } from "./room.ts";
import type { RaftState } from "./state.ts";
import { heirOf, isActive } from "./transfer.ts";

/** What a leader tells of one follower. */
export interface ProgressView {
  readonly matchIndex: number;
  readonly nextIndex: number;
  /** Whether the follower answered within the election timeout. */
  readonly active: boolean;
  readonly intake: Intake;
  /** `load`: it waits for entries from the disk. */
  readonly state: ProgressState | "load";
}

/** A machine's state for readers: always as of now. */
export class RaftView {
  private readonly state: RaftState;

  constructor(state: RaftState) {
    this.state = state;
  }

  get role(): Role {
    return this.state.role;
  }

  get term(): number {
    return this.state.term;
  }

  get votedFor(): NodeId | "" {
    return this.state.votedFor;
  }

  /** "" while unknown. */
  get leader(): NodeId | "" {
    return this.state.leader;
  }

  get participation(): Participation {
    return this.state.participation;
  }

  get voters(): readonly NodeId[] {
    return this.state.voters;
  }

  get commitIndex(): number {
    return this.state.commitIndex;
  }

  get lastIndex(): number {
    return this.state.log.lastIndex;
  }

  get lastTerm(): number {
    return this.state.log.lastTerm;
  }

  /** Of the last entry. */
  get chainCrc(): number {
    return this.state.log.chainCrc;
  }

  /** Record bytes of the whole log. */
  get endPos(): number {
    return this.state.log.endPos;
  }

  get durableIndex(): number {
    return this.state.log.durableIndex;
  }

  /** Index of the no-op with which this leader's term began; -1 unless it leads. */
  get termStart(): number {
    return this.state.termStart;
  }

  /** The node that leadership is being handed to; "" for none. */
  get transferee(): NodeId | "" {
    return this.state.transfer?.to ?? "";
  }

  /** As leader: whom leadership is best handed to; "" for nobody. */
  get heir(): NodeId | "" {
    return heirOf(this.state);
  }

  /** Whether this node takes entries of clients. */
  get intake(): Intake {
    return this.state.intake;
  }

  /** As leader: whether enough voters have room for entries that a majority could hold them. */
  get majorityHasRoom(): boolean {
    return majorityHasRoom(this.state);
  }

  /** First index in memory. */
  get windowFirst(): number {
    return this.state.log.windowFirst;
  }

  /** Record bytes in memory. */
  get windowBytes(): number {
    return this.state.log.windowBytes;
  }

  /** Record bytes that are not durable yet. */
  get undurableBytes(): number {
    return this.state.log.undurableBytes;
  }

  /** Record bytes that are not known to be committed. */
  get uncommittedBytes(): number {
    return this.state.log.endPos - this.state.committedPos;
  }

  /** @returns undefined unless this node leads and `peer` is another voter. */
  progress(peer: NodeId): ProgressView | undefined {
    const progress = this.state.progress.get(peer);
    if (progress === undefined) return undefined;
    return {
      matchIndex: progress.matchIndex,
      nextIndex: progress.nextIndex,
      active: isActive(this.state, progress),
      intake: progress.intake,
      state: progress.loadFirst === -1 ? progress.state : "load",
    };
  }
}
