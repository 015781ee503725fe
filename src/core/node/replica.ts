import type { GroupId, NodeId } from "../base/brand.ts";
import { CommitLog } from "../commitlog/commit-log.ts";
import type { CommitLogLimits } from "../commitlog/limits.ts";
import { Applier } from "./applier.ts";
import type { GroupConfig, NodeConfig } from "./config.ts";
import { sortedVoters } from "./config.ts";
import { EffectRunner } from "./effects.ts";
import type { Health } from "./health.ts";
import { Leadership } from "./leadership.ts";
import type { Lane } from "./links.ts";
import { Membership } from "./membership.ts";
import type { OpenedGroup } from "./open-group.ts";
import type { NodePorts } from "./ports.ts";
import type { Behind } from "./reads.ts";
import { Reads } from "./reads.ts";

/** Names the applier among those who read the log; the others are named by the peer that they read for. */
const applying = "the applier";

export interface ReplicaOptions {
  readonly config: NodeConfig;
  readonly groupConfig: GroupConfig;
  readonly commitLogLimits: CommitLogLimits;
  readonly ports: NodePorts;
  readonly opened: OpenedGroup;
  readonly health: Health;
  send(to: NodeId, lane: Lane, frame: Uint8Array, rest: readonly Uint8Array[]): boolean;
  /** Something was learned that the peers are to hear. */
  announce(): void;
}

/**
 * A group's log from one opening of its directory to the next: the store, the Raft machine and what drives it, the
 * state machine that it feeds, and the calls of clients that wait for either.
 */
export class Replica {
  readonly opened: OpenedGroup;
  readonly runner: EffectRunner;
  readonly membership: Membership;
  readonly commitLog: CommitLog;
  readonly applier: Applier;
  readonly leadership: Leadership;
  readonly reads: Reads;
  private readonly options: ReplicaOptions;

  constructor(options: ReplicaOptions) {
    this.options = options;
    this.opened = options.opened;
    this.commitLog = new CommitLog(options.commitLogLimits, {
      session: (session, change) =>
        options.ports.trace.emit({ kind: "session", ...this.at, session, change }),
    });
    this.runner = this.makeRunner();
    this.membership = this.makeMembership();
    this.applier = this.makeApplier();
    this.leadership = this.makeLeadership();
    this.reads = this.makeReads();
  }

  private get at(): { readonly node: NodeId; readonly group: GroupId } {
    return { node: this.options.config.self, group: this.options.groupConfig.group };
  }

  private get now(): number {
    return this.options.ports.clock.monotonic();
  }

  private makeRunner(): EffectRunner {
    const { config, health, ports, send } = this.options;
    return new EffectRunner({
      ...this.at,
      limits: config.limits,
      ports,
      raft: this.opened.raft,
      store: this.opened.store,
      recovered: this.opened.recovered.meta,
      send,
      peers: () => this.membership.peers,
      events: {
        committed: (index) => this.applier.commit(index),
        proposed: (request, entries) => this.leadership.proposed(request, entries),
        proposeFailed: (request, code) => this.leadership.proposeFailed(request, code),
        readReady: (request, index) => this.reads.ready(request, index),
        readFailed: (request, code) => this.reads.failed(request, code),
        roleChanged: () => this.leadership.roleChanged(),
        diverged: (index) => health.diverged(index),
        loaded: (peer) => health.readWorked(peer),
        loadFailed: (peer, index, error) => health.readFailed(index, error, peer),
      },
    });
  }

  private makeMembership(): Membership {
    const { config, groupConfig, health, ports, announce } = this.options;
    const { runner } = this;
    const options = {
      self: config.self,
      group: groupConfig.group,
      voters: sortedVoters(groupConfig.peers),
      force: groupConfig.forceBootstrap,
      identity: this.opened.identity,
      meta: this.opened.recovered.meta,
      store: this.opened.store,
      savePeers: (peers: Membership["peers"], saved: () => void): void => runner.savePeers(peers, saved),
      random: ports.random,
      trace: ports.trace,
    };
    return new Membership(options, {
      stageChanged: (_stage, reason) => health.stageChanged(reason),
      peerCounts: (peer, counts) => runner.step({ type: "peer-counts", now: this.now, peer, counts }),
      announce,
      conflict: (reason) => health.set("failed", reason),
      failed: (error) => health.diskFailed(error, "identity"),
    });
  }

  private makeApplier(): Applier {
    const { health, ports } = this.options;
    const { trace } = ports;
    return new Applier(
      this.commitLog,
      {
        fromWindow: (first, bytes) => this.opened.raft.entriesFrom(first, bytes),
        fromDisk: (first, limit, done) =>
          this.opened.store.read(first, limit, (error, value) => {
            if (error === undefined) health.readWorked(applying);
            done(error, value);
          }),
      },
      {
        applied: (entries) => {
          if (trace.detailed) trace.emit({ kind: "apply", ...this.at, entries });
          this.leadership.applied();
          this.reads.applied(this.commitLog.appliedIndex);
        },
        blocked: (index, error) => health.readFailed(index, error, applying),
      },
    );
  }

  private makeLeadership(): Leadership {
    const { config, ports, commitLogLimits } = this.options;
    const { opened, runner } = this;
    return new Leadership({
      ...this.at,
      ports,
      commitLog: this.commitLog,
      commitLimits: commitLogLimits,
      proposalLimits: config.limits,
      view: opened.raft.view,
      clientBytes: () => runner.clientRoom(),
      propose: (request, contents) =>
        runner.step({ type: "propose", now: this.now, request, contents, more: true }),
      sendProposed: () => runner.step({ type: "flush", now: this.now }),
      termAt: (index) => opened.raft.termAt(index),
    });
  }

  private makeReads(): Reads {
    const { config, health, ports } = this.options;
    const { commitLog, opened } = this;
    return new Reads({
      clock: ports.clock,
      tailsMax: config.limits.tailsMax,
      readsMax: config.limits.pendingReadsMax,
      behind: () => this.behind(),
      get appliedIndex() {
        return commitLog.appliedIndex;
      },
      tailsWait: (count) => {
        const { trace } = ports;
        if (trace.detailed) trace.emit({ kind: "backlog", ...this.at, what: "tails", size: count, last: 1 });
      },
      confirm: (request) => this.runner.step({ type: "read", now: this.now, request }),
      fromWindow: (first, bytes) => opened.raft.entriesFrom(first, bytes),
      fromDisk: (first, limit, done) =>
        opened.store.read(first, limit, (error, value) => {
          if (error !== undefined) health.readFailed(first, error, "");
          done(error, value);
        }),
    });
  }

  /** A wiped node follows, and hears what is new; one that is damaged may be unable to apply it. */
  private behind(): Behind | undefined {
    const { standing, reason } = this.options.health;
    if (standing === "failed" || standing === "damaged") {
      return { why: `the node is ${standing} (${reason})`, lasting: standing === "failed" };
    }
    return this.opened.raft.view.leader === "" ? { why: "it knows no leader", lasting: false } : undefined;
  }

  /** Answers every call that waits, then closes the log. Nothing is asked of it afterwards. */
  close(done: () => void): void {
    this.applier.stop();
    this.leadership.stop();
    this.reads.stop();
    this.runner.stop();
    this.opened.store.close(done);
  }
}
