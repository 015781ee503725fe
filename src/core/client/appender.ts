import { LogError } from "../base/errors.ts";
import { NumberMap } from "../base/number-map.ts";
import type { Micros } from "../base/units.ts";
import type { ClientResponse, Fault, ServerLimits } from "../commitlog/protocol.ts";
import { errorOf } from "../commitlog/protocol.ts";
import { AppendFrame, placesOf } from "./append-frame.ts";
import type { AppendCall } from "./append-queue.ts";
import { AppendQueue } from "./append-queue.ts";
import { Backoff } from "./backoff.ts";
import type { ClientConfig } from "./client-config.ts";
import type { Turn } from "./client-event.ts";
import type { Link } from "./link.ts";
import { appendTimedOut } from "./reader.ts";
import type { Router } from "./router.ts";
import { SessionBinding } from "./session-binding.ts";

/** Redirects that are followed at once; further ones wait, or two nodes with stale hints would keep the client spinning. */
const redirectsAtOnceMax = 2;

/**
 * The append pipeline: one queue in the order of the calls, sent to the leader in frames of many calls, many frames
 * ahead of their answers. What was not answered is sent again with the same sequences, which the session makes safe.
 */
export class Appender {
  private readonly config: ClientConfig;
  private readonly router: Router;
  private readonly backoff: Backoff;
  private readonly queue = new AppendQueue();
  private readonly binding: SessionBinding;
  /** Frames under way, by number. */
  private readonly frames = new NumberMap<AppendFrame>();
  private framesSent = 0;
  private inFlight = 0;
  /** The position of the next call to send. */
  private cursor = 0;
  private retryAt: Micros = 0;
  private redirects = 0;
  /** At or before the earliest deadline of a live call. */
  private earliest: Micros = Number.POSITIVE_INFINITY;
  /** A call was refused for want of room, and its caller was not told of room since. */
  private drainWanted = false;

  constructor(config: ClientConfig, router: Router, draw: () => number) {
    this.config = config;
    this.router = router;
    this.backoff = new Backoff({ min: config.retryDelayMin, max: config.retryDelayMax }, draw);
    this.binding = new SessionBinding(this.queue, {
      lost: (call, turn) => this.fail(call, unknownOutcome("the session expired at the cluster"), turn),
      unbound: (from) => this.rewind(from),
    });
  }

  /** Why an append is refused at the door; undefined when there is room for it. */
  refusal(bodies: readonly Uint8Array[]): LogError | undefined {
    const { pendingAppendsMax, pendingBytesMax } = this.config;
    const bytes = bytesOf(bodies);
    const error = tooLarge(bodies, bytes, this.config);
    if (error !== undefined) return error;
    if (this.queue.size < pendingAppendsMax && this.queue.bytes + bytes <= pendingBytesMax) return undefined;
    this.drainWanted = true;
    return new LogError(
      "pending-full",
      `${this.queue.size} appends of ${this.queue.bytes} bytes are pending`,
    );
  }

  /** Whether something is to be sent that need not wait beyond `now`. */
  waiting(now: Micros): boolean {
    return this.cursor < this.queue.end && now >= this.retryAt;
  }

  append(call: number, bodies: readonly Uint8Array[], deadline: Micros): void {
    const bytes = bytesOf(bodies);
    this.queue.push({ call, bodies, bytes, deadline, sequence: 0, open: 0, uncertain: false, state: "live" });
    this.earliest = Math.min(this.earliest, deadline);
  }

  pump(turn: Turn): void {
    if (!this.waiting(turn.now)) return;
    this.retryAt = 0;
    const link = this.router.leaderLink(turn);
    if (link === undefined) return;
    if (this.config.sessions && !this.binding.ready()) {
      this.openSession(link, turn);
      return;
    }
    for (;;) {
      const frame = this.nextFrame(link.limits, turn);
      if (frame === undefined) return;
      this.frames.set(frame.number, frame);
      this.inFlight += frame.entries;
      const bodies: Uint8Array[] = [];
      for (const call of frame.calls) {
        call.open += 1;
        for (const body of call.bodies) bodies.push(body);
      }
      const { session, firstSequence } = frame;
      link.request({ type: "append", session, firstSequence, bodies }, frame, turn);
    }
  }

  private openSession(link: Link, turn: Turn): void {
    if (!this.binding.beginOpening()) return;
    const waiter = {
      answered: (response: ClientResponse, from: Link, then: Turn): void => {
        const opened = response.type === "session-opened" && response.session >= 1;
        this.binding.endOpening(opened ? response.session : 0);
        if (opened) this.worked();
        else if (response.type !== "fault") this.protocolBroken(response, from, then);
        else if (response.retry === "never") this.failAll(errorOf(response), then);
        else this.delay(response, from, then);
      },
      lost: (): void => this.binding.endOpening(0),
    };
    link.request({ type: "open-session" }, waiter, turn);
  }

  /** Takes calls from the cursor on into one frame; undefined when none may be sent now. */
  private nextFrame(server: ServerLimits | undefined, turn: Turn): AppendFrame | undefined {
    const { queue, binding, config } = this;
    const entriesMax = Math.min(config.appendEntriesMax, server?.appendEntriesMax ?? config.appendEntriesMax);
    const bytesMax = Math.min(config.appendBytesMax, server?.appendBytesMax ?? config.appendBytesMax);
    const fullAt = Math.min(bytesMax, config.frameBytesMax);
    const inFlightMax = Math.min(config.inFlightMax, server?.inFlightMax ?? config.inFlightMax);
    const calls: AppendCall[] = [];
    let position = -1;
    let entries = 0;
    let bytes = 0;
    if (this.cursor < queue.head) this.cursor = queue.head;
    for (; this.cursor < queue.end; this.cursor++) {
      const call = queue.at(this.cursor);
      // Without a session a call is sent again only once its attempt was refused.
      if (call.state === "gone" || (!config.sessions && call.open > 0)) continue;
      const refused =
        call.sequence === 0 && server !== undefined && tooLarge(call.bodies, call.bytes, server);
      if (refused) {
        this.fail(call, refused, turn);
        continue;
      }
      const more = call.bodies.length;
      if (position >= 0 && (entries + more > entriesMax || bytes + call.bytes > fullAt)) break;
      if (!config.sessions) {
        if (this.inFlight > 0 && this.inFlight + entries + more > inFlightMax) break;
      } else if (
        !binding.take(
          this.cursor,
          inFlightMax,
          calls.length === 0 ? undefined : (calls[0] as AppendCall).sequence + entries,
        )
      ) {
        break;
      }
      if (position < 0) position = this.cursor;
      calls.push(call);
      entries += more;
      bytes += call.bytes;
    }
    if (position < 0) return undefined;
    this.framesSent += 1;
    return new AppendFrame(this, {
      number: this.framesSent,
      session: config.sessions ? binding.session : 0,
      position,
      calls,
      entries,
    });
  }

  frameAnswered(frame: AppendFrame, response: ClientResponse, link: Link, turn: Turn): void {
    this.ended(frame);
    if (response.type === "fault") {
      this.frameRefused(frame, response, link, turn);
      return;
    }
    const placed = placesOf(response, frame.entries);
    if (placed === undefined) {
      this.attemptsUncertain(frame, turn);
      this.protocolBroken(response, link, turn);
      return;
    }
    if (!this.counts(frame)) return;
    for (const { call, offset } of frame.current()) {
      const end = offset + call.bodies.length;
      const indexes = placed.indexes.slice(offset, end);
      if (call.state === "live") {
        turn.out.push({ type: "appended", call: call.call, term: placed.terms[end - 1] as number, indexes });
      }
      this.queue.remove(call);
    }
    this.worked();
    this.binding.settle(turn);
    this.drained(turn);
  }

  frameLost(frame: AppendFrame, turn: Turn): void {
    this.ended(frame);
    this.attemptsUncertain(frame, turn);
  }

  private ended(frame: AppendFrame): void {
    this.frames.delete(frame.number);
    this.inFlight -= frame.entries;
    if (!this.counts(frame)) return;
    for (const { call } of frame.current()) call.open -= 1;
  }

  /** A late answer of an earlier session never counts. */
  private counts(frame: AppendFrame): boolean {
    return !this.config.sessions || frame.session === this.binding.session;
  }

  /** The frame's attempts ended, and nobody knows how. */
  private attemptsUncertain(frame: AppendFrame, turn: Turn): void {
    if (!this.counts(frame)) return;
    for (const { call } of frame.current()) {
      call.uncertain = true;
      // Without a session a second attempt could land a second time.
      if (!this.config.sessions)
        this.fail(call, unknownOutcome("the connection was lost before the answer"), turn);
    }
    if (this.config.sessions) this.rewind(frame.position);
    this.binding.settle(turn);
    this.drained(turn);
  }

  private frameRefused(frame: AppendFrame, fault: Fault, link: Link, turn: Turn): void {
    if (fault.retry === "unknown") this.attemptsUncertain(frame, turn);
    if (!this.counts(frame)) return;
    const error = errorOf(fault);
    this.router.noteRefusal(error);
    if (fault.retry === "never") {
      this.frameRefusedForGood(frame, error, turn);
      return;
    }
    if (this.binding.expired || frame.superseded) {
      this.binding.settle(turn);
      return;
    }
    // Behind a gap nothing enters the log: everything from the oldest unanswered append is sent again, in order.
    const from = fault.code === "sequence-gap" ? this.queue.head : frame.position;
    this.rewind(from);
    this.delay(fault, link, turn);
  }

  private frameRefusedForGood(frame: AppendFrame, error: LogError, turn: Turn): void {
    for (const { call } of frame.current()) {
      // An expired session settles its calls below: what was refused each time goes on under the next one.
      if (call.open > 0 || error.code === "session-expired") continue;
      const last = call.uncertain ? unknownOutcome(error.message, error) : error;
      this.fail(call, last, turn);
    }
    if (this.config.sessions) this.binding.expire(turn);
    this.drained(turn);
  }

  /** Sends again from a position on; frames under way behind it were sent for nothing. */
  private rewind(from: number): void {
    this.cursor = Math.min(this.cursor, from);
    if (!this.config.sessions) return;
    for (const frame of this.frames.values()) if (frame.position >= from) frame.superseded = true;
  }

  /** Follows a fault's hint, at once or after a pause. */
  private delay(fault: Fault, link: Link, turn: Turn): void {
    const hinted = fault.leader !== "" && fault.leader !== link.peer.node;
    if (!staysWithLeader(fault)) this.router.notLeader(link, fault);
    if (hinted && fault.code === "not-leader" && this.redirects < redirectsAtOnceMax) {
      this.redirects += 1;
      return;
    }
    this.retryAt = turn.now + this.backoff.next();
  }

  private worked(): void {
    this.redirects = 0;
    this.backoff.reset();
  }

  private protocolBroken(response: ClientResponse, link: Link, turn: Turn): void {
    this.router.drop(link, turn, new LogError("malformed-frame", `a ${response.type} as an answer`), true);
  }

  private fail(call: AppendCall, error: LogError, turn: Turn): void {
    if (call.state === "live") turn.out.push({ type: "failed", call: call.call, error });
    this.queue.remove(call);
  }

  private drained(turn: Turn): void {
    const { pendingAppendsMax, pendingBytesMax } = this.config;
    if (
      !this.drainWanted ||
      this.queue.size * 2 > pendingAppendsMax ||
      this.queue.bytes * 2 > pendingBytesMax
    ) {
      return;
    }
    this.drainWanted = false;
    turn.out.push({ type: "drained" });
  }

  /** @returns whether the call was a pending append. */
  cancel(callNumber: number, error: LogError, turn: Turn): boolean {
    for (let p = this.queue.head; p < this.queue.end; p++) {
      const call = this.queue.at(p);
      if (call.call !== callNumber || call.state !== "live") continue;
      this.giveUp(p, error, turn);
      this.binding.dropKept();
      this.drained(turn);
      return true;
    }
    return false;
  }

  /** The caller waits no longer. `error` is the last word if the append surely had no effect. */
  private giveUp(position: number, error: LogError, turn: Turn): void {
    const call = this.queue.at(position);
    if (call.open === 0 && !call.uncertain) {
      this.fail(call, error, turn);
      // Its sequence stays empty for ever, so nothing behind it can enter the log under this session.
      if (call.sequence !== 0) this.binding.unbindFrom(position + 1);
      return;
    }
    const unknown = unknownOutcome(error.message, error);
    if (!this.config.sessions) {
      this.fail(call, unknown, turn);
      return;
    }
    turn.out.push({ type: "failed", call: call.call, error: unknown });
    call.state = "kept";
  }

  failAll(error: LogError, turn: Turn): void {
    for (let p = this.queue.head; p < this.queue.end; p++) {
      const call = this.queue.at(p);
      const certain = call.open === 0 && !call.uncertain;
      if (call.state !== "gone")
        this.fail(call, certain ? error : unknownOutcome(error.message, error), turn);
    }
    this.binding.retire();
    this.drained(turn);
  }

  expire(turn: Turn): void {
    if (turn.now < this.earliest) return;
    this.earliest = Number.POSITIVE_INFINITY;
    for (let p = this.queue.head; p < this.queue.end; p++) {
      const call = this.queue.at(p);
      if (call.state !== "live") continue;
      if (turn.now >= call.deadline) this.giveUp(p, appendTimedOut(this.router.lastError), turn);
      else this.earliest = Math.min(this.earliest, call.deadline);
    }
    this.binding.dropKept();
    this.drained(turn);
  }

  deadline(now: Micros): Micros {
    const retry =
      this.cursor < this.queue.end && this.retryAt > now ? this.retryAt : Number.POSITIVE_INFINITY;
    return Math.min(this.earliest, retry);
  }
}

/** Refusals of a leader that goes on leading, or is about to say who does. */
function staysWithLeader(fault: Fault): boolean {
  switch (fault.code) {
    case "leader-not-ready":
    case "leader-transferring":
    case "pending-full":
    case "sequence-gap":
    case "disk-full":
    case "read-only":
      return true;
    default:
      return false;
  }
}

export function unknownOutcome(message: string, cause?: LogError): LogError {
  return new LogError("outcome-unknown", `the append may or may not be in the log: ${message}`, { cause });
}

function bytesOf(bodies: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const body of bodies) bytes += body.length;
  return bytes;
}

type SizeLimits = Pick<ServerLimits, "entryBodyBytesMax" | "appendEntriesMax" | "appendBytesMax">;

function tooLarge(bodies: readonly Uint8Array[], bytes: number, limits: SizeLimits): LogError | undefined {
  if (bodies.length === 0) return new LogError("malformed-frame", "an append without an entry");
  for (const body of bodies) {
    if (body.length <= limits.entryBodyBytesMax) continue;
    const text = `an entry of ${body.length} bytes, where ${limits.entryBodyBytesMax} are allowed`;
    return new LogError("entry-too-large", text);
  }
  if (bodies.length <= limits.appendEntriesMax && bytes <= limits.appendBytesMax) return undefined;
  const text = `${bodies.length} entries of ${bytes} bytes, where ${limits.appendEntriesMax} of ${limits.appendBytesMax} are allowed`;
  return new LogError("batch-too-large", text);
}
