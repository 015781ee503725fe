import type { NodeId } from "../base/brand.ts";
import type { LogError } from "../base/errors.ts";
import type { Micros } from "../base/units.ts";
import type { LeaderHint } from "../commitlog/protocol.ts";
import { Backoff } from "./backoff.ts";
import type { ClientConfig, ClientPeer } from "./client-config.ts";
import type { Target, Turn } from "./client-event.ts";
import { Link } from "./link.ts";

/** Nodes that hints may add to those of the configuration. */
const learnedPeersMax = 16;

/** Knows the nodes and who seems to lead, and finds the link for a call. */
export class Router {
  readonly links: Link[] = [];
  private readonly config: ClientConfig;
  private readonly draw: () => number;
  private readonly counters = { connection: 0, request: 1 };
  private leader: Link | undefined = undefined;
  /** Where the search for a leader goes on, as an index into the links. */
  private probe: number;
  private latestError: LogError | undefined = undefined;

  constructor(config: ClientConfig, draw: () => number) {
    this.config = config;
    this.draw = draw;
    for (const peer of config.peers) this.add(peer);
    this.probe = draw() % this.links.length;
  }

  private add(peer: ClientPeer): Link {
    const delays = { min: this.config.retryDelayMin, max: this.config.retryDelayMax };
    const link = new Link(peer, this.config, this.counters, new Backoff(delays, this.draw));
    this.links.push(link);
    return link;
  }

  linkOf(node: NodeId): Link | undefined {
    return this.links.find((link) => link.peer.node === node);
  }

  /** The link of a live connection; undefined when the connection is not the link's latest. */
  linkOn(connection: number): Link | undefined {
    return this.links.find((link) => link.connection === connection);
  }

  /** A ready link to whoever seems to lead; undefined while none is ready, with a dial under way where one is allowed. */
  leaderLink(turn: Turn): Link | undefined {
    const known = this.leader;
    const link =
      known !== undefined && usable(known, turn.now) ? known : this.firstUsable(this.probe, turn.now);
    if (link === undefined) return undefined;
    if (link !== known) this.probe = this.links.indexOf(link);
    link.want(turn);
    return link.state === "ready" ? link : undefined;
  }

  /**
   * A ready link for a read; undefined while none is ready.
   * @param attempt counts the failures of the call so far: each one moves on to the next node.
   */
  readLink(target: Target, attempt: number, turn: Turn): Link | undefined {
    if (target === "leader") return this.leaderLink(turn);
    if (typeof target === "object") {
      const named = this.linkOf(target.node);
      named?.want(turn);
      return named?.state === "ready" ? named : undefined;
    }
    const skip = target === "follower" && this.links.length > 1 ? this.leader : undefined;
    if (attempt === 0) {
      const ready = this.links.find((link) => link.state === "ready" && link !== skip);
      if (ready !== undefined) return ready;
    }
    const link = this.firstUsable(this.probe + attempt, turn.now, skip) ?? this.firstUsable(0, turn.now);
    link?.want(turn);
    return link?.state === "ready" ? link : undefined;
  }

  private firstUsable(start: number, now: Micros, skip?: Link): Link | undefined {
    for (let i = 0; i < this.links.length; i++) {
      const link = this.links[(start + i) % this.links.length] as Link;
      if (link !== skip && usable(link, now)) return link;
    }
    return undefined;
  }

  /** A node that was asked as the leader says that it is not, or cannot be one now. */
  notLeader(from: Link, hint: LeaderHint): void {
    if (this.leader === from) this.leader = undefined;
    this.probe = (this.links.indexOf(from) + 1) % this.links.length;
    if (hint.leader !== from.peer.node) this.learn(hint);
  }

  /** A node told who leads. @returns whether it named one. */
  learn(hint: LeaderHint): boolean {
    if (hint.leader === "") return false;
    let link = this.linkOf(hint.leader);
    if (link === undefined) {
      const room = this.links.length < this.config.peers.length + learnedPeersMax;
      if (hint.leaderAddress === "" || !room) return false;
      link = this.add({ node: hint.leader, address: hint.leaderAddress });
    }
    this.leader = link;
    return true;
  }

  /** A node that was greeted told who leads: news only while nobody is known to. */
  greetedWith(hint: LeaderHint): void {
    if (this.leader === undefined) this.learn(hint);
  }

  /** Gives up a connection; whoever waits on it is told. */
  drop(link: Link, turn: Turn, error: LogError, disconnect: boolean): void {
    this.latestError = error;
    if (this.leader === link) {
      this.leader = undefined;
      this.probe = (this.links.indexOf(link) + 1) % this.links.length;
    }
    link.drop(turn, error, disconnect);
  }

  /** Why calls do not get through, as far as is known: for the message of one that ran out of time. */
  get lastError(): LogError | undefined {
    return this.latestError;
  }

  noteRefusal(error: LogError): void {
    this.latestError = error;
  }

  /** The refusal of every node's greeting, when all of them refuse for good; undefined otherwise. */
  refusedByAll(): LogError | undefined {
    const first = this.links[0]?.lastError;
    return this.links.every((link) => link.lastError?.retry === "never") ? first : undefined;
  }

  /** When a link must be looked at next; with `waiting`, also when one may be dialled again. */
  deadline(now: Micros, waiting: boolean): Micros {
    let earliest = Number.POSITIVE_INFINITY;
    for (const link of this.links) {
      earliest = Math.min(earliest, link.deadline());
      if (waiting && link.state === "down" && link.retryAt > now) earliest = Math.min(earliest, link.retryAt);
    }
    return earliest;
  }
}

function usable(link: Link, now: Micros): boolean {
  return link.state !== "down" || now >= link.retryAt;
}
