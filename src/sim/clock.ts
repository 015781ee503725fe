import type { Micros } from "../core/base/units.ts";
import type { Clock, Timer } from "../core/io/clock.ts";
import type { HeapHandle } from "./event-heap.ts";
import { EventHeap, noHandle } from "./event-heap.ts";
import type { SimProcess } from "./process.ts";
import type { EventTarget, Scheduler, SimEvent } from "./scheduler.ts";
import { callEvent, eventKinds, turnSoon, turnTimer } from "./scheduler.ts";

const parts = 1_000_000;

class SimTimer implements Timer {
  readonly deadline: Micros;
  readonly fire: () => void;
  private readonly timers: EventHeap<SimTimer>;
  handle: HeapHandle = noHandle;

  constructor(deadline: Micros, fire: () => void, timers: EventHeap<SimTimer>) {
    this.deadline = deadline;
    this.fire = fire;
    this.timers = timers;
  }

  cancel(): void {
    this.timers.cancel(this.handle);
  }
}

export interface ClockStart {
  /** The monotonic clock's value at the start of the process; each life has another. */
  readonly monotonic: Micros;
  readonly wall: Micros;
  /** How much faster (or, negative, slower) than true time it runs, in parts per million. */
  readonly driftPpm: number;
}

/** A process's clock for one life. Its timers wait in a heap of their own; the scheduler knows only the earliest. */
export class SimClock implements Clock, EventTarget {
  private readonly scheduler: Scheduler;
  private readonly host: SimProcess;
  private readonly life: number;
  private readonly timers = new EventHeap<SimTimer>();
  private armings = 0;
  /** The deadline that the scheduler knows, and its event. */
  private armedFor: Micros = Number.POSITIVE_INFINITY;
  private armed: HeapHandle = noHandle;
  private firing = false;
  // monotonic = base + (now - anchor) * rate / parts
  private base: Micros;
  private anchor: Micros;
  private rate: number;
  private wallOffset: Micros;

  constructor(scheduler: Scheduler, host: SimProcess, start: ClockStart) {
    this.scheduler = scheduler;
    this.host = host;
    this.life = host.life;
    this.base = start.monotonic;
    this.anchor = scheduler.now;
    this.rate = parts + start.driftPpm;
    this.wallOffset = start.wall - start.monotonic;
  }

  monotonic(): Micros {
    const elapsed = this.scheduler.now - this.anchor;
    return this.base + (this.rate === parts ? elapsed : Math.floor((elapsed * this.rate) / parts));
  }

  wall(): Micros {
    return this.monotonic() + this.wallOffset;
  }

  at(deadline: Micros, fire: () => void): Timer {
    const timer = new SimTimer(deadline, fire, this.timers);
    timer.handle = this.timers.push(deadline, ++this.armings, timer);
    if (!this.firing && deadline < this.armedFor) this.arm();
    return timer;
  }

  soon(fire: () => void): void {
    const { scheduler, host } = this;
    if (host.life !== this.life) return;
    scheduler.schedule(scheduler.now, callEvent(eventKinds.soon, turnSoon, host, 0, fire));
  }

  /** The wall clock jumps; monotonic time and timers do not. */
  jumpWall(by: Micros): void {
    this.wallOffset += by;
  }

  /** From now on the clock runs at another rate. */
  setDrift(driftPpm: number): void {
    this.base = this.monotonic();
    this.anchor = this.scheduler.now;
    this.rate = parts + driftPpm;
    // The earliest timer stays the same; when it is due does not.
    this.armedFor = Number.NaN;
    this.arm();
  }

  /** The scheduler's call: the earliest timer is due. Fires one, so each has a turn of its own. */
  fire(_event: SimEvent): void {
    this.armed = noHandle;
    this.armedFor = Number.POSITIVE_INFINITY;
    this.firing = true;
    if (this.timers.nextTime() <= this.monotonic()) {
      const timer = this.timers.pop() as SimTimer;
      timer.fire();
    }
    this.firing = false;
    this.arm();
  }

  private arm(): void {
    const deadline = this.timers.nextTime();
    if (this.host.life !== this.life || deadline === this.armedFor) return;
    this.scheduler.cancel(this.armed);
    this.armed = noHandle;
    this.armedFor = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    const { scheduler, host } = this;
    this.armed = scheduler.schedule(Math.max(scheduler.now, this.trueTimeOf(deadline)), {
      kind: eventKinds.timer,
      turn: turnTimer,
      host,
      life: this.life,
      digest: deadline | 0,
      target: this,
      subject: undefined,
    });
  }

  /** The first instant at which this clock shows `deadline` or more. */
  private trueTimeOf(deadline: Micros): Micros {
    const wanted = deadline - this.base;
    if (this.rate === parts) return this.anchor + wanted;
    let elapsed = Math.ceil((wanted * parts) / this.rate);
    while (elapsed > 0 && Math.floor(((elapsed - 1) * this.rate) / parts) >= wanted) elapsed -= 1;
    while (Math.floor((elapsed * this.rate) / parts) < wanted) elapsed += 1;
    return this.anchor + elapsed;
  }
}
