import fc from "fast-check";
import { joined } from "#core/base/bytes";
import { crc32c } from "#core/base/crc32c";
import { Chance } from "../crash/choices.ts";
import type { Decoder } from "./decoder.ts";

const poolSize = 256;
const lengthMax = 4_096;

type Form = "random" | "begun" | "valid" | "changed" | "spliced length" | "spliced" | "resized" | "word";

/** How often each way of making an input is taken, out of 20. */
const forms: readonly (readonly [Form, number])[] = [
  ["random", 2],
  ["begun", 2],
  ["valid", 1],
  ["changed", 5],
  ["spliced length", 4],
  ["spliced", 2],
  ["resized", 2],
  ["word", 2],
];

/** Numbers that lengths and counts go wrong at. */
const extremes: readonly number[] = [
  0, 1, 2, 3, 7, 8, 15, 16, 17, 47, 48, 49, 63, 64, 65, 127, 128, 255, 256, 4_095, 4_096, 65_535, 65_536,
  0x1f_ffff, 0x20_0000, 0x40_0000, 0x40_0001, 0x80_0000, 0xff_ffff, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000,
  0xffff_fffe, 0xffff_ffff,
];

/** Inputs of one decoder and one seed; each is told by its number alone. */
export class Inputs {
  private readonly decoder: Decoder;
  private readonly key: number;
  private readonly pool: readonly Uint8Array[];

  constructor(decoder: Decoder, seed: number) {
    this.decoder = decoder;
    this.key = crc32c(new TextEncoder().encode(`${decoder.name} ${seed}`)) | 0;
    this.pool = fc.sample(decoder.valid, { numRuns: poolSize, seed: this.key });
  }

  at(n: number): Uint8Array {
    const chance = new Chance(this.key ^ Math.imul(n, 0x9e3779b1));
    const form = this.formAt(chance.below(20));
    const input = this.make(form, chance);
    if (this.decoder.seal !== undefined && form !== "random" && chance.below(2) === 0)
      this.decoder.seal(input);
    return input;
  }

  private formAt(roll: number): Form {
    let left = roll;
    for (const [form, share] of forms) {
      if (left < share) return form;
      left -= share;
    }
    return "changed";
  }

  private pick(chance: Chance): Uint8Array {
    return (this.pool[chance.below(this.pool.length)] ?? new Uint8Array(0)).slice();
  }

  private make(form: Form, chance: Chance): Uint8Array {
    switch (form) {
      case "random":
        return noise(chance, chance.below(chance.below(4) === 0 ? lengthMax : 128));
      case "begun": {
        const begun = this.pick(chance);
        fillNoise(begun, chance.below(begun.length + 1), chance);
        return begun;
      }
      case "valid":
        return this.pick(chance);
      case "changed":
        return change(this.pick(chance), chance);
      case "spliced length":
        return spliceLength(this.pick(chance), chance);
      case "spliced": {
        const head = this.pick(chance);
        const tail = this.pick(chance);
        return joined([
          head.subarray(0, chance.below(head.length + 1)),
          tail.subarray(chance.below(tail.length + 1)),
        ]);
      }
      case "resized": {
        const whole = this.pick(chance);
        const longer = chance.below(2) === 0;
        return longer
          ? joined([whole, noise(chance, 1 + chance.below(64))])
          : whole.slice(0, chance.below(whole.length + 1));
      }
      case "word":
        return this.putWords(this.pick(chance), chance);
    }
  }

  private putWords(input: Uint8Array, chance: Chance): Uint8Array {
    const words = this.decoder.words ?? this.pool;
    let out = input;
    for (let left = 1 + chance.below(3); left > 0; left--) {
      const word = words[chance.below(words.length)] ?? new Uint8Array(0);
      const at = chance.below(out.length + 1);
      const over = chance.below(2) === 0 ? word.length : 0;
      out = joined([out.subarray(0, at), word, out.subarray(Math.min(out.length, at + over))]);
      if (out.length > 4 * lengthMax) break;
    }
    return out;
  }
}

function change(input: Uint8Array, chance: Chance): Uint8Array {
  for (let left = 1 + chance.below(6); left > 0 && input.length > 0; left--) {
    const at = chance.below(input.length);
    const byte = input[at] ?? 0;
    const how = chance.below(4);
    if (how === 0) input[at] = byte ^ (1 << chance.below(8));
    else if (how === 1) input[at] = chance.next();
    else if (how === 2) input[at] = byte + (chance.below(2) === 0 ? 1 : -1);
    else input[at] = chance.below(2) === 0 ? 0 : 255;
  }
  return input;
}

/** Puts a number over one, two, four or eight bytes, big-endian as every format has them. */
function spliceLength(input: Uint8Array, chance: Chance): Uint8Array {
  const bytes = [1, 2, 4, 4, 8][chance.below(5)] ?? 4;
  const value = extremes[chance.below(extremes.length)] ?? 0;
  const at = chance.below(Math.max(1, input.length - bytes + 1));
  for (let n = 0; n < bytes && at + n < input.length; n++) {
    const shift = (bytes - 1 - n) * 8;
    input[at + n] = shift >= 32 ? 0 : value >>> shift;
  }
  return input;
}

function noise(chance: Chance, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  fillNoise(bytes, 0, chance);
  return bytes;
}

function fillNoise(bytes: Uint8Array, from: number, chance: Chance): void {
  for (let at = from; at < bytes.length; at++) bytes[at] = chance.next() >>> 13;
}
