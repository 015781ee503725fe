import type { SimEvent } from "./scheduler.ts";

/**
 * One simulated process, a node's or a client's: a life counts its starts. Everything that completes for a process
 * carries its life, so a late answer from an earlier life never counts.
 */
export class SimProcess {
  /** Position among all processes of the run: nodes first, then clients. */
  readonly index: number;
  readonly id: string;
  /** Starts so far; events of an earlier life are stale. */
  life = 0;
  up = false;
  /** False after a power loss until the restart: a machine that is off refuses nothing, it is silent. */
  machineUp = true;
  paused = false;
  /** What arrived while the process was paused, in order. */
  readonly held: SimEvent[] = [];
  /** Turns until `onTurnsDone` is called: how a crash is put between any two events. 0 when none is planned. */
  turnsLeft = 0;
  onTurnsDone: (() => void) | undefined;

  constructor(index: number, id: string) {
    this.index = index;
    this.id = id;
  }

  turnDone(): void {
    this.turnsLeft -= 1;
    if (this.turnsLeft > 0) return;
    const then = this.onTurnsDone;
    this.onTurnsDone = undefined;
    then?.();
  }
}
