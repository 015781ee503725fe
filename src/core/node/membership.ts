import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import { entryBodyBytesMax } from "../base/entry.ts";
import { isFull } from "../io/disk.ts";
import type { Random } from "../io/random.ts";
import type { Standing, Trace } from "../io/trace.ts";
import type { Identity, Stage } from "../storage/identity.ts";
import type { LogStore, Meta } from "../storage/log-store.ts";
import { bootstrapStep } from "./bootstrap.ts";
import type { Hello, Refusal } from "./peer-frame.ts";
import { peerVersion, peerVersionLowest } from "./peer-frame.ts";

export interface MembershipOptions {
  readonly self: NodeId;
  readonly group: GroupId;
  /** Sorted. */
  readonly voters: readonly NodeId[];
  readonly force: boolean;
  readonly identity: Identity;
  readonly meta: Meta;
  readonly store: LogStore;
  /** Syncs the peers' incarnations beside term and vote. */
  readonly savePeers: (peers: Meta["peers"], done: () => void) => void;
  readonly random: Random;
  readonly trace: Trace;
}

export interface MembershipEvents {
  /** The directory reached another stage. */
  stageChanged(stage: Stage, reason: string): void;
  /** Whether a peer's votes and acknowledgements count. */
  peerCounts(peer: NodeId, counts: boolean): void;
  /** Something was learned that the peers are to hear. */
  announce(): void;
  /** Nothing more can be done by itself; an operator has to look. */
  conflict(reason: string): void;
  failed(error: Error): void;
}

/** An id of so many 32-bit words, in hex. */
export function drawId(random: Random, stream: string, words: number): string {
  let text = "";
  for (let key = 0; key < words; key++) text += random.draw(stream, key).toString(16).padStart(8, "0");
  return text;
}

/** Which directories make up the group: this one's stage, and the incarnations of the others, remembered and synced. */
export class Membership {
  private readonly options: MembershipOptions;
  private readonly events: MembershipEvents;
  private identity: Identity;
  private meta: Meta;
  private readonly heardFrom = new Map<NodeId, Hello>();
  private readonly pins = new Map<NodeId, string>();
  /** Pins that are durable: only those count. */
  private readonly counted = new Set<NodeId>();
  private saving = 0;
  private conflictTold = false;

  constructor(options: MembershipOptions, events: MembershipEvents) {
    this.options = options;
    this.events = events;
    // A directory that nothing was promised with takes the voters that it is asked to serve.
    this.identity = { ...options.identity, voters: options.voters };
    this.meta = options.meta;
    for (const peer of options.meta.peers) this.pins.set(peer.node, peer.incarnation);
  }

  get stage(): Stage {
    return this.identity.stage;
  }

  get cluster(): string {
    return this.identity.cluster;
  }

  get incarnation(): string {
    return this.identity.incarnation;
  }

  /** The incarnations to be saved with every hard state. */
  get peers(): Meta["peers"] {
    return this.meta.peers;
  }

  hello(): Hello {
    return {
      from: this.options.self,
      versionLow: peerVersionLowest,
      versionHigh: peerVersion,
      cluster: this.identity.cluster,
      incarnation: this.identity.incarnation,
      stage: this.identity.stage,
      entryBodyBytesMax,
      voters: this.options.voters,
      peers: this.meta.peers,
    };
  }

  /** Voters that have not answered in this life. */
  unheard(): NodeId[] {
    return this.options.voters.filter((voter) => voter !== this.options.self && !this.heardFrom.has(voter));
  }

  heard(hello: Hello): Refusal | undefined {
    const refusal = this.refusal(hello);
    if (refusal !== undefined) return refusal;
    const before = this.heardFrom.get(hello.from);
    // A late hello of the same directory never takes its stage back.
    const late = before?.incarnation === hello.incarnation && order[hello.stage] < order[before.stage];
    if (!late) this.heardFrom.set(hello.from, hello);
    if (this.stage === "active") this.remember(hello);
    else this.advance();
    return undefined;
  }

  private refusal(hello: Hello): Refusal | undefined {
    const { self, group, voters } = this.options;
    if (hello.versionLow > peerVersion || hello.versionHigh < peerVersionLowest) {
      return {
        code: "wrong-version",
        message: `${self} speaks versions ${peerVersionLowest}-${peerVersion}, ${hello.from} ${hello.versionLow}-${hello.versionHigh}`,
      };
    }
    if (hello.from === self || !voters.includes(hello.from)) {
      return {
        code: "unknown-node",
        message: `${hello.from} is no other voter of group ${group} on ${self}`,
      };
    }
    if (hello.voters.join() !== voters.join()) {
      return {
        code: "wrong-cluster",
        message: `group ${group} has the voters ${voters.join(", ")} on ${self}, and ${hello.voters.join(", ")} on ${hello.from}`,
      };
    }
    if (hello.cluster !== "" && this.cluster !== "" && hello.cluster !== this.cluster) {
      return {
        code: "wrong-cluster",
        message: `group ${group} on ${self} belongs to cluster ${this.cluster}, on ${hello.from} to ${hello.cluster}`,
      };
    }
    return undefined;
  }

  /** Architecture, "a voter that lost its disk may not vote again": peers remember its directory, synced, at first contact. */
  private remember(hello: Hello): void {
    const known = this.pins.get(hello.from);
    if (known === undefined) {
      if (hello.stage === "empty" || hello.stage === "wiped")
        return this.count(hello.from, false, "not a member");
      this.pins.set(hello.from, hello.incarnation);
      this.savePins(() =>
        this.count(hello.from, this.pins.get(hello.from) === hello.incarnation, "first contact"),
      );
    } else if (known !== hello.incarnation)
      this.count(hello.from, false, `its directory is ${hello.incarnation}, not ${known}`);
    else if (this.saving === 0) this.count(hello.from, true, "known");
  }

  private count(peer: NodeId, counts: boolean, reason: string): void {
    if (this.counted.has(peer) === counts) return;
    if (counts) this.counted.add(peer);
    else this.counted.delete(peer);
    const { self, group, trace } = this.options;
    const change = counts ? "connected" : "incarnation-changed";
    trace.emit({ kind: "peer", node: self, group, peer, change, reason });
    this.events.peerCounts(peer, counts);
  }

  /** Whether frames of this directory are those of the voter that the group knows. */
  counts(peer: NodeId): boolean {
    return this.counted.has(peer);
  }

  private savePins(done: () => void): void {
    this.saving += 1;
    const peers = [...this.pins].map(([node, incarnation]) => ({ node, incarnation }));
    peers.sort((a, b) => (a.node < b.node ? -1 : 1));
    this.meta = { ...this.meta, peers };
    this.events.announce();
    this.options.savePeers(peers, () => {
      this.saving -= 1;
      done();
      // Contacts made while this was being written wait for their own write.
      for (const hello of this.heardFrom.values()) if (!this.counted.has(hello.from)) this.remember(hello);
    });
  }

  /** Takes the next step of bootstrapping, if one can be taken now. */
  advance(): void {
    if (this.saving > 0 || this.stage === "active" || this.stage === "wiped") return;
    const step = bootstrapStep({
      self: this.options.self,
      voters: this.options.voters,
      stage: this.stage,
      cluster: this.cluster,
      incarnation: this.incarnation,
      heard: this.bootstrapPeers(),
      proposal: drawId(this.options.random, "cluster", 4),
      force: this.options.force,
    });
    if (step.change === "adopt")
      this.save({ ...this.identity, cluster: step.cluster, stage: "adopted" }, "adopted");
    else if (step.change === "wiped") {
      this.save(
        { ...this.identity, cluster: step.cluster, stage: "wiped" },
        "an empty directory in a group that is active",
      );
    } else if (step.change === "activate") this.activate();
    else if (step.change === "conflict" && !this.conflictTold) {
      this.conflictTold = true;
      this.events.conflict(`${step.with} belongs to cluster ${step.cluster}`);
    }
  }

  private bootstrapPeers(): Map<NodeId, { stage: Stage; cluster: string; knowsSelfAs: string }> {
    const peers = new Map<NodeId, { stage: Stage; cluster: string; knowsSelfAs: string }>();
    for (const [node, hello] of this.heardFrom) {
      const known = hello.peers.find((peer) => peer.node === this.options.self);
      peers.set(node, { stage: hello.stage, cluster: hello.cluster, knowsSelfAs: known?.incarnation ?? "" });
    }
    return peers;
  }

  private activate(): void {
    assert(this.stage === "adopted", "a directory adopts its cluster before it is active");
    for (const hello of this.heardFrom.values()) {
      // An active voter knows the directories that the group began with; what it says wins over later contacts.
      if (hello.stage === "active")
        for (const peer of hello.peers) this.pinOther(peer.node, peer.incarnation);
    }
    for (const hello of this.heardFrom.values()) {
      if (hello.stage === "adopted" || hello.stage === "active") this.pinOther(hello.from, hello.incarnation);
    }
    this.savePins(() =>
      this.save({ ...this.identity, stage: "active" }, "every voter has adopted the cluster"),
    );
  }

  private pinOther(node: NodeId, incarnation: string): void {
    if (node !== this.options.self && !this.pins.has(node)) this.pins.set(node, incarnation);
  }

  private save(identity: Identity, reason: string): void {
    this.saving += 1;
    this.options.store.saveIdentity(identity, (error) => {
      this.saving -= 1;
      // The next hello of a peer brings the same decision again; there may be room by then.
      if (isFull(error)) return;
      if (error !== undefined) return this.events.failed(error);
      this.identity = identity;
      const { self, group, trace } = this.options;
      trace.emit({ kind: "standing", node: self, group, standing: standingOf(identity.stage), reason });
      this.events.announce();
      this.events.stageChanged(identity.stage, reason);
      if (identity.stage === "active") for (const hello of this.heardFrom.values()) this.remember(hello);
      else this.advance();
    });
  }
}

const order: { readonly [stage in Stage]: number } = { empty: 0, adopted: 1, active: 2, wiped: 3 };

/** What a stage means for the trace and the status. A directory that is not yet active counts as wiped: it has no vote. */
export function standingOf(stage: Stage): Standing {
  return stage === "active" ? "member" : "wiped";
}
