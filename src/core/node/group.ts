import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import type { ByteReader } from "../base/bytes.ts";
import { LogError } from "../base/errors.ts";
import type { Done } from "../base/task.ts";
import type { AppendBatch } from "../commitlog/admission.ts";
import { CommitLog } from "../commitlog/commit-log.ts";
import type { CommitLogLimits } from "../commitlog/limits.ts";
import { decodeMessage } from "../raft/codec.ts";
import { Applier } from "./applier.ts";
import type { GroupConfig, NodeConfig } from "./config.ts";
import { commitLogLimits, sortedVoters } from "./config.ts";
import { EffectRunner } from "./effects.ts";
import { Health } from "./health.ts";
import { heirOf, Leadership } from "./leadership.ts";
import type { LinkGroup, PeerLinks } from "./links.ts";
import { Membership } from "./membership.ts";
import type { OpenedGroup } from "./open-group.ts";
import { openGroup } from "./open-group.ts";
import type { Hello, Refusal } from "./peer-frame.ts";
import { decodeFetch } from "./peer-frame.ts";
import type { NodePorts } from "./ports.ts";
import type { Appended } from "./proposals.ts";
import type { ReadEntry, TailAnswer, TailRequest } from "./reads.ts";
import { Reads } from "./reads.ts";
import { answerFetch, decodeRecords } from "./repair.ts";
import type { GroupStatus } from "./status.ts";
import { groupStatus } from "./status.ts";

/** What exists once the directory is open. */
interface Running {
  readonly opened: OpenedGroup;
  readonly runner: EffectRunner;
  readonly membership: Membership;
}

/** One group on one node: its log, its Raft machine, its state machine, and the calls of its clients. */
export class Group implements LinkGroup {
  readonly group: GroupId;
  readonly others: readonly NodeId[];
  readonly commitLogLimits: CommitLogLimits;
  private readonly self: NodeId;
  private readonly config: NodeConfig;
  private readonly groupConfig: GroupConfig;
  private readonly ports: NodePorts;
  private readonly links: () => PeerLinks;
  private running: Running | undefined;
  private stopping = false;
  private reopening = false;
  /** Told once the log is closed, by a stop that came while it was being opened anew. */
  private stopped: (() => void) | undefined;
  private readonly commitLog: CommitLog;
  private readonly applier: Applier;
  private readonly leadership: Leadership;
  private readonly reads: Reads;
  private readonly health: Health;

  constructor(config: NodeConfig, groupConfig: GroupConfig, ports: NodePorts, links: () => PeerLinks) {
    this.config = config;
    this.groupConfig = groupConfig;
    this.group = groupConfig.group;
    this.self = config.self;
    this.others = sortedVoters(groupConfig.peers).filter((voter) => voter !== config.self);
    this.ports = ports;
    this.links = links;
    this.commitLogLimits = commitLogLimits(config.limits);
    this.commitLog = new CommitLog(this.commitLogLimits, {
      session: (session, change) => ports.trace.emit({ kind: "session", ...this.at, session, change }),
    });
    this.applier = this.makeApplier();
    this.leadership = this.makeLeadership();
    this.reads = this.makeReads();
    this.health = this.makeHealth();
  }

  private get at(): { readonly node: NodeId; readonly group: GroupId } {
    return { node: this.self, group: this.group };
  }

  private get now(): number {
    return this.ports.clock.monotonic();
  }

  private get live(): Running {
    assert(this.running !== undefined, "a group is used only once it is open");
    return this.running;
  }

  // ---- Life

  /** Opens the directory, recovers the log and begins to take part. */
  start(done: (error: Error | undefined) => void): void {
    const events = {
      synced: (index: number): void => this.running?.runner.synced(index),
      saved: (): void => this.running?.runner.saved(),
      failed: (error: Error, operation: string): void => this.health.diskFailed(error, operation),
    };
    openGroup(this.config, this.groupConfig, this.ports, events, (error, opened) => {
      if (error !== undefined) return done(error);
      const runner = this.makeRunner(opened);
      const membership = this.makeMembership(opened, runner);
      this.running = { opened, runner, membership };
      this.begin(this.running);
      done(undefined);
    });
  }

  private begin({ opened: { recovered }, runner, membership }: Running): void {
    this.health.begin(recovered.damage);
    this.ports.trace.emit({
      kind: "recovered",
      ...this.at,
      standing: this.health.standing,
      term: recovered.meta.term,
      votedFor: recovered.meta.votedFor,
      lastIndex: recovered.end.index,
      lastTerm: recovered.end.term,
      chainCrc: recovered.end.chainCrc,
      tornBytes: recovered.tornBytes,
    });
    // Nobody counts before its directory was compared with the one that the group knows.
    for (const peer of this.others) runner.step({ type: "peer-counts", now: this.now, peer, counts: false });
    this.participate(this.health.standing === "member");
    runner.step({ type: "start", now: this.now });
    for (const range of recovered.damage) this.health.damageFound(range);
    membership.advance();
  }

  /** Closes the log and recovers it again, as a restart of the process would, while clients stay connected. */
  private reopen(): void {
    const { runner, opened } = this.live;
    this.reopening = true;
    runner.stop();
    this.reads.stop();
    const started = (error: Error | undefined): void => {
      this.reopening = false;
      if (this.stopped !== undefined) this.live.opened.store.close(this.stopped);
      else if (error !== undefined) this.health.diskFailed(error, "open");
      else this.applier.retry();
    };
    opened.store.close(() => this.start(started));
  }

  private participate(fully: boolean): void {
    const participation = fully && !this.stopping ? "full" : "none";
    this.running?.runner.step({ type: "participation", now: this.now, participation });
  }

  /** Hands leadership over if this node has it, then closes the log. */
  stop(done: () => void): void {
    if (this.running === undefined || this.stopping) return done();
    const { runner, opened } = this.running;
    const close = (): void => {
      this.stopping = true;
      this.health.stop();
      this.applier.stop();
      this.leadership.stop();
      this.reads.stop();
      runner.stop();
      if (this.reopening) this.stopped = done;
      else opened.store.close(done);
    };
    const heir = heirOf(runner.raft.view, this.others);
    if (heir === undefined) close();
    else runner.transfer(heir, close);
  }

  // ---- Parts

  private makeRunner(opened: OpenedGroup): EffectRunner {
    return new EffectRunner({
      node: this.self,
      group: this.group,
      limits: this.config.limits,
      ports: this.ports,
      raft: opened.raft,
      store: opened.store,
      send: (to, lane, frame) => this.links().send(to, this.group, lane, frame),
      peers: () => this.live.membership.peers,
      events: {
        committed: (index) => this.applier.commit(index),
        proposed: (request, entries) => this.leadership.proposed(request, entries),
        proposeFailed: (request, code) => this.leadership.proposeFailed(request, code),
        readReady: (request, index) => this.reads.ready(request, index),
        readFailed: (request, code) => this.reads.failed(request, code),
        roleChanged: () => this.leadership.roleChanged(),
        diverged: (index) => this.health.set("failed", `the log differs from the leader's at ${index}`),
        readFailedAt: (index, error) => this.health.readFailed(index, error),
      },
    });
  }

  private makeMembership(opened: OpenedGroup, runner: EffectRunner): Membership {
    const options = {
      self: this.self,
      group: this.group,
      voters: sortedVoters(this.groupConfig.peers),
      force: this.groupConfig.forceBootstrap,
      identity: opened.identity,
      meta: opened.recovered.meta,
      store: opened.store,
      savePeers: (peers: Membership["peers"], saved: () => void): void => runner.savePeers(peers, saved),
      random: this.ports.random,
      trace: this.ports.trace,
    };
    return new Membership(options, {
      stageChanged: (_stage, reason) => this.health.stageChanged(reason),
      peerCounts: (peer, counts) => runner.step({ type: "peer-counts", now: this.now, peer, counts }),
      announce: () => this.links().announce(this),
      conflict: (reason) => this.health.set("failed", reason),
      failed: (error) => this.health.diskFailed(error, "identity"),
    });
  }

  private makeApplier(): Applier {
    const { trace } = this.ports;
    return new Applier(
      this.commitLog,
      {
        fromWindow: (first, bytes) => this.live.runner.raft.entriesFrom(first, bytes),
        fromDisk: (first, bytes, done) => this.live.opened.store.read(first, bytes, done),
      },
      {
        applied: (entries) => {
          if (trace.detailed) trace.emit({ kind: "apply", ...this.at, entries });
          this.leadership.applied();
          this.reads.applied(this.commitLog.appliedIndex);
        },
        blocked: (index, error) => this.health.readFailed(index, error),
      },
    );
  }

  private makeLeadership(): Leadership {
    return new Leadership({
      node: this.self,
      group: this.group,
      ports: this.ports,
      commitLog: this.commitLog,
      commitLimits: this.commitLogLimits,
      proposalLimits: this.config.limits,
      view: () => this.running?.runner.raft.view,
      clientBytes: () => this.live.opened.store.space().clientBytes,
      propose: (request, contents) =>
        this.live.runner.step({ type: "propose", now: this.now, request, contents, more: true }),
      sendProposed: () => this.live.runner.step({ type: "flush", now: this.now }),
      termAt: (index) => this.live.runner.raft.termAt(index),
    });
  }

  private makeReads(): Reads {
    const commitLog = this.commitLog;
    return new Reads({
      clock: this.ports.clock,
      tailsMax: this.config.limits.tailsMax,
      get appliedIndex() {
        return commitLog.appliedIndex;
      },
      confirm: (request) => this.live.runner.step({ type: "read", now: this.now, request }),
      fromWindow: (first, bytes) => this.live.runner.raft.entriesFrom(first, bytes),
      fromDisk: (first, bytes, done) =>
        this.live.opened.store.read(first, bytes, (error, value) => {
          if (error !== undefined) this.health.readFailed(first, error);
          done(error, value);
        }),
    });
  }

  private makeHealth(): Health {
    return new Health({
      ...this.at,
      others: this.others,
      ports: this.ports,
      repairInterval: this.config.limits.repairInterval,
      damage: () => this.live.opened.store.damage(),
      mend: (entries, done) => this.live.opened.store.mend(entries, done),
      sendBulk: (to, frame) => void this.links().send(to, this.group, "bulk", frame),
      active: () => this.live.membership.stage === "active",
      participate: (fully) => this.participate(fully),
      retryReads: () => this.applier.retry(),
      reopen: () => this.reopen(),
    });
  }

  // ---- Calls of clients; each answers exactly once through `done`

  append(batch: AppendBatch, done: Done<Appended>): void {
    this.leadership.append(batch, done);
  }

  openSession(done: Done<number>): void {
    this.leadership.openSession(done);
  }

  readIndex(done: Done<number>): void {
    if (this.serving(done, -1)) this.reads.readIndex(done);
  }

  get(index: number, linearizable: boolean, done: Done<ReadEntry>): void {
    if (this.serving(done, undefined as never)) this.reads.get(index, linearizable, done);
  }

  tail(request: TailRequest, done: Done<TailAnswer>): void {
    if (!this.serving(done, undefined as never)) return;
    this.reads.tail({ ...request, wait: Math.min(request.wait, this.config.limits.tailWaitMax) }, done);
  }

  transfer(to: NodeId, done: Done<void>): void {
    if (!this.serving(done, undefined)) return;
    this.live.runner.transfer(to, (code) => {
      if (code === "ok") done(undefined, undefined);
      else done(new LogError(code, `leadership was not moved to ${to}`), undefined);
    });
  }

  private serving<T>(done: Done<T>, value: T): boolean {
    if (this.running !== undefined && !this.stopping) return true;
    done(new LogError("stopping", `node ${this.self} is not serving`), value);
    return false;
  }

  /** The term of an applied entry. */
  termAt(index: number): number {
    return this.live.runner.raft.termAt(index) ?? 0;
  }

  get leader(): NodeId | "" {
    return this.running?.runner.raft.view.leader ?? "";
  }

  addressOf(node: NodeId | ""): string {
    return this.groupConfig.peers.find((peer) => peer.node === node)?.address ?? "";
  }

  status(): GroupStatus {
    return groupStatus({
      ...this.at,
      processId: this.config.processId,
      voters: sortedVoters(this.groupConfig.peers),
      standing: this.health.standing,
      reason: this.health.reason,
      waitingFor: this.running?.membership.unheard() ?? [],
      cluster: this.running?.membership.cluster ?? "",
      incarnation: this.running?.membership.incarnation ?? "",
      view: this.running?.runner.raft.view,
      appliedIndex: this.commitLog.appliedIndex,
      pendingAppends: this.leadership.inFlight,
      sessions: this.commitLog.sessions.size,
    });
  }

  // ---- Links

  hello(): Hello {
    return this.live.membership.hello();
  }

  announcing(): boolean {
    const { stage } = this.live.membership;
    return stage === "empty" || stage === "adopted";
  }

  heard(hello: Hello): Refusal | undefined {
    return this.live.membership.heard(hello);
  }

  frame(from: NodeId, type: "raft" | "fetch" | "records", reader: ByteReader): void {
    if (this.stopping || this.health.standing === "failed") return;
    if (type === "fetch") {
      const { store } = this.live.opened;
      const bytesMax = this.config.limits.messageBytesMax;
      return answerFetch({ group: this.group, store, bytesMax }, decodeFetch(reader), (records) => {
        this.links().send(from, this.group, "bulk", records);
      });
    }
    if (type === "records") {
      const { before, entries } = decodeRecords(reader);
      return this.health.repair.received(before, entries);
    }
    const message = decodeMessage(reader);
    reader.done();
    const { runner } = this.live;
    if (message.type === "append-entries" && !runner.hasRoom(message.entries)) return;
    runner.step({ type: "receive", now: this.now, from, message });
  }

  peerUp(peer: NodeId): void {
    this.live.runner.step({ type: "peer-up", now: this.now, peer });
  }

  peerLost(peer: NodeId): void {
    if (!this.stopping) this.live.runner.step({ type: "peer-lost", now: this.now, peer });
  }

  refusedBy(peer: NodeId, refusal: Refusal): void {
    this.ports.trace.emit({ kind: "peer", ...this.at, peer, change: "refused", reason: refusal.message });
  }

  refused(peer: string, refusal: Refusal): void {
    this.ports.trace.emit({ kind: "refuse", ...this.at, code: refusal.code, peer });
  }
}
