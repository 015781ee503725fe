import { createHash, randomBytes } from "node:crypto";
import type { Random } from "../core/io/random.ts";

/** Streams are named by code, not by input; more than this many is a leak. */
const streamsMax = 4_096;

/** Chance seeded once, from the host's entropy, and drawn by name as everywhere: (stream, key) gives one number. */
export class SeededRandom implements Random {
  private readonly seed: Uint8Array;
  private readonly streams = new Map<string, Uint32Array>();

  /** @param seed 16 bytes or more; from the host's entropy unless given. */
  constructor(seed: Uint8Array = randomBytes(16)) {
    this.seed = seed;
  }

  draw(stream: string, key: number): number {
    let words = this.streams.get(stream);
    if (words === undefined) {
      words = streamKey(this.seed, stream);
      if (this.streams.size >= streamsMax) this.streams.clear();
      this.streams.set(stream, words);
    }
    return mix(words, key);
  }
}

function streamKey(seed: Uint8Array, stream: string): Uint32Array {
  const digest = createHash("sha256").update(seed).update(stream).digest();
  const words = new Uint32Array(4);
  for (let i = 0; i < 4; i++) words[i] = digest.readUInt32LE(i * 4);
  return words;
}

/** An integer hash of a 128-bit stream key and a key below 2^53; its finisher is murmur3's. */
function mix(words: Uint32Array, key: number): number {
  let hash = words[0] as number;
  hash = round(hash, (words[1] as number) ^ (key >>> 0));
  hash = round(hash, (words[2] as number) ^ Math.floor(key / 0x1_0000_0000));
  hash = round(hash, words[3] as number);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function round(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e_2d51);
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b87_3593);
  const joined = hash ^ mixed;
  return (Math.imul((joined << 13) | (joined >>> 19), 5) + 0xe654_6b64) | 0;
}
