import seedrandom from "seedrandom";
import type { Random } from "../core/io/random.ts";

/** Chance of one stream: `draw(key)` depends on seed, stream name and key only. */
export class RandomStream {
  private readonly k0: number;
  private readonly k1: number;
  private readonly k2: number;
  private readonly k3: number;

  constructor(k0: number, k1: number, k2: number, k3: number) {
    this.k0 = k0;
    this.k1 = k1;
    this.k2 = k2;
    this.k3 = k3;
  }

  /** @returns an integer in [0, 2^32), a hash of the stream's 128-bit key and `key` (an integer in [0, 2^53)). */
  draw(key: number): number {
    const low = key | 0;
    const high = ((key - (key >>> 0)) / 0x1_0000_0000) | 0;
    let h = Math.imul(low ^ this.k0, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 16) ^ this.k1, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13) ^ this.k2 ^ high, 0xc2b2ae35);
    h = Math.imul(h ^ (h >>> 16) ^ this.k3, 0x27d4eb2f);
    h ^= h >>> 15;
    h = Math.imul(h, 0x2c1b3c6d);
    return (h ^ (h >>> 14)) >>> 0;
  }

  /** Maps a draw onto the integers of [low, high]. */
  between(key: number, low: number, high: number): number {
    return high <= low ? low : low + (this.draw(key) % (high - low + 1));
  }
}

/**
 * All the chance of one run. seedrandom makes each stream's key, once; no draw ever shifts another, so a fault can be
 * taken out of a run and the rest stays as it was.
 */
export class SeededRandom implements Random {
  private readonly seed: number;
  private readonly streams = new Map<string, RandomStream>();

  constructor(seed: number) {
    this.seed = seed;
  }

  /** The world's streams are "topology", "workload", "network(n1>n2).loss", "disk(n1)", "schedule", ... */
  stream(name: string): RandomStream {
    let stream = this.streams.get(name);
    if (stream === undefined) {
      // Alea takes its text as the whole seed: no entropy, nothing global.
      const generator = seedrandom.alea(`${this.seed}/${name}`);
      stream = new RandomStream(generator.int32(), generator.int32(), generator.int32(), generator.int32());
      this.streams.set(name, stream);
    }
    return stream;
  }

  draw(stream: string, key: number): number {
    return this.stream(stream).draw(key);
  }
}

/** The random port of one node or client: its streams are its own. */
export class HostRandom implements Random {
  private readonly random: SeededRandom;
  private readonly host: string;
  private readonly streams = new Map<string, RandomStream>();

  constructor(random: SeededRandom, host: string) {
    this.random = random;
    this.host = host;
  }

  draw(stream: string, key: number): number {
    let found = this.streams.get(stream);
    if (found === undefined) {
      found = this.random.stream(`${this.host}:${stream}`);
      this.streams.set(stream, found);
    }
    return found.draw(key);
  }
}
