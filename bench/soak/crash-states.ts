import type { CrashSettings } from "./crash/enumerate.ts";
import { CrashTally, crashScript } from "./crash/enumerate.ts";
import type { CrashScript } from "./crash/scripts.ts";
import { crashScripts } from "./crash/scripts.ts";
import { count } from "./support/progress.ts";
import type { Soak, SoakContext, SoakFailure, SoakResult } from "./support/soak.ts";
import { oneNamed, wholeNumber } from "./support/soak.ts";

/** The issue asks for as many. */
const statesWanted = 10_000;

const longSettings: Omit<CrashSettings, "seed"> = {
  orders: 8,
  subsetsMax: 2_048,
  recoverySubsetsMax: 16,
  recoveryEvery: 24,
};

/** What `--short` and `npm test` do. */
export const shortSettings: CrashSettings = {
  seed: 1,
  orders: 0,
  subsetsMax: 24,
  recoverySubsetsMax: 1,
  recoveryEvery: 0,
};

/** Scripts of the short form: those of small segments, which are quick to open. */
export const shortScripts: readonly CrashScript[] = crashScripts.filter(
  ({ options }) => options.segmentBytes === 8_192,
);

export const soak: Soak = {
  summary:
    "Crashes appends, rolls, truncations and term changes at every disk call, with every legal subset of what was not synced, and opens each state.",
  usage: "[--script NAME] [--seed N] [--subsets N]",
  explained: [
    `--script NAME      this one only (all; --short: some): ${crashScripts.map(({ name }) => name).join(", ")}`,
    "--seed N           of what is sampled (1), from 0",
    `--subsets N        states of a crash up to which all are tried (${longSettings.subsetsMax}; --short ${shortSettings.subsetsMax}), from 2`,
  ],
  options: { script: { type: "string" }, seed: { type: "string" }, subsets: { type: "string" } },
  run,
};

async function run({ values, short, progress }: SoakContext): Promise<SoakResult> {
  const named = values["script"] !== undefined;
  const scripts = oneNamed(values, "script", short && !named ? shortScripts : crashScripts);
  const base = short ? shortSettings : { ...longSettings, seed: 1 };
  const settings: CrashSettings = {
    ...base,
    seed: wholeNumber(values, "seed", base.seed),
    subsetsMax: wholeNumber(values, "subsets", base.subsetsMax, 2),
  };
  const tallies = new Map<CrashScript, CrashTally>();
  progress.begin("scripts", scripts.length);
  for (const [at, script] of scripts.entries()) {
    const tally = new CrashTally();
    tallies.set(script, tally);
    for (const _ of crashScript(script, settings, tally)) if (progress.step(at)) await progress.breathe();
  }
  return resultOf(tallies, settings, { all: !short && scripts.length === crashScripts.length });
}

function resultOf(
  tallies: ReadonlyMap<CrashScript, CrashTally>,
  settings: CrashSettings,
  { all }: { readonly all: boolean },
): SoakResult {
  const whole = merged([...tallies.values()]);
  const kinds = [...new Set([...tallies.keys()].map(({ kind }) => kind))];
  const rows = kinds.map((kind) => {
    const of = [...tallies].filter(([script]) => script.kind === kind).map(([, tally]) => tally);
    const { disks, met, opened, whole, sampled, failures } = merged(of);
    return [kind, of.length, met, disks.size, opened, whole, sampled, failures.length];
  });
  const failures = whole.failures.map((failure) => told(failure, settings));
  const few = all && whole.disks.size < statesWanted;
  if (few) {
    failures.push({
      what: `only ${whole.disks.size} distinct states, where ${statesWanted} are wanted`,
      replay: "npm run soak -- crash-states",
    });
  }
  return {
    title: "Crash states: each opens with everything acknowledged, undamaged, and goes on",
    columns: ["what", "scripts", "met", "distinct", "opened", "whole", "sampled", "failed"],
    rows,
    notes: [
      `${count(whole.disks.size)} distinct disks; ${count(whole.opened)} pairs of a disk and what it must give back were opened.`,
      `whole: crashes with every legal state tried; sampled: those of more than ${settings.subsetsMax} (${settings.recoverySubsetsMax} while recovering) states.`,
    ],
    figures: {
      seed: settings.seed,
      states: whole.disks.size,
      met: whole.met,
      opened: whole.opened,
      whole: whole.whole,
      sampled: whole.sampled,
    },
    failures,
  };
}

function merged(tallies: readonly CrashTally[]): CrashTally {
  const sum = new CrashTally();
  for (const tally of tallies) {
    for (const disk of tally.disks) sum.disks.add(disk);
    sum.met += tally.met;
    sum.opened += tally.opened;
    sum.whole += tally.whole;
    sum.sampled += tally.sampled;
    sum.failures.push(...tally.failures);
  }
  return sum;
}

function told(
  { script, what, ...where }: CrashTally["failures"][number],
  settings: CrashSettings,
): SoakFailure {
  const { seed, subsetsMax } = settings;
  return {
    what: `${script}: ${what}`,
    replay: `npm run soak -- crash-states --script ${JSON.stringify(script)} --seed ${seed} --subsets ${subsetsMax}`,
    details: where,
  };
}
