import type fc from "fast-check";
import type { FaultCode } from "#core/base/errors";

/** One thing that is fed. */
export interface Decoder {
  readonly name: string;
  /** Inputs that it takes. */
  readonly valid: fc.Arbitrary<Uint8Array>;
  /** Pieces that mean something to it, put into inputs here and there. */
  readonly words?: readonly Uint8Array[];
  /** Puts right what checksums a changed input holds, so that what lies behind them is met too. */
  seal?(input: Uint8Array): void;
  /**
   * Decodes an input and gives what came of it; undefined stands for a refusal that is no error.
   * @throws LogError of one of `codes`, and nothing else.
   */
  decode(input: Uint8Array): unknown;
  readonly codes: readonly FaultCode[];
  /** Bytes that it may allocate for an empty input; the default is `allocationBytesBase`. */
  readonly allocationBytes?: number;
}

/** What any decoder may allocate, whatever the input. */
export const allocationBytesBase: number = 256 * 1_024;
/** What it may allocate beside that for each byte of its input: a frame of one byte is three of a batch, and a view of it some 110. */
export const allocationTimesInput = 48;
/** How long one input may take. A machine that does something else is allowed for by trying again. */
export const inputMsMax = 200;
