import type { NodeId } from "../../core/base/brand.ts";
import type { Micros } from "../../core/base/units.ts";
import { kibibyte, millisecond } from "../../core/base/units.ts";
import type { Target } from "../../core/client/client-event.ts";
import type { Random } from "../../core/io/random.ts";
import { between } from "../../core/io/random.ts";

/** More than nodes take of each kind at a time, see `simulatedLimits`. */
const readsMin = 10;
const readsMax = 24;
const tailsMin = 5;
const tailsMax = 12;
const tailsFor: Micros = 1_500 * millisecond;
const appendsMin = 2;
const appendsMax = 4;
const appendBytesMin = 24 * kibibyte;
const appendBytesMax = 88 * kibibyte;
/** Reads, tails, large appends. */
const kinds = 3;
/** Reads of a burst ask so far beyond the end that the answer needs a read index. */
const beyondEnd = 1_000;

/** What a burst asks of its client. */
export interface BurstClient {
  highestIndex(): number;
  nodeAt(draw: number): NodeId;
  get(index: number, target: Target): void;
  append(bytes: number): void;
  /** @returns what ends the tail. */
  tail(from: number, target: Target): () => void;
  after(delay: Micros, act: () => void): void;
}

/** Now and then a client asks for far more at once than a node takes: what is refused comes again by itself. */
export class Bursts {
  private readonly random: Random;
  private readonly every: Micros;
  private readonly client: BurstClient;
  private burst = 0;
  private nextAt: Micros;

  constructor(random: Random, every: Micros, client: BurstClient) {
    this.random = random;
    this.every = every;
    this.client = client;
    this.nextAt = this.gap();
  }

  private draw(place: number): number {
    return this.random.draw("burst", this.burst * 64 + place);
  }

  private gap(): Micros {
    return between(this.draw(0), Math.floor(this.every / 2), Math.floor(this.every * 1.5));
  }

  /** Asks for a burst if it is time for one. */
  take(now: Micros): void {
    if (now < this.nextAt) return;
    this.ask(this.draw(2) % kinds);
    this.nextAt = now + this.gap();
  }

  /** Asks for many reads now, whenever the next burst would have been. */
  reads(): void {
    this.ask(0);
  }

  private ask(kind: number): void {
    const { client } = this;
    const aim = this.draw(1);
    const target: Target = aim % 2 === 0 ? "leader" : { node: client.nodeAt(Math.floor(aim / 2)) };
    const end = client.highestIndex() + 1;
    if (kind === 0) {
      const count = between(this.draw(3), readsMin, readsMax);
      for (let i = 0; i < count; i++) client.get(end + beyondEnd + i, target);
    } else if (kind === 1) this.tails(end, target);
    else {
      const count = between(this.draw(3), appendsMin, appendsMax);
      for (let i = 0; i < count; i++)
        client.append(between(this.draw(4 + i), appendBytesMin, appendBytesMax));
    }
    this.burst += 1;
  }

  /** Half of them wait at the end of the log, the others read all of it. */
  private tails(end: number, target: Target): void {
    const { client } = this;
    const count = between(this.draw(3), tailsMin, tailsMax);
    const from = this.draw(4) % 2 === 0 ? end : this.draw(5) % (end + 1);
    const ends = Array.from({ length: count }, () => client.tail(from, target));
    client.after(tailsFor, () => {
      for (const close of ends) close();
    });
  }
}
