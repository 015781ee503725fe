import type { Micros } from "../core/base/units.ts";
import type { RandomStream } from "./random.ts";

/**
 * One thing that chance decided against the default: message 17 from n1 to n3 was lost, n2 crashed. `kind` and `key`
 * name it for ever; `value` says how where there is more than one way. `at` is for the reader, replay ignores it.
 */
export interface Decision {
  readonly kind: string;
  readonly key: string;
  readonly value?: number | string;
  readonly at?: Micros;
}

/** Told of every decision when it is made. */
export type DecisionListener = (decision: Decision, node: string) => void;

/**
 * Every fault of a run passes through here, so that the list of decisions is the run. In a replay the list decides and
 * chance does not: an entry taken out of the list simply does not happen, and no other decision moves.
 */
export class Decisions {
  readonly made: Decision[] = [];
  private readonly replayed: ReadonlyMap<string, ReadonlyMap<string, number | string>> | undefined;
  private readonly now: () => Micros;
  private readonly listener: DecisionListener;
  private readonly recording: boolean;

  constructor(options: {
    readonly now: () => Micros;
    readonly listener: DecisionListener;
    /** Keeps the list in `made`. */
    readonly recording: boolean;
    readonly replay: readonly Decision[] | undefined;
  }) {
    this.now = options.now;
    this.listener = options.listener;
    this.recording = options.recording;
    this.replayed = options.replay === undefined ? undefined : byKindAndKey(options.replay);
  }

  get replaying(): boolean {
    return this.replayed !== undefined;
  }

  /** Decisions of one kind about one subject (a link, a node's disk), told apart by number. */
  site(kind: string, subject: string, node: string, stream: RandomStream): Site {
    return new Site(this, { kind, subject, node }, stream, this.replayed?.get(kind));
  }

  /**
   * A decision of its own: `draw` gives the value, or undefined for the default. What comes of it is told to the trace
   * by whoever carries it out.
   */
  decide(
    fault: { readonly kind: string; readonly key: string },
    draw: () => string | undefined,
  ): string | undefined {
    const { kind, key } = fault;
    const value = this.replayed === undefined ? draw() : this.replayed.get(kind)?.get(key)?.toString();
    if (value !== undefined && this.recording) this.made.push({ kind, key, value, at: this.now() });
    return value;
  }

  record(kind: string, key: string, value: number, node: string): void {
    const at = this.now();
    const decision: Decision = value === 1 ? { kind, key, at } : { kind, key, value, at };
    if (this.recording) this.made.push(decision);
    this.listener(decision, node);
  }
}

function byKindAndKey(list: readonly Decision[]): Map<string, Map<string, number | string>> {
  const kinds = new Map<string, Map<string, number | string>>();
  for (const { kind, key, value } of list) {
    let keys = kinds.get(kind);
    if (keys === undefined) {
      keys = new Map();
      kinds.set(kind, keys);
    }
    keys.set(key, value ?? 1);
  }
  return kinds;
}

export class Site {
  private readonly decisions: Decisions;
  private readonly name: { readonly kind: string; readonly subject: string; readonly node: string };
  private readonly stream: RandomStream;
  private readonly replayed: ReadonlyMap<string, number | string> | undefined;

  constructor(
    decisions: Decisions,
    name: { readonly kind: string; readonly subject: string; readonly node: string },
    stream: RandomStream,
    replayed: ReadonlyMap<string, number | string> | undefined,
  ) {
    this.decisions = decisions;
    this.name = name;
    this.stream = stream;
    this.replayed = replayed;
  }

  /**
   * Whether decision `n` of this site goes against the default.
   * @param probability in [0, 1]; compared as an integer of 32 bits.
   */
  chance(n: number, probability: number): boolean {
    if (!this.decisions.replaying) {
      // The text of the key is built only for what happens.
      if (probability <= 0 || this.stream.draw(n) >= probability * 0x1_0000_0000) return false;
    } else if (this.replayed?.has(`${this.name.subject}#${n}`) !== true) return false;
    this.decisions.record(this.name.kind, `${this.name.subject}#${n}`, 1, this.name.node);
    return true;
  }

  /** What `value` would say, without deciding anything: whether it is worth looking if the fault is possible now. */
  would(n: number, probability: number): boolean {
    if (this.decisions.replaying) return this.replayed?.has(`${this.name.subject}#${n}`) === true;
    return probability > 0 && this.stream.draw(n * 2) < probability * 0x1_0000_0000;
  }

  /** Like `chance`, with a value of [1, high] when it happens; 0 when it does not. */
  value(n: number, probability: number, high: number): number {
    let value: number;
    if (!this.decisions.replaying) {
      if (probability <= 0 || this.stream.draw(n * 2) >= probability * 0x1_0000_0000) return 0;
      value = this.stream.between(n * 2 + 1, 1, Math.max(1, high));
    } else {
      value = Number(this.replayed?.get(`${this.name.subject}#${n}`) ?? 0);
      if (value === 0) return 0;
    }
    this.decisions.record(this.name.kind, `${this.name.subject}#${n}`, value, this.name.node);
    return value;
  }
}
