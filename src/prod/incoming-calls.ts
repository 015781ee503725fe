import type { IncomingBudget } from "./frame-socket.ts";

/** In front of each message: whether it is compressed, and its length in 32 bits (big-endian). */
const headerBytes = 5;
/** What a piece and a message take beside their bytes: many that are empty would be no burden otherwise. */
const pieceCost = 256;
const messageCost = 512;
/** Costs of messages that were taken are kept up to so many, or as many as wait. */
const keptMax = 1_024;

/**
 * What one call has sent and nobody has taken yet. It counts from the moment that the bytes are there, wherever they
 * wait then: for the rest of their message, in gRPC's queue, or for the end of the call.
 */
export class IncomingCall {
  private readonly budget: IncomingBudget;
  private readonly refuse: () => void;
  private readonly ended: () => void;
  private readonly now: () => number;
  private over = false;
  private held = 0;
  /** What the whole messages cost, in order; those before `next` were taken. */
  private whole: number[] = [];
  private next = 0;
  /** What the last message costs as far as it is there, and how it goes on. */
  private partial = 0;
  private header = 0;
  private length = 0;
  private missing = 0;
  private since = 0;

  constructor(budget: IncomingBudget, now: () => number, refuse: () => void, ended: () => void) {
    this.budget = budget;
    this.now = now;
    this.refuse = refuse;
    this.ended = ended;
  }

  /** @returns whether there was room for a piece; without, the call is refused, and nothing of it is kept. */
  take(piece: Uint8Array): boolean {
    // What comes behind the end of a call is thrown away as it comes.
    if (this.over) return true;
    if (this.held === 0) this.since = this.now();
    const cost = this.parse(piece);
    if (this.budget.take(cost)) {
      this.held += cost;
      return true;
    }
    this.giveUp();
    return false;
  }

  /** Somebody took the oldest message. */
  taken(): void {
    const cost = this.whole[this.next];
    if (this.over || cost === undefined) return;
    this.next += 1;
    // On a call that goes on for long the next message has mostly come before the last one is taken.
    if (this.next === this.whole.length || (this.next >= keptMax && this.next * 2 >= this.whole.length)) {
      this.whole = this.whole.slice(this.next);
      this.next = 0;
    }
    this.give(cost);
    this.since = this.now();
  }

  /** Somebody took all there is: it is a call of one message. */
  takenAll(): void {
    while (this.whole.length > 0 && !this.over) this.taken();
  }

  /** The call is over: what it sent is nobody's. */
  end(): void {
    if (this.over) return;
    this.give(this.held);
    this.over = true;
    this.ended();
  }

  /** Ends a call that holds something and goes no further. */
  sweep(before: number): void {
    if (this.held > 0 && this.since < before) this.giveUp();
  }

  private giveUp(): void {
    this.end();
    this.refuse();
  }

  private give(cost: number): void {
    this.held -= cost;
    this.budget.give(cost);
  }

  /** @returns what the piece costs, with the messages that begin in it. */
  private parse(piece: Uint8Array): number {
    let cost = pieceCost;
    this.partial += pieceCost;
    let at = 0;
    while (at < piece.length) {
      if (this.header < headerBytes) {
        if (this.header === 0) {
          cost += messageCost;
          this.partial += messageCost;
        } else this.length = this.length * 256 + (piece[at] as number);
        at += 1;
        cost += 1;
        this.partial += 1;
        this.header += 1;
        if (this.header === headerBytes) this.missing = this.length;
      } else {
        const some = Math.min(piece.length - at, this.missing);
        at += some;
        cost += some;
        this.partial += some;
        this.missing -= some;
      }
      if (this.header === headerBytes && this.missing === 0) this.finish();
    }
    return cost;
  }

  private finish(): void {
    this.whole.push(this.partial);
    this.partial = 0;
    this.header = 0;
    this.length = 0;
  }
}

/** The calls of a port, and the memory for what they have sent and nobody has taken yet. */
export class IncomingCalls {
  private readonly budget: IncomingBudget;
  private readonly now: () => number;
  private readonly calls = new Set<IncomingCall>();

  /** @param now milliseconds, from an arbitrary origin. */
  constructor(budget: IncomingBudget, now: () => number) {
    this.budget = budget;
    this.now = now;
  }

  get size(): number {
    return this.calls.size;
  }

  /** @param refuse is called when the call sends more than there is room for, or goes no further. */
  begin(refuse: () => void): IncomingCall {
    const call = new IncomingCall(this.budget, this.now, refuse, () => this.calls.delete(call));
    this.calls.add(call);
    return call;
  }

  /** Ends the calls that hold something of which nobody has taken anything for so long. */
  sweep(milliseconds: number): void {
    const before = this.now() - milliseconds;
    for (const call of [...this.calls]) call.sweep(before);
  }
}
