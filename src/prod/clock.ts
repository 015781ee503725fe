import type { Micros } from "../core/base/units.ts";
import type { Clock, Timer } from "../core/io/clock.ts";
import type { Turns } from "./turn.ts";
import { hostMicros } from "./turn.ts";

interface Armed {
  readonly deadline: Micros;
  readonly order: number;
  /** Undefined once cancelled or fired. */
  fire: (() => void) | undefined;
}

/** Dead timers in the heap before it is swept; below this a sweep costs more than it saves. */
const deadTimersMin = 256;
/** Longest host timer: its delay is a 32-bit number of milliseconds. */
const hostDelayMsMax = 2_000_000_000;

/**
 * The host's clocks. Node runs timers before it reads its sockets, so a due timer waits for one pass over pending
 * input: the host timer asks for a `setImmediate`, and between the two the event loop polls.
 */
export class SystemClock implements Clock {
  private readonly turns: Turns;
  private heap: Armed[] = [];
  private armed = 0;
  private dead = 0;
  private host: NodeJS.Timeout | undefined;
  private hostDeadline: Micros = Number.POSITIVE_INFINITY;

  constructor(turns: Turns) {
    this.turns = turns;
  }

  monotonic(): Micros {
    return this.turns.now();
  }

  wall(): Micros {
    return this.turns.wall();
  }

  at(deadline: Micros, fire: () => void): Timer {
    this.armed += 1;
    const timer: Armed = { deadline, order: this.armed, fire };
    push(this.heap, timer);
    this.armHost();
    return { cancel: () => this.cancel(timer) };
  }

  soon(fire: () => void): void {
    setImmediate(() => {
      this.turns.enter();
      fire();
    });
  }

  private cancel(timer: Armed): void {
    if (timer.fire === undefined) return;
    timer.fire = undefined;
    this.dead += 1;
    // Nothing left to wait for must not keep a process alive until the host's timer would have fired.
    if (this.dead === this.heap.length) {
      this.heap = [];
      this.dead = 0;
      clearTimeout(this.host);
      this.hostDeadline = Number.POSITIVE_INFINITY;
      return;
    }
    // Election timers are cancelled far more often than they fire: without a sweep the heap would only grow.
    if (this.dead > deadTimersMin && this.dead * 2 > this.heap.length) {
      const live = this.heap.filter((armed) => armed.fire !== undefined);
      this.heap = [];
      this.dead = 0;
      for (const armed of live) push(this.heap, armed);
    }
  }

  private armHost(): void {
    const first = this.first();
    if (first === undefined || first.deadline >= this.hostDeadline) return;
    clearTimeout(this.host);
    this.hostDeadline = first.deadline;
    const delayMs = Math.ceil((first.deadline - hostMicros()) / 1_000);
    this.host = setTimeout(() => this.hostFired(), Math.min(Math.max(delayMs, 0), hostDelayMsMax));
  }

  private hostFired(): void {
    this.hostDeadline = Number.POSITIVE_INFINITY;
    const due = hostMicros();
    setImmediate(() => this.fireUpTo(due));
  }

  /** Fires what was due before the pass over pending input; what fell due meanwhile waits for a pass of its own. */
  private fireUpTo(due: Micros): void {
    try {
      for (let first = this.first(); first !== undefined && first.deadline <= due; first = this.first()) {
        pop(this.heap);
        const { fire } = first;
        first.fire = undefined;
        this.turns.enter();
        fire?.();
      }
    } finally {
      this.armHost();
    }
  }

  private first(): Armed | undefined {
    for (;;) {
      const first = this.heap[0];
      if (first === undefined || first.fire !== undefined) return first;
      pop(this.heap);
      this.dead -= 1;
    }
  }
}

function before(a: Armed, b: Armed): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}

function push(heap: Armed[], timer: Armed): void {
  let at = heap.length;
  heap.push(timer);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Armed;
    if (!before(timer, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = timer;
}

function pop(heap: Armed[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = at * 2 + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Armed, heap[child] as Armed)) child += 1;
    if (!before(heap[child] as Armed, last)) break;
    heap[at] = heap[child] as Armed;
    at = child;
  }
  heap[at] = last;
}
