import { assert } from "../base/assert.ts";
import type { GroupId, NodeId } from "../base/brand.ts";
import { ByteReader } from "../base/bytes.ts";
import { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import type { Timer } from "../io/clock.ts";
import type { Address, CloseReason, Connection, ConnectionEvents, Service } from "../io/network.ts";
import { between } from "../io/random.ts";
import type { NodeLimits } from "./config.ts";
import type { Hello, Refusal } from "./peer-frame.ts";
import { decodeHello, decodeRefusal, encodeHello, encodeRefusal, readFrameHeader } from "./peer-frame.ts";
import type { NodePorts } from "./ports.ts";

/** Control: votes, heartbeats, acknowledgements. Bulk: entries and records. Each has its own connection. */
export type Lane = "control" | "bulk";
const lanes: readonly Lane[] = ["control", "bulk"];

/** What a group gives to the links of its process and gets from them. */
export interface LinkGroup {
  readonly group: GroupId;
  /** The other voters, sorted. */
  readonly others: readonly NodeId[];
  hello(): Hello;
  /** Whether the hello must be repeated even on connections that are up: the group is not yet bootstrapped. */
  announcing(): boolean;
  /** A peer introduced itself. A refusal turns it away by name. */
  heard(hello: Hello): Refusal | undefined;
  /** A frame of an introduced peer, `reader` at its body. Throws LogError when it is malformed. */
  frame(from: NodeId, type: "raft" | "fetch" | "records", reader: ByteReader): void;
  peerUp(peer: NodeId): void;
  /** Its process is probably gone: the connection was reset or refused. */
  peerLost(peer: NodeId): void;
  refusedBy(peer: NodeId, refusal: Refusal): void;
  refused(peer: string, refusal: Refusal): void;
  /** A connection was closed, since there were too many of its kind; `peer` is empty when nobody introduced itself on it. */
  surplus(peer: NodeId | "", reason: string): void;
}

/** Hellos double as a probe: an open connection that answers none for this many check intervals is dialled anew. */
const unansweredMax = 3;
/** Connections of one lane that a peer may have here: the live one, and some of whose end this node has not heard. */
const linksOfALaneMax = 4;
/** Connections on which no peer has introduced itself yet. */
const strangersMax = 64;
/** A connection that is up is probed once in this many hello intervals. */
const probeEvery = 10;

/** The connections of one process to the others and from them. A message travels on the connection that its sender dialled. */
export class PeerLinks {
  private readonly ports: NodePorts;
  private readonly limits: NodeLimits;
  private readonly groups: ReadonlyMap<GroupId, LinkGroup>;
  private readonly hub: LinkHub;
  private readonly dialled = new Map<NodeId, Record<Lane, DialledLink>>();
  private readonly accepted = new Set<AcceptedLink>();
  private timer: Timer | undefined;
  private stopped = false;

  constructor(
    ports: NodePorts,
    limits: NodeLimits,
    groups: ReadonlyMap<GroupId, LinkGroup>,
    addresses: ReadonlyMap<NodeId, Address>,
  ) {
    this.ports = ports;
    this.limits = limits;
    this.groups = groups;
    this.hub = {
      groups,
      introduced: (link) => this.limitLane(link),
      forget: (link) => void this.accepted.delete(link),
    };
    for (const [peer, address] of addresses) {
      const own = [...groups.values()].filter((group) => group.others.includes(peer));
      const make = (lane: Lane): DialledLink =>
        new DialledLink({ ports, limits, peer, address, lane, groups: own });
      this.dialled.set(peer, { control: make("control"), bulk: make("bulk") });
    }
  }

  start(): void {
    for (const links of this.dialled.values()) for (const lane of lanes) links[lane].dial();
    this.tick();
  }

  private tick(): void {
    if (this.stopped) return;
    for (const links of this.dialled.values()) for (const lane of lanes) links[lane].check();
    this.timer = this.ports.clock.at(this.ports.clock.monotonic() + this.limits.helloInterval, () =>
      this.tick(),
    );
  }

  /** The group's own standing changed: tell every peer at once. */
  announce(group: LinkGroup): void {
    for (const links of this.dialled.values()) for (const lane of lanes) links[lane].announce(group);
  }

  /** @returns false when the frame was not taken: no connection, not yet introduced, or its buffer is full. */
  send(to: NodeId, group: GroupId, lane: Lane, frame: Uint8Array, rest: readonly Uint8Array[] = []): boolean {
    const links = this.dialled.get(to);
    return links?.[lane].send(group, frame, rest) ?? false;
  }

  /** The events of a connection that a peer dialled. */
  accept(connection: Connection, service: Service): ConnectionEvents {
    const link = new AcceptedLink(connection, service, this.hub);
    this.accepted.add(link);
    const strangers = [...this.accepted].filter(({ peer }) => peer === undefined);
    if (strangers.length > strangersMax)
      this.closeOldest(strangers, `more than ${strangersMax} on which nobody has introduced himself`);
    return link;
  }

  /** A peer that was cut off dials anew, and this end may hear of the old connection's end much later. */
  private limitLane({ peer, service }: AcceptedLink): void {
    const same = [...this.accepted].filter((link) => link.peer === peer && link.service === service);
    if (same.length > linksOfALaneMax)
      this.closeOldest(same, `more than ${linksOfALaneMax} of one peer (${service})`);
  }

  /** Links stand in the order in which they came. */
  private closeOldest([oldest]: readonly AcceptedLink[], reason: string): void {
    if (oldest === undefined) return;
    for (const group of this.groups.values()) group.surplus(oldest.peer ?? "", reason);
    oldest.close();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    for (const links of this.dialled.values()) for (const lane of lanes) links[lane].stop();
    for (const link of [...this.accepted]) link.close();
    this.accepted.clear();
  }
}

interface DialledOptions {
  readonly ports: NodePorts;
  readonly limits: NodeLimits;
  readonly peer: NodeId;
  readonly address: Address;
  readonly lane: Lane;
  readonly groups: readonly LinkGroup[];
}

/** A connection that this node dialled: introduced group by group, probed, dialled anew with backoff. */
class DialledLink implements ConnectionEvents {
  private readonly options: DialledOptions;
  private connection: Connection | undefined;
  private open = false;
  private readonly welcomed = new Set<GroupId>();
  private attempts = 0;
  private draws = 0;
  private checks = 0;
  private unanswered = 0;
  private timer: Timer | undefined;
  private stopped = false;

  constructor(options: DialledOptions) {
    this.options = options;
  }

  dial(): void {
    if (this.stopped) return;
    assert(this.connection === undefined, "a link has one connection at a time");
    const service = this.options.lane === "control" ? "peer-control" : "peer-bulk";
    this.connection = this.options.ports.network.connect(this.options.address, service, this);
  }

  opened(): void {
    this.open = true;
    this.unanswered = 0;
    for (const group of this.options.groups) this.introduce(group);
  }

  private introduce(group: LinkGroup): void {
    this.connection?.send(encodeHello("hello", group.group, group.hello()));
  }

  announce(group: LinkGroup): void {
    if (this.open && this.options.groups.includes(group)) this.introduce(group);
  }

  /** Repeats hellos that a datagram link may have lost, and probes connections that are up. */
  check(): void {
    if (!this.open) return;
    this.checks += 1;
    const probe = this.checks % probeEvery === 0;
    if (probe) {
      this.unanswered += 1;
      if (this.unanswered > unansweredMax) return this.redial("timeout");
    }
    for (const group of this.options.groups) {
      if (probe || group.announcing() || !this.welcomed.has(group.group)) this.introduce(group);
    }
  }

  send(group: GroupId, frame: Uint8Array, rest: readonly Uint8Array[]): boolean {
    if (this.connection === undefined || !this.welcomed.has(group)) return false;
    return this.connection.send(frame, rest);
  }

  frame(frame: Uint8Array): void {
    try {
      this.answer(new ByteReader(frame));
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      for (const group of this.options.groups) group.refused(this.options.peer, error);
      this.redial("protocol");
    }
  }

  private answer(reader: ByteReader): void {
    const { type, group: id } = readFrameHeader(reader);
    const group = this.options.groups.find((candidate) => candidate.group === id);
    if (group === undefined)
      throw new LogError("unknown-group", `an answer for group ${id}, which was not asked`);
    if (type === "welcome") this.welcome(group, decodeHello(reader));
    else if (type === "refuse") {
      this.unanswered = 0;
      group.refusedBy(this.options.peer, decodeRefusal(reader));
    } else
      throw new LogError("malformed-frame", `a frame of type ${type} on a connection that this node dialled`);
  }

  private welcome(group: LinkGroup, hello: Hello): void {
    if (hello.from !== this.options.peer) {
      throw new LogError(
        "unknown-node",
        `${this.options.address} answers as ${hello.from}, not as ${this.options.peer}`,
      );
    }
    this.unanswered = 0;
    this.attempts = 0;
    const refusal = group.heard(hello);
    if (refusal !== undefined) {
      group.refused(hello.from, refusal);
      return;
    }
    if (this.welcomed.has(group.group)) return;
    this.welcomed.add(group.group);
    group.peerUp(this.options.peer);
  }

  drained(): void {}

  closed(reason: CloseReason): void {
    this.connection = undefined;
    this.redial(reason);
  }

  private redial(reason: CloseReason): void {
    const wasUp = this.welcomed.size > 0;
    this.connection?.close();
    this.connection = undefined;
    this.open = false;
    this.welcomed.clear();
    if (this.stopped) return;
    const gone = reason === "reset" || reason === "refused";
    if (gone && (wasUp || reason === "refused"))
      for (const group of this.options.groups) group.peerLost(this.options.peer);
    this.timer = this.options.ports.clock.at(this.options.ports.clock.monotonic() + this.delay(), () =>
      this.dial(),
    );
  }

  /** Doubles from the least to the most, half of it by chance, so that peers do not dial in step. */
  private delay(): Micros {
    const { reconnectDelayMin, reconnectDelayMax } = this.options.limits;
    let delay = reconnectDelayMin;
    for (let n = 0; n < this.attempts && delay < reconnectDelayMax; n++) delay *= 2;
    delay = Math.min(delay, reconnectDelayMax);
    this.attempts += 1;
    this.draws += 1;
    const draw = this.options.ports.random.draw(
      `reconnect/${this.options.peer}/${this.options.lane}`,
      this.draws,
    );
    return between(draw, Math.ceil(delay / 2), delay);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.connection?.close();
    this.connection = undefined;
    this.open = false;
    this.welcomed.clear();
  }
}

/** What accepted links tell of themselves. */
interface LinkHub {
  readonly groups: ReadonlyMap<GroupId, LinkGroup>;
  /** A peer has introduced itself on the link for the first time. */
  introduced(link: AcceptedLink): void;
  forget(link: AcceptedLink): void;
}

/** A connection that a peer dialled. Frames count only once the peer has introduced itself for their group. */
class AcceptedLink implements ConnectionEvents {
  readonly service: Service;
  /** Who introduced itself on it. */
  peer: NodeId | undefined = undefined;
  private readonly connection: Connection;
  private readonly hub: LinkHub;
  private readonly introduced = new Map<GroupId, Hello>();

  constructor(connection: Connection, service: Service, hub: LinkHub) {
    this.connection = connection;
    this.service = service;
    this.hub = hub;
  }

  opened(): void {}
  drained(): void {}

  closed(): void {
    this.hub.forget(this);
  }

  close(): void {
    this.connection.close();
    this.hub.forget(this);
  }

  frame(frame: Uint8Array): void {
    try {
      this.take(new ByteReader(frame));
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      for (const group of this.hub.groups.values()) group.refused("a peer", error);
      this.close();
    }
  }

  private take(reader: ByteReader): void {
    const { type, group: id } = readFrameHeader(reader);
    const group = this.hub.groups.get(id);
    if (group === undefined) {
      this.connection.send(
        encodeRefusal(id, { code: "unknown-group", message: `no group ${id} on this node` }),
      );
      return;
    }
    if (type === "hello") return this.introduce(group, decodeHello(reader));
    const hello = this.introduced.get(id);
    // On a datagram link a frame may overtake the hello, or the hello be lost: the frame is then as good as lost.
    if (hello === undefined) return;
    if (type !== "raft" && type !== "fetch" && type !== "records") {
      throw new LogError("malformed-frame", `a frame of type ${type} from ${hello.from}`);
    }
    group.frame(hello.from, type, reader);
  }

  private introduce(group: LinkGroup, hello: Hello): void {
    const before = this.introduced.get(group.group);
    if (before !== undefined && (before.from !== hello.from || before.incarnation !== hello.incarnation)) {
      throw new LogError(
        "unknown-node",
        `a connection introduced as ${before.from} and then as ${hello.from}`,
      );
    }
    const refusal = group.heard(hello);
    if (refusal !== undefined) {
      group.refused(hello.from, refusal);
      this.connection.send(encodeRefusal(group.group, refusal));
      return;
    }
    this.introduced.set(group.group, hello);
    this.connection.send(encodeHello("welcome", group.group, group.hello()));
    if (this.peer !== undefined) return;
    this.peer = hello.from;
    this.hub.introduced(this);
  }
}
