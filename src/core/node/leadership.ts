import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import type { Entry, EntryContent } from "../base/entry.ts";
import type { FaultCode } from "../base/errors.ts";
import { LogError } from "../base/errors.ts";
import type { Done } from "../base/task.ts";
import type { AppendBatch } from "../commitlog/admission.ts";
import { Admission } from "../commitlog/admission.ts";
import type { CommitLog } from "../commitlog/commit-log.ts";
import type { CommitLogLimits } from "../commitlog/limits.ts";
import type { RaftView } from "../raft/view.ts";
import type { NodePorts } from "./ports.ts";
import type { Appended, ProposalLimits, Proposer } from "./proposals.ts";
import { Proposals } from "./proposals.ts";

export interface LeadershipOptions {
  readonly node: NodeId;
  readonly group: GroupId;
  readonly ports: NodePorts;
  readonly commitLog: CommitLog;
  readonly commitLimits: CommitLogLimits;
  readonly proposalLimits: ProposalLimits;
  readonly view: RaftView;
  /** Bytes that clients may still append on this disk. */
  clientBytes(): number;
  propose(request: number, contents: readonly EntryContent[]): void;
  sendProposed(): void;
  termAt(index: number): number | undefined;
}

/** What a node does for clients while it leads: admits their appends, proposes them, answers once they are applied. */
export class Leadership implements Proposer {
  private readonly options: LeadershipOptions;
  private readonly proposals: Proposals;
  private gate: Admission | undefined;
  private flushAsked = false;
  private stopped = false;

  constructor(options: LeadershipOptions) {
    this.options = options;
    this.proposals = new Proposals(options.proposalLimits, this);
  }

  get admission(): Admission | undefined {
    return this.gate;
  }

  get appliedIndex(): number {
    return this.options.commitLog.appliedIndex;
  }

  get inFlight(): number {
    return this.proposals.inFlight;
  }

  append(batch: AppendBatch, done: Done<Appended>): void {
    this.proposals.submit(batch, done);
  }

  /** The id of a new session: the index of the entry that opens it. */
  openSession(done: Done<number>): void {
    this.proposals.submit(undefined, (error, appended) => {
      if (error !== undefined) done(error, 0);
      else done(undefined, appended.indexes[0] as number);
    });
  }

  roleChanged(): void {
    if (this.options.view.role === "leader") return this.becomeReady();
    this.gate = undefined;
    this.proposals.abandon("not-leader");
  }

  applied(): void {
    this.becomeReady();
    this.proposals.applied(this.appliedIndex);
  }

  proposed(request: number, entries: readonly Entry[]): void {
    this.proposals.proposed(request, entries);
  }

  proposeFailed(request: number, code: FaultCode): void {
    this.proposals.refused(request, code);
  }

  /** A leader admits appends once its own no-op is applied: the sessions are then those of the whole log. */
  private becomeReady(): void {
    const { view } = this.options;
    if (this.gate !== undefined || view.role !== "leader") return;
    if (view.termStart < 0 || this.appliedIndex < view.termStart) return;
    assert(view.lastIndex === this.appliedIndex, "a leader appends nothing before its no-op is applied");
    const { commitLog, commitLimits } = this.options;
    this.gate = new Admission(commitLog.sessions, this.appliedIndex, commitLimits);
    this.flushSoon();
  }

  /** Appends that arrive in one turn are proposed together: one write, one sync, one message to each follower. */
  flushSoon(): void {
    if (this.flushAsked) return;
    this.flushAsked = true;
    this.options.ports.clock.soon(() => {
      this.flushAsked = false;
      if (!this.stopped) this.proposals.flush();
    });
  }

  refusal(bytes: number): LogError | undefined {
    const { node, group, view } = this.options;
    if (this.stopped) return new LogError("stopping", `node ${node} is not serving`);
    if (view.role !== "leader")
      return new LogError("not-leader", `node ${node} does not lead group ${group}`);
    if (view.transferee !== "") {
      return new LogError("leader-transferring", `leadership is moving to ${view.transferee}`);
    }
    if (view.intake === "read-only") return new LogError("read-only", `node ${node} is read-only, and leads`);
    if (view.intake === "full" || bytes > this.options.clientBytes()) {
      return new LogError("disk-full", `the disk of node ${node} is full but for its reserve`);
    }
    if (view.majorityHasRoom) return undefined;
    return new LogError(
      "disk-full",
      `the disks of a majority of group ${group} are full but for their reserves`,
    );
  }

  propose(request: number, contents: readonly EntryContent[]): void {
    this.options.propose(request, contents);
  }

  sendProposed(): void {
    this.options.sendProposed();
  }

  termAt(index: number): number | undefined {
    return this.options.termAt(index);
  }

  duplicate(session: number, sequence: number, index: number): void {
    const { node, group, ports } = this.options;
    ports.trace.emit({ kind: "duplicate", node, group, session, sequence, index });
  }

  backlog(what: "appends" | "append-bytes", size: number, last: number): void {
    const { node, group, ports } = this.options;
    if (ports.trace.detailed) ports.trace.emit({ kind: "backlog", node, group, what, size, last });
  }

  stop(): void {
    this.stopped = true;
    this.gate = undefined;
    this.proposals.abandon("stopping");
  }
}
