import { required } from "../base/assert.ts";
import type { Micros } from "../base/units.ts";

/** One append call, from the caller to its last word. */
export interface AppendCall {
  readonly call: number;
  readonly bodies: readonly Uint8Array[];
  readonly bytes: number;
  readonly deadline: Micros;
  /** The sequence of its first body within the session; 0 while it is bound to none. */
  sequence: number;
  /** Attempts under way: sent, with no answer yet. */
  open: number;
  /** Whether an attempt ended without saying that it had no effect: the append may be in the log, or come there yet. */
  uncertain: boolean;
  /**
   * - `live`: the caller waits.
   * - `kept`: the caller was told `outcome-unknown`, but appends behind it need its sequence settled.
   * - `gone`: nothing is left to do.
   */
  state: "live" | "kept" | "gone";
}

const goneCall: AppendCall = Object.freeze({
  call: 0,
  bodies: [],
  bytes: 0,
  deadline: 0,
  sequence: 0,
  open: 0,
  uncertain: false,
  state: "gone",
});

/** Append calls in the order they were made. A position counts calls from the first one ever and never changes. */
export class AppendQueue {
  private calls: AppendCall[] = [];
  /** The position of calls[0]. */
  private base = 0;
  /** The first position that is not gone. */
  private first = 0;
  /** Calls that are not gone, and the bytes of their bodies. */
  size = 0;
  bytes = 0;

  get head(): number {
    return this.first;
  }

  get end(): number {
    return this.base + this.calls.length;
  }

  /** The call at a position before `end`; any position that was cut off gives a call that is gone. */
  at(position: number): AppendCall {
    if (position < this.base) return goneCall;
    return required(this.calls[position - this.base], "a position lies within the queue");
  }

  push(call: AppendCall): void {
    this.calls.push(call);
    this.size += 1;
    this.bytes += call.bytes;
  }

  /** Lets a call go; it is skipped from here on. */
  remove(call: AppendCall): void {
    if (call.state === "gone") return;
    call.state = "gone";
    this.size -= 1;
    this.bytes -= call.bytes;
    while (this.first < this.end && this.at(this.first).state === "gone") this.first += 1;
    // What is gone is cut off once it is half of the array, so each call is moved once on average.
    const spent = this.first - this.base;
    if (spent < 64 || spent * 2 < this.calls.length) return;
    this.calls = this.calls.slice(spent);
    this.base = this.first;
  }
}
