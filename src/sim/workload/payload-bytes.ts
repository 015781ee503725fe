import { kibibyte } from "../../core/base/units.ts";
import { between } from "../../core/io/random.ts";
import type { WorkloadOptions } from "../scenario.ts";

/** One payload in `mediumOf` is up to 8 KiB, one in `largeOf` up to 96 KiB: more than a segment, or what nodes keep in memory. */
const mediumOf = 64;
const mediumBytesMax = 8 * kibibyte;
const largeOf = 8_192;
const largeBytesMax = 96 * kibibyte;

/** How many bytes a payload has. */
export function payloadBytes({ payloadBytesMin, payloadBytesMax }: WorkloadOptions, draw: number): number {
  if (draw % largeOf === 0) return between(draw, payloadBytesMax, largeBytesMax);
  if (draw % mediumOf === 0) return between(draw, payloadBytesMax, mediumBytesMax);
  return between(draw, payloadBytesMin, payloadBytesMax);
}
