import { assert, required } from "../core/base/assert.ts";
import { joined } from "../core/base/bytes.ts";
import type { Micros } from "../core/base/units.ts";
import type { CloseReason, Connection, ConnectionEvents, Service } from "../core/io/network.ts";
import { frameBytesMax } from "../core/io/network.ts";
import type { Link, LinkService } from "./link.ts";
import type { NetworkWorld } from "./network.ts";
import type { SimProcess } from "./process.ts";
import type { EventKind, EventTarget, SimEvent } from "./scheduler.ts";
import { eventKinds, turnInput } from "./scheduler.ts";
import { frameDigest, hashText } from "./trace-hash.ts";

/** Frames in the order in which they were sent. */
class FrameQueue {
  private frames: Uint8Array[] = [];
  private head = 0;

  push(frame: Uint8Array): void {
    this.frames.push(frame);
  }

  shift(): Uint8Array | undefined {
    const frame = this.frames[this.head];
    if (frame === undefined) return undefined;
    this.head += 1;
    if (this.head === this.frames.length) {
      this.frames = [];
      this.head = 0;
    } else if (this.head > 1_024) {
      this.frames = this.frames.slice(this.head);
      this.head = 0;
    }
    return frame;
  }
}

/**
 * One end of a connection. Its own frames go out over `link`; what arrives for it is delivered to it as the target of
 * the event. On the client service frames arrive in order and once or the connection breaks; on the peer services each
 * frame travels by itself.
 */
export class SimConnection implements Connection, EventTarget {
  readonly host: SimProcess;
  readonly link: Link;
  readonly service: Service;
  events: ConnectionEvents | undefined;
  /** No callback is made on an ended end any more. */
  ended = false;
  private readonly world: NetworkWorld;
  private readonly life: number;
  private readonly datagram: boolean;
  private readonly chance: LinkService;
  private other: SimConnection | undefined;
  private isOpen = false;
  private closing = false;
  private bytes = 0;
  private frames = 0;
  private wantsDrained = false;
  /** Frames sent before the connection was up. */
  private early: Uint8Array[] = [];
  /** What a stream has sent and not delivered. An arrival delivers its first frame, so the order cannot change. */
  private readonly wire = new FrameQueue();
  /** Arrivals of a stream that a cut holds back. */
  private held = 0;
  private lastArrival: Micros = 0;
  /** Since when frames go unanswered; -1 while all arrive. */
  private silentSince: Micros = -1;

  constructor(world: NetworkWorld, host: SimProcess, link: Link, service: Service) {
    this.world = world;
    this.host = host;
    this.life = host.life;
    this.link = link;
    this.service = service;
    this.datagram = service !== "client";
    this.chance = link.service(service);
    world.ends(host).add(this);
  }

  /** Whether the process that holds this end still lives. */
  get alive(): boolean {
    return this.host.up && this.host.life === this.life;
  }

  queuedBytes(): number {
    return this.bytes;
  }

  send(first: Uint8Array, rest: readonly Uint8Array[] = []): boolean {
    if (this.ended || this.closing) return true;
    // Simulated processes share no memory: each receiver gets bytes of its own.
    const frame = rest.length === 0 ? first : joined([first, ...rest]);
    const { settings } = this.world;
    if (frame.length > frameBytesMax) {
      this.breakBoth("protocol");
      return true;
    }
    const full =
      this.frames >= settings["network.bufferFrames"] ||
      this.bytes + frame.length > settings["network.bufferBytes"];
    // A frame larger than the buffer passes alone, or it never would.
    if (full && this.frames > 0) {
      if (!this.wantsDrained) this.world.queueFull(this.host, this.service);
      this.wantsDrained = true;
      return false;
    }
    this.bytes += frame.length;
    this.frames += 1;
    if (this.isOpen) this.transmit(frame);
    else this.early.push(frame);
    return true;
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    this.world.ends(this.host).delete(this);
    this.tellOther("closed");
  }

  /** The dialled end and the accepted one belong together; the dialled one learns it at `opensAt`. */
  join(accepted: SimConnection, opensAt: Micros): void {
    assert(this.other === undefined, "a connection has two ends");
    this.other = accepted;
    accepted.other = this;
    accepted.isOpen = true;
    accepted.lastArrival = opensAt;
    this.schedule(opensAt, eventKinds.opened, undefined, 0, this.life);
  }

  /** Ends this end at `at` and tells its process. */
  endLater(at: Micros, reason: CloseReason): void {
    this.schedule(at, eventKinds.closed, reason, hashText(reason), this.life);
  }

  /** Tells the other end that this one is gone, if the network lets it. */
  tellOther(reason: CloseReason): void {
    const { other } = this;
    if (other === undefined || other.ended) return;
    const delay = this.world.breakDelay(this.link, reason);
    if (delay === undefined) return;
    const { now } = this.world.scheduler;
    // A close stands behind the frames that were sent before it; a reset overtakes them.
    other.endLater(Math.max(now + delay, reason === "closed" ? this.lastArrival : 0), reason);
  }

  /** A cut was healed: what it held back leaves now. */
  releaseHeld(): void {
    const { held } = this;
    this.held = 0;
    if (this.ended) return;
    for (let i = 0; i < held; i++) this.departStream(0, this.latency());
  }

  fire(event: SimEvent): void {
    switch (event.kind) {
      case eventKinds.frame:
      case eventKinds.duplicate:
        if (this.datagram) this.arriveDatagram(event.subject as Uint8Array, event.kind === eventKinds.frame);
        else this.arriveStream();
        return;
      case eventKinds.opened:
        this.opened();
        return;
      case eventKinds.closed:
        this.closed(event.subject as CloseReason);
        return;
      case eventKinds.drained:
        if (!this.ended) this.events?.drained();
        return;
      default:
        this.checkSilence();
    }
  }

  private schedule(at: Micros, kind: EventKind, subject: unknown, digest: number, life: number): void {
    const { scheduler } = this.world;
    const host = this.host;
    scheduler.schedule(Math.max(at, scheduler.now), {
      kind,
      turn: turnInput,
      host,
      life,
      digest,
      target: this,
      subject,
    });
  }

  private latency(): Micros {
    const { chance } = this;
    const { settings } = this.world;
    const n = chance.frames;
    const ordinary = chance.latency.between(
      n,
      settings["network.latencyMin"],
      settings["network.latencyMax"],
    );
    return ordinary + chance.slow.value(n, settings["network.slow"], settings["network.slowMax"]);
  }

  private transmit(frame: Uint8Array): void {
    const delay = this.latency();
    const n = this.chance.frames++;
    const { peerLoss, settings } = this.world;
    const loss = Math.max(settings["network.loss"], this.datagram ? peerLoss : 0);
    const lost = this.chance.loss.chance(n, loss);
    if (this.datagram) this.transmitDatagram(frame, n, lost, delay);
    else this.transmitStream(frame, n, lost, delay);
  }

  private transmitDatagram(frame: Uint8Array, n: number, lost: boolean, delay: Micros): void {
    const { chance, link } = this;
    const { settings } = this.world;
    if (lost || link.cuts > 0) {
      this.freed(frame.length);
      if (link.cuts > 0) this.fellSilent();
      return;
    }
    // Frames never overtake the opening of their connection.
    const at = this.arrivalAfter(delay);
    const other = this.otherEnd();
    // The wire outlives the process at its end, so the event carries no life.
    other.schedule(at, eventKinds.frame, frame, frameDigest(frame), -1);
    if (!chance.duplicate.chance(n, settings["network.duplicate"])) return;
    const again = chance.latency.between(n, settings["network.latencyMin"], settings["network.latencyMax"]);
    const late = chance.echo.between(n, 0, settings["network.duplicateMax"]);
    other.schedule(at + again + late, eventKinds.duplicate, frame.slice(), frameDigest(frame), -1);
  }

  private transmitStream(frame: Uint8Array, n: number, lost: boolean, delay: Micros): void {
    const { chance } = this;
    const { settings } = this.world;
    if (lost || chance.reset.chance(n, settings["network.reset"])) {
      this.breakBoth("reset");
      return;
    }
    const stall = chance.stall.value(n, settings["network.stall"], settings["network.stallMax"]);
    this.wire.push(frame);
    this.departStream(frameDigest(frame), delay + stall);
  }

  /** When a frame arrives that leaves now: once a clog lets it go, and not before those that arrive in order. */
  private arrivalAfter(delay: Micros): Micros {
    const leaves = Math.max(this.world.scheduler.now, this.link.heldUntil(this.service));
    return Math.max(leaves + delay, this.lastArrival);
  }

  private departStream(digest: number, delay: Micros): void {
    const at = this.arrivalAfter(delay);
    this.lastArrival = at;
    this.otherEnd().schedule(at, eventKinds.frame, undefined, digest, -1);
  }

  private otherEnd(): SimConnection {
    return required(this.other, "frames leave on a connection that was joined");
  }

  private arriveDatagram(frame: Uint8Array, counted: boolean): void {
    const sender = this.otherEnd();
    if (counted) sender.freed(frame.length);
    // The link may have been cut while the frame was on its way.
    if (sender.link.cuts > 0) sender.fellSilent();
    else this.take(frame, sender);
  }

  private arriveStream(): void {
    const sender = this.otherEnd();
    if (sender.link.cuts > 0) {
      sender.held += 1;
      sender.fellSilent();
      return;
    }
    const frame = required(sender.wire.shift(), "every arrival of a stream has its frame");
    sender.freed(frame.length);
    this.take(frame, sender);
  }

  private take(frame: Uint8Array, sender: SimConnection): void {
    if (!this.ended && this.alive) {
      sender.silentSince = -1;
      this.events?.frame(frame);
      return;
    }
    // A machine that runs refuses what is for a process that is gone; one that is off is silent.
    if (!this.host.machineUp) sender.fellSilent();
    else if (!sender.ended) this.tellOther("reset");
  }

  private freed(bytes: number): void {
    this.bytes -= bytes;
    this.frames -= 1;
    if (!this.wantsDrained || this.ended || this.bytes * 2 > this.world.settings["network.bufferBytes"])
      return;
    if (this.frames * 2 > this.world.settings["network.bufferFrames"]) return;
    this.wantsDrained = false;
    this.schedule(this.world.scheduler.now, eventKinds.drained, undefined, 0, this.life);
  }

  private fellSilent(): void {
    if (this.silentSince >= 0 || this.ended) return;
    const { scheduler, settings } = this.world;
    this.silentSince = scheduler.now;
    this.schedule(scheduler.now + settings["network.timeout"], eventKinds.silence, undefined, 0, this.life);
  }

  private checkSilence(): void {
    if (this.ended || this.silentSince < 0) return;
    const { scheduler, settings } = this.world;
    const due = this.silentSince + settings["network.timeout"];
    if (scheduler.now < due) this.schedule(due, eventKinds.silence, undefined, 0, this.life);
    else {
      this.tellOther("reset");
      this.closed("timeout");
    }
  }

  private opened(): void {
    if (this.ended) return;
    this.isOpen = true;
    this.events?.opened();
    const { early } = this;
    this.early = [];
    for (const frame of early) if (!this.ended) this.transmit(frame);
  }

  private closed(reason: CloseReason): void {
    if (this.ended) return;
    this.ended = true;
    this.world.ends(this.host).delete(this);
    this.events?.closed(reason);
  }

  /** Both ends learn of a break, this one in a turn of its own. */
  private breakBoth(reason: CloseReason): void {
    if (this.closing) return;
    this.closing = true;
    this.tellOther(reason);
    this.endLater(this.world.scheduler.now, reason);
  }
}
