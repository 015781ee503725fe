import { entryBodyBytesMax } from "../base/entry.ts";
import { mebibyte } from "../base/units.ts";
import type { Clock } from "../io/clock.ts";

/** Entries that are given to clients in one turn; more would keep heartbeats waiting, and a leader would be deposed. */
const turnBytesMax = mebibyte;

/** Reads of one client that wait for the disk; further ones wait for these. */
const loadsMax = 4;
/** An answer may hold one entry of the largest size; what is being read should fit twice among the unread answers. */
const loadBytes = 2 * entryBodyBytesMax;

/** Reads of one client that may be fetched at the same time, for one that may leave so many bytes of answers unread. */
export function loadsWithin(answerBytesMax: number): number {
  return Math.min(loadsMax, Math.max(1, Math.floor(answerBytesMax / loadBytes)));
}

/** Decides when entries are fetched. */
export interface ReadGate {
  /** Calls `load` now or later, which calls `loaded` once what it fetched has been answered. */
  admit(load: (loaded: () => void) => void): void;
}

/** For whoever paces his reads himself. */
export const openGate: ReadGate = { admit: (load) => load(() => undefined) };

/** What all clients of a node read in one turn, together: who finds it spent goes on in a later one, each in his turn. */
export class ReadTurns {
  private readonly clock: Clock;
  private spent = 0;
  private scheduled = false;
  private readonly waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get hasRoom(): boolean {
    return this.spent < turnBytesMax;
  }

  /** Nothing gives it back but a new turn, which begins once somebody waits for it. */
  spend(bytes: number): void {
    this.spent += bytes;
  }

  /** Calls `go`, once, in a later turn. */
  wait(go: () => void): void {
    this.waiting.push(go);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.soon(() => {
      this.scheduled = false;
      this.spent = 0;
      // Who waits again does so behind the others.
      for (let left = this.waiting.length; left > 0 && this.hasRoom; left--) this.waiting.shift()?.();
      if (this.waiting.length > 0) this.schedule();
    });
  }
}

export interface PaceOptions {
  readonly turns: ReadTurns;
  /** Entries that are fetched at the same time, for they come from the disk. */
  readonly loadsMax: number;
  /** Whether the client's connection takes more answers now. */
  takesMore(): boolean;
}

/**
 * The reads of one client: as long as it has not read what it was answered, and beyond what a turn may give, further
 * entries are not even fetched. Whoever pipelines reads so pays in time, and neither in this node's memory nor in its
 * heartbeats.
 */
export class ReadPace implements ReadGate {
  private readonly options: PaceOptions;
  private readonly parked: ((loaded: () => void) => void)[] = [];
  private loading = 0;
  private pumping = false;
  private waits = false;

  constructor(options: PaceOptions) {
    this.options = options;
  }

  admit(load: (loaded: () => void) => void): void {
    this.parked.push(load);
    this.pump();
  }

  /** Something may have changed: the connection has room again, or a read was answered. */
  pump(): void {
    // What is in memory is answered within `load`, which comes here again.
    if (this.pumping || this.waits) return;
    this.pumping = true;
    const { turns, loadsMax } = this.options;
    while (this.parked.length > 0 && this.loading < loadsMax && this.options.takesMore()) {
      if (!turns.hasRoom) {
        this.waits = true;
        turns.wait(() => {
          this.waits = false;
          this.pump();
        });
        break;
      }
      this.loading += 1;
      this.parked.shift()?.(() => {
        this.loading -= 1;
        this.pump();
      });
    }
    this.pumping = false;
  }

  /** Forgets what waits: nobody is there to be answered. */
  clear(): void {
    this.parked.length = 0;
  }
}
