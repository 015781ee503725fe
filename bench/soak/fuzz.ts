import * as fs from "node:fs";
import { allDecoders, scratchFolder } from "./fuzz/decoders.ts";
import type { FuzzFailure, FuzzTally } from "./fuzz/feed.ts";
import { feedWatched } from "./fuzz/watched.ts";
import { count } from "./support/progress.ts";
import type { Soak, SoakContext, SoakFailure, SoakResult } from "./support/soak.ts";
import { oneNamed, wholeNumber } from "./support/soak.ts";

const inputsLong = 1_000_000;
/** What `--short` and `npm test` do. */
export const inputsShort = 10_000;

export const soak: Soak = {
  summary:
    "Feeds every decoder random, changed and spliced inputs: each gives a value or a typed error, in bounded time and memory.",
  usage: "[--decoder NAME] [--inputs N] [--seed N] [--from N]",
  explained: [
    `--decoder NAME     this one only (all): ${allDecoders("")
      .map(({ name }) => name)
      .join(", ")}`,
    `--inputs N         for each decoder (${inputsLong}; --short ${inputsShort}), from 1`,
    "--seed N           of the inputs (1), from 0",
    "--from N           the first input (0), from 0",
  ],
  options: {
    decoder: { type: "string" },
    inputs: { type: "string" },
    seed: { type: "string" },
    from: { type: "string" },
  },
  run,
};

async function run({ values, short, progress }: SoakContext): Promise<SoakResult> {
  const folder = scratchFolder();
  try {
    const decoders = oneNamed(values, "decoder", allDecoders(folder));
    const inputs = wholeNumber(values, "inputs", short ? inputsShort : inputsLong, 1);
    const from = wholeNumber(values, "from", 0);
    const seed = wholeNumber(values, "seed", 1);
    const tallies: FuzzTally[] = [];
    for (const decoder of decoders) {
      progress.begin(decoder.name, inputs);
      tallies.push(await feedWatched(decoder, { seed, from, to: from + inputs, folder }, progress));
    }
    return resultOf(tallies, seed);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function resultOf(tallies: readonly FuzzTally[], seed: number): SoakResult {
  const inputs = tallies.reduce((sum, tally) => sum + tally.inputs, 0);
  return {
    title: `Inputs made from seed ${seed}: a value or a typed error, nothing else`,
    columns: [
      "decoder",
      "inputs",
      "values",
      "refused",
      "slowest ms",
      "measured",
      "allocated max KiB",
      "failed",
    ],
    rows: tallies.map((tally) => [
      tally.decoder,
      tally.inputs,
      tally.values,
      tally.refused,
      Math.ceil(tally.slowestMs),
      tally.measured,
      Math.ceil(tally.allocatedMax / 1_024),
      tally.failures.length,
    ]),
    notes: [
      `${count(inputs)} inputs. refused: by a typed error, or as no record of this place.`,
      "slowest: as the clock of this machine has it, with whatever else it did.",
    ],
    figures: {
      seed,
      inputs,
      decoders: tallies.map(({ failures, ...figures }) => ({ ...figures, failed: failures.length })),
    },
    failures: tallies.flatMap((tally) => tally.failures.map(told)),
  };
}

/** A failure with the command that feeds this one input again. */
export function told({ what, decoder, seed, input, ...details }: FuzzFailure): SoakFailure {
  return {
    what: `${decoder}: ${what}`,
    replay: `npm run soak -- fuzz --decoder ${decoder} --seed ${seed} --from ${input} --inputs 1`,
    details: { seed, input, ...details },
  };
}
