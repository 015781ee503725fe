import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import type { ByteReader } from "../base/bytes.ts";
import { LogError } from "../base/errors.ts";
import type { Done } from "../base/task.ts";
import type { AppendBatch } from "../commitlog/admission.ts";
import type { CommitLogLimits } from "../commitlog/limits.ts";
import { decodeMessage } from "../raft/codec.ts";
import type { GroupConfig, NodeConfig } from "./config.ts";
import { commitLogLimits, repairBytesMax, sortedVoters } from "./config.ts";
import { Health } from "./health.ts";
import { IntakeGate } from "./intake.ts";
import type { LinkGroup, PeerLinks } from "./links.ts";
import { openGroup } from "./open-group.ts";
import type { Hello, Refusal } from "./peer-frame.ts";
import { decodeFetch } from "./peer-frame.ts";
import type { NodePorts } from "./ports.ts";
import type { Appended } from "./proposals.ts";
import type { ReadGate } from "./read-pace.ts";
import type { ReadEntry, TailAnswer, TailRequest } from "./reads.ts";
import type { DamagedRange } from "./repair.ts";
import { answerFetch, decodeRecords } from "./repair.ts";
import { Replica } from "./replica.ts";
import type { GroupStatus } from "./status.ts";
import { groupStatus } from "./status.ts";

/**
 * One group on one node, to its peers and its clients: opens the log, closes it, and hands what comes in to
 * the replica.
 */
export class Group implements LinkGroup {
  readonly group: GroupId;
  readonly others: readonly NodeId[];
  readonly commitLogLimits: CommitLogLimits;
  private readonly self: NodeId;
  private readonly config: NodeConfig;
  private readonly groupConfig: GroupConfig;
  private readonly ports: NodePorts;
  private readonly links: () => PeerLinks;
  private readonly health: Health;
  /** Undefined until the log is open. */
  private replica: Replica | undefined;
  private readonly intake: IntakeGate;
  private stopping = false;

  constructor(config: NodeConfig, groupConfig: GroupConfig, ports: NodePorts, links: () => PeerLinks) {
    this.config = config;
    this.groupConfig = groupConfig;
    this.group = groupConfig.group;
    this.self = config.self;
    this.others = sortedVoters(groupConfig.peers).filter((voter) => voter !== config.self);
    this.ports = ports;
    this.links = links;
    this.commitLogLimits = commitLogLimits(config.limits);
    this.health = this.makeHealth();
    this.intake = this.makeIntake();
  }

  private get at(): { readonly node: NodeId; readonly group: GroupId } {
    return { node: this.self, group: this.group };
  }

  private get now(): number {
    return this.ports.clock.monotonic();
  }

  private get live(): Replica {
    assert(this.replica !== undefined, "a group is used only once it is open");
    return this.replica;
  }

  // ---- Life

  /** Opens the directory, recovers the log and begins to take part. */
  start(done: (error: Error | undefined) => void): void {
    let replica: Replica | undefined;
    const events = {
      synced: (index: number): void => {
        replica?.runner.synced(index);
        this.intake.update();
      },
      spaceChanged: (): void => this.intake.update(),
      saved: (): void => replica?.runner.saved(),
      failed: (error: Error, operation: string): void => this.health.diskFailed(error, operation),
      // Met on the way to something else, or for a peer: whoever asked may not be the one to tell.
      damaged: (range: DamagedRange): void => this.health.damageFound(range),
    };
    openGroup(this.config, this.groupConfig, this.ports, events, (error, opened) => {
      if (error !== undefined) return done(error);
      replica = new Replica({
        config: this.config,
        groupConfig: this.groupConfig,
        commitLogLimits: this.commitLogLimits,
        ports: this.ports,
        opened,
        health: this.health,
        send: (to, lane, frame, rest) => this.links().send(to, this.group, lane, frame, rest),
        announce: () => this.links().announce(this),
      });
      this.replica = replica;
      if (this.stopping) return replica.close(() => done(undefined));
      this.begin(replica);
      done(undefined);
    });
  }

  private begin({ opened: { recovered }, runner, membership }: Replica): void {
    this.health.begin(recovered);
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
    this.intake.update();
    runner.step({ type: "start", now: this.now });
    for (const range of recovered.damage) this.health.damageFound(range);
    membership.advance();
  }

  private participate(fully: boolean): void {
    const { replica } = this;
    if (replica === undefined) return;
    const participation = fully && !this.stopping ? "full" : "none";
    const damaged = replica.opened.store.damage()[0];
    const intactTo = damaged === undefined ? Number.POSITIVE_INFINITY : damaged.first - 1;
    replica.runner.step({ type: "participation", now: this.now, participation, intactTo });
  }

  /** Hands leadership over if this node has it, then closes the log. */
  stop(done: () => void): void {
    const { replica } = this;
    if (replica === undefined || this.stopping) return done();
    const close = (): void => {
      this.stopping = true;
      this.health.stop();
      this.intake.stop();
      replica.close(done);
    };
    const { heir } = replica.runner.raft.view;
    if (heir === "") close();
    else replica.runner.transfer(heir, close);
  }

  private makeHealth(): Health {
    return new Health({
      ...this.at,
      ports: this.ports,
      repairInterval: this.config.limits.repairInterval,
      damage: () => this.live.opened.store.damage(),
      repair: {
        group: this.group,
        others: this.others,
        bytesMax: repairBytesMax(this.config),
        send: (to, frame) => void this.links().send(to, this.group, "bulk", frame),
        hole: () => this.live.opened.store.hole(),
        mend: (entries, upTo, done) => this.live.opened.store.mend(entries, done, upTo),
      },
      active: () => this.live.membership.stage === "active",
      participate: (fully) => this.participate(fully),
      retryReads: () => this.replica?.applier.retry(),
      learn: (records) => this.live.runner.step({ type: "learned", now: this.now, records }),
    });
  }

  private makeIntake(): IntakeGate {
    const { messageBytesMax, roomInterval } = this.config.limits;
    return new IntakeGate(this.config.readOnly, {
      ...this.at,
      ports: this.ports,
      roomMin: messageBytesMax,
      roomInterval,
      store: () => (this.stopping ? undefined : this.replica?.opened.store),
      room: () => this.live.runner.clientRoom(),
      told: () => this.live.runner.raft.view.intake,
      tell: (intake) => this.live.runner.step({ type: "intake", now: this.now, intake }),
    });
  }

  // ---- Calls of clients; each answers exactly once through `done`

  append(batch: AppendBatch, done: Done<Appended>): void {
    if (this.serving(done)) this.live.leadership.append(batch, done);
  }

  openSession(done: Done<number>): void {
    if (this.serving(done)) this.live.leadership.openSession(done);
  }

  readIndex(done: Done<number>): void {
    if (this.serving(done)) this.live.reads.readIndex(done);
  }

  get(index: number, linearizable: boolean, done: Done<ReadEntry>, gate?: ReadGate): void {
    if (this.serving(done)) this.live.reads.get(index, linearizable, done, gate);
  }

  tail(request: TailRequest, done: Done<TailAnswer>, gate?: ReadGate): void {
    if (!this.serving(done)) return;
    const wait = Math.min(request.wait, this.config.limits.tailWaitMax);
    this.live.reads.tail({ ...request, wait }, done, gate);
  }

  /** Gives up a tail that waits for its entry, by the `done` that it came with: it is answered as `cancelled`. */
  cancelTail(done: Done<TailAnswer>): void {
    this.replica?.reads.cancelTail(done);
  }

  transfer(to: NodeId, done: Done<void>): void {
    if (!this.serving(done)) return;
    this.live.runner.transfer(to, (code) => {
      if (code === "ok") done(undefined, undefined);
      else done(new LogError(code, `leadership was not moved to ${to}`), undefined);
    });
  }

  /** Lasts until the process ends; a restart asks the configuration. */
  setReadOnly(readOnly: boolean, done: Done<void>): void {
    this.intake.setReadOnly(readOnly);
    if (this.serving(done)) done(undefined, undefined);
  }

  private serving<T>(done: Done<T>): boolean {
    if (this.replica !== undefined && !this.stopping) return true;
    done(new LogError("stopping", `node ${this.self} is not serving`), undefined as never);
    return false;
  }

  /** The term of an applied entry. */
  termAt(index: number): number {
    return this.live.runner.raft.termAt(index) ?? 0;
  }

  get leader(): NodeId | "" {
    return this.replica?.runner.raft.view.leader ?? "";
  }

  /** The cluster that this directory belongs to; "" while it is not known. */
  get cluster(): string {
    return this.replica?.membership.cluster ?? "";
  }

  get incarnation(): string {
    return this.replica?.membership.incarnation ?? "";
  }

  addressOf(node: NodeId | ""): string {
    return this.groupConfig.peers.find((peer) => peer.node === node)?.address ?? "";
  }

  status(): GroupStatus {
    const { replica } = this;
    return groupStatus({
      ...this.at,
      processId: this.config.processId,
      voters: sortedVoters(this.groupConfig.peers),
      standing: this.health.standing,
      reason: this.health.reason,
      waitingFor: replica?.membership.unheard() ?? [],
      cluster: this.cluster,
      incarnation: this.incarnation,
      view: replica?.runner.raft.view,
      appliedIndex: replica?.commitLog.appliedIndex ?? -1,
      pendingAppends: replica?.leadership.inFlight ?? 0,
      pendingReads: replica?.reads.pending ?? 0,
      waitingTails: replica?.reads.waitingTails ?? 0,
      sessions: replica?.commitLog.sessions.size ?? 0,
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
    return this.stopping ? undefined : this.live.membership.heard(hello);
  }

  frame(from: NodeId, type: "raft" | "fetch" | "records", reader: ByteReader): void {
    if (this.stopping || this.health.standing === "failed") return;
    if (type === "fetch") {
      const { store } = this.live.opened;
      // Half of what the peer may hold: it adds the answer to what is not yet a piece.
      const bytesMax = Math.min(this.config.limits.messageBytesMax, repairBytesMax(this.config) / 2);
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
    if (message.type === "append-entries" && !runner.hasRoom(message.entries, message.term)) return;
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

  surplus(peer: NodeId | "", reason: string): void {
    this.ports.trace.emit({ kind: "peer", ...this.at, peer, change: "surplus", reason });
  }
}
