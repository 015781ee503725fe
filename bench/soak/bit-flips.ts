import { verdicts } from "./flips/classify.ts";
import type { ChangeFailure, ChangeSettings } from "./flips/every-change.ts";
import { ChangeTally, everyFlip, everyTruncation } from "./flips/every-change.ts";
import { makeFlipLog, regions, segmentBytes } from "./flips/flip-log.ts";
import { count } from "./support/progress.ts";
import type { Soak, SoakContext, SoakFailure, SoakResult } from "./support/soak.ts";

/** What `--short` and `npm test` do. */
export const shortSettings: Exclude<ChangeSettings, string> = { flips: 24, truncations: 8 };

export const soak: Soak = {
  summary:
    "Flips every bit of a 64 KiB segment, and cuts it to every length: nothing is taken for good that was not written, and damage mends.",
  usage: "",
  options: {},
  run,
};

async function run({ short, progress }: SoakContext): Promise<SoakResult> {
  const settings: ChangeSettings = short ? shortSettings : "every byte";
  const last = makeFlipLog(false);
  const rolled = makeFlipLog(true);
  const parts = [
    { name: "bit flips", of: "flip", made: last, make: everyFlip },
    { name: "truncations of the last segment", of: "truncation", made: last, make: everyTruncation },
    { name: "truncations of the one before", of: "truncation", made: rolled, make: everyTruncation },
  ] as const;
  const tallies: Part[] = [];
  for (const { name, made, make, of } of parts) {
    const tally = new ChangeTally();
    const perRegion = of === "flip" ? shortSettings.flips : shortSettings.truncations;
    const all = of === "flip" ? segmentBytes * 8 : segmentBytes;
    progress.begin(name, short ? perRegion * regions.length : all);
    for (const _ of make(made, settings, tally)) if (progress.step(tally.changes)) await progress.breathe();
    tallies.push({ name, tally });
  }
  return resultOf(tallies);
}

interface Part {
  readonly name: string;
  readonly tally: ChangeTally;
}

function resultOf(parts: readonly Part[]): SoakResult {
  const rows = parts.flatMap(({ name, tally }) => {
    const met = regions.filter((region) => tally.byRegion.has(region));
    const row = (label: string, cells: readonly number[]): (string | number)[] => [label, ...cells];
    return [
      row(name, [tally.changes, ...verdicts.map((verdict) => tally.count(verdict)), tally.failures.length]),
      ...met.map((region) => {
        const counts = verdicts.map((verdict) => tally.count(verdict, region));
        const failed = tally.failures.filter((failure) => failure.region === region).length;
        return row(`  ${region}`, [counts.reduce((sum, n) => sum + n, failed), ...counts, failed]);
      }),
    ];
  });
  return {
    title: "A 64 KiB segment, changed in one place at a time",
    columns: ["what", "changes", ...verdicts, "failed"],
    rows,
    notes: notes(parts),
    figures: Object.fromEntries(parts.map(({ name, tally }) => [name, figuresOf(tally)])),
    failures: parts.flatMap(({ tally }) => tally.failures.map(told)),
  };
}

function notes(parts: readonly Part[]): string[] {
  const mended = parts.map(
    ({ name, tally }) => `${count(tally.mended)} of ${count(tally.count("damaged"))} ${name}`,
  );
  const lost = parts.map(({ name, tally }) => `${count(tally.lostProven)} ${name}`);
  return [
    "harmless: every entry as it was. cleared: so too, and bytes of no entry cut. torn: entries of the unproven end cut.",
    "damaged: reported and refused, everything else as it was. A truncation stands at the first byte that is gone.",
    `Mended from a peer's copies, and whole after another crash: ${mended.join("; ")} that did damage.`,
    `The proof gone with what it proved, so that a torn end is all that can be told: ${lost.join("; ")}.`,
  ];
}

function figuresOf(tally: ChangeTally): object {
  const counts = Object.fromEntries(verdicts.map((verdict) => [verdict, tally.count(verdict)]));
  const { changes, mended, lostProven } = tally;
  const byRegion = Object.fromEntries(
    [...tally.byRegion].map(([region, some]) => [region, Object.fromEntries(some)]),
  );
  return { changes, ...counts, mended, lostProven, byRegion };
}

function told({ change, region, what }: ChangeFailure): SoakFailure {
  return { what: `${region}: ${what}`, replay: "npm run soak -- bit-flips", details: { change } };
}
