import type { Micros } from "../base/units.ts";

/** A timer that was armed; cancelling it twice, or after it fired, does nothing. */
export interface Timer {
  /** From this call on the timer never fires, even when it is already due in this turn. */
  cancel(): void;
}

/**
 * Time. A turn is one callback from any port; `monotonic` and `wall` keep their value for the whole of a turn.
 *
 * - Timers are one-shot, never early, possibly arbitrarily late (a stalled process), and fire in the order of
 *   (deadline, arming).
 * - A timer fires only after the input that was pending when it fell due has been delivered, so a busy node does not
 *   campaign with its leader's heartbeat unread.
 * - `wall` may jump either way. Only retention and display read it.
 */
export interface Clock {
  monotonic(): Micros;
  /** Microseconds since the Unix epoch. */
  wall(): Micros;
  /** Calls `fire` in a turn of its own, at or after `deadline` (of the monotonic clock). */
  at(deadline: Micros, fire: () => void): Timer;
  /** Calls `fire` in a turn of its own, once the input that is already pending has been delivered: the end of a batch. */
  soon(fire: () => void): void;
}
