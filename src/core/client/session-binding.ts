import type { AppendCall, AppendQueue } from "./append-queue.ts";
import type { Turn } from "./client-event.ts";

/** What the binding tells the appender. */
export interface BindingEvents {
  /** The call may or may not be in the log, and the session that could tell is gone. */
  lost(call: AppendCall, turn: Turn): void;
  /** Calls from this position on have no sequence any more and are to be sent again. */
  unbound(from: number): void;
}

/**
 * Which calls of the queue hold sequences of the client's session: always those in front, from the head to `boundEnd`.
 *
 * A session's entries enter the log in the order of their sequences without a gap. So if one append surely never
 * entered the log and will not be sent again, nothing behind it entered or ever will: the calls behind may move to
 * another session, even those whose answers were lost. That is the only way a call leaves a session alive.
 * Source: dissertation §6.3; what is to become of a client whose session expired is left open there, and here it is
 * told `outcome-unknown` for what may have been applied, and nothing is lost or doubled of the rest.
 */
export class SessionBinding {
  private readonly queue: AppendQueue;
  private readonly events: BindingEvents;
  /** 0 before the first append, and between two sessions. */
  session = 0;
  /** The cluster does not know the session any more: nothing is sent under it again. */
  expired = false;
  private opening = false;
  /** No further call is bound to this session. */
  private retired = false;
  private nextSequence = 1;
  private boundEnd = 0;

  constructor(queue: AppendQueue, events: BindingEvents) {
    this.queue = queue;
    this.events = events;
  }

  /** Whether there is a session to send under. A retired one ends with the last call that is bound to it. */
  ready(): boolean {
    if (this.retired && this.queue.head >= this.boundEnd) {
      this.session = 0;
      this.retired = false;
      this.expired = false;
    }
    return this.session !== 0;
  }

  /** @returns false when an opening is under way already. */
  beginOpening(): boolean {
    if (this.opening) return false;
    this.opening = true;
    return true;
  }

  /** @param session 0 when the opening failed. */
  endOpening(session: number): void {
    this.opening = false;
    if (session === 0) return;
    this.session = session;
    this.nextSequence = 1;
    this.boundEnd = this.queue.head;
  }

  /**
   * Gives the call at `position` its sequence, unless it has one.
   * @param follow the sequence that it must have to travel behind the calls before it; undefined when it comes first.
   * @returns false when it may not be sent now, or not in the same frame.
   */
  take(position: number, inFlightMax: number, follow: number | undefined): boolean {
    if (this.expired) return false;
    const call = this.queue.at(position);
    if (call.sequence !== 0) return follow === undefined || follow === call.sequence;
    if (this.retired) return false;
    const head = this.queue.head;
    const oldest = head < this.boundEnd ? this.queue.at(head).sequence : this.nextSequence;
    // The nodes keep the indexes of this many sequences: whatever is unanswered stays among them.
    if (this.nextSequence + call.bodies.length - oldest > inFlightMax) return false;
    if (follow !== undefined && follow !== this.nextSequence) return false;
    call.sequence = this.nextSequence;
    this.nextSequence += call.bodies.length;
    this.boundEnd = position + 1;
    return true;
  }

  /** Moves the calls from a position on out of the session: they surely are not in the log. See the class. */
  unbindFrom(position: number): void {
    for (let p = Math.max(position, this.queue.head); p < this.boundEnd; p++) {
      const call = this.queue.at(p);
      if (call.state === "gone") continue;
      if (call.state === "kept") this.queue.remove(call);
      call.sequence = 0;
      call.open = 0;
      call.uncertain = false;
    }
    this.retired = true;
    this.boundEnd = Math.min(this.boundEnd, position);
    this.events.unbound(position);
  }

  /** All its calls were let go, some of them unanswered: their sequences may stay empty for ever. */
  retire(): void {
    this.retired = true;
  }

  /** The session is of no more use: its calls are settled as their attempts end. */
  expire(turn: Turn): void {
    this.expired = true;
    this.retired = true;
    this.settle(turn);
  }

  /** Under an expired session: calls without an attempt under way are lost, or move on if they surely had no effect. */
  settle(turn: Turn): void {
    if (!this.expired) {
      this.dropKept();
      return;
    }
    for (let p = this.queue.head; p < this.boundEnd; p++) {
      const call = this.queue.at(p);
      if (call.state === "gone" || call.open > 0) continue;
      if (call.uncertain) this.events.lost(call, turn);
      else {
        this.unbindFrom(p);
        return;
      }
    }
  }

  /** Lets kept calls go once no live one is bound behind or before them, and the session with them: it has a hole now. */
  dropKept(): void {
    let kept = false;
    for (let p = this.queue.head; p < this.boundEnd; p++) {
      const state = this.queue.at(p).state;
      if (state === "live") return;
      kept ||= state === "kept";
    }
    if (!kept) return;
    for (let p = this.queue.head; p < this.boundEnd; p++) this.queue.remove(this.queue.at(p));
    this.retired = true;
  }
}
