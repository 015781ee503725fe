import { assert } from "../core/base/assert.ts";
import type { Micros } from "../core/base/units.ts";
import type { HeapHandle } from "./event-heap.ts";
import { EventHeap } from "./event-heap.ts";
import type { SimProcess } from "./process.ts";
import type { TraceHash } from "./trace-hash.ts";

/** Kinds of scheduler events, as the trace hash and the determinism report name them. Numbers never change meaning. */
export const eventKinds = {
  world: 1,
  timer: 2,
  soon: 3,
  connect: 4,
  opened: 5,
  frame: 6,
  drained: 7,
  closed: 8,
  listening: 9,
  disk: 10,
  duplicate: 11,
  silence: 12,
} as const;
export type EventKind = (typeof eventKinds)[keyof typeof eventKinds];

/**
 * Among events of one instant, input comes before the ends of batches and these before timers: a due timer fires only
 * after the input that was pending.
 */
export const turnInput = 0;
export const turnSoon = 1;
export const turnTimer = 2;
const turnStride = 2 ** 50;

/** One thing that happens. `life` -1 stands for an event that outlives the crash of its process (a frame on the wire). */
export interface SimEvent {
  readonly kind: EventKind;
  readonly turn: number;
  readonly host: SimProcess | undefined;
  readonly life: number;
  readonly digest: number;
  readonly target: EventTarget;
  readonly subject: unknown;
}

export interface EventTarget {
  fire(event: SimEvent): void;
}

class CallTarget implements EventTarget {
  fire(event: SimEvent): void {
    (event.subject as () => void)();
  }
}
const callTarget = new CallTarget();

/** An event that calls `run`. */
export function callEvent(
  kind: EventKind,
  turn: number,
  host: SimProcess | undefined,
  digest: number,
  run: () => void,
): SimEvent {
  return {
    kind,
    turn,
    host,
    life: host === undefined ? -1 : host.life,
    digest,
    target: callTarget,
    subject: run,
  };
}

/** Why the processing loop returned. */
export type Stop = "idle" | "until" | "slice" | "stopped" | "stuck";

/** Events at one instant beyond this mean that time has stopped moving. */
export const eventsAtOneInstantMax = 1_000_000;

/** Virtual time and everything that is going to happen. Idle time costs nothing. */
export class Scheduler {
  /** The instant of the current event. */
  now: Micros = 0;
  /** Events carried out; stale ones (of an earlier life) do not count. */
  events = 0;
  private readonly heap = new EventHeap<SimEvent>();
  private sequence = 0;
  private stopping = false;
  private instantEvents = 0;
  private readonly hash: TraceHash;
  /** The event that is being carried out. */
  current: SimEvent | undefined;

  constructor(hash: TraceHash) {
    this.hash = hash;
  }

  get waiting(): number {
    return this.heap.size;
  }

  schedule(at: Micros, event: SimEvent): HeapHandle {
    assert(at >= this.now, "nothing is scheduled in the past");
    this.sequence += 1;
    return this.heap.push(at, event.turn * turnStride + this.sequence, event);
  }

  /** Calls `run` at `at`, whatever happens to any process. */
  call(at: Micros, run: () => void): HeapHandle {
    return this.schedule(at, callEvent(eventKinds.world, turnInput, undefined, 0, run));
  }

  cancel(handle: HeapHandle): void {
    this.heap.cancel(handle);
  }

  /** Ends the loop after the current event. */
  stop(): void {
    this.stopping = true;
  }

  /**
   * Carries out events up to and including those of `until`, at most `eventsMax` of them.
   * What an event throws leaves through here; `current` is then the event that threw.
   */
  run(until: Micros, eventsMax: number = Number.POSITIVE_INFINITY): Stop {
    const { heap, hash } = this;
    let left = eventsMax;
    while (!this.stopping) {
      if (left <= 0) return "slice";
      const next = heap.nextTime();
      if (next > until) {
        if (until < Number.POSITIVE_INFINITY) this.now = until;
        return next === Number.POSITIVE_INFINITY ? "idle" : "until";
      }
      const event = heap.pop() as SimEvent;
      if (next !== this.now) {
        this.now = next;
        this.instantEvents = 0;
      }
      const { host } = event;
      if (host !== undefined) {
        if (event.life >= 0 && event.life !== host.life) continue;
        if (host.paused) {
          host.held.push(event);
          continue;
        }
      }
      this.events += 1;
      left -= 1;
      if (++this.instantEvents > eventsAtOneInstantMax) return "stuck";
      hash.add(next, host === undefined ? -1 : host.index, event.kind, event.digest);
      this.current = event;
      event.target.fire(event);
      if (host !== undefined && host.turnsLeft > 0) host.turnDone();
    }
    return "stopped";
  }
}
