import type { Micros } from "../../core/base/units.ts";
import { millisecond } from "../../core/base/units.ts";
import type { SeededRandom } from "../random.ts";
import type { NemesisWorld } from "../scenario.ts";
import type { FaultSettings } from "../settings.ts";
import type { Danger } from "./aim.ts";
import { aimedCrashes, dangerNames } from "./aim.ts";
import { jumpClocks } from "./clock.ts";
import { rotClosedLog } from "./closed-rot.ts";
import { crashAnyone, crashLeader, crashLeaderOnce, orderlyRestart, powerLossOfAll } from "./crash.ts";
import { crowdIn } from "./crowd.ts";
import { powerLossInCuts } from "./cut-tail.ts";
import { failDisks, failMending } from "./disk-error.ts";
import type { Disturbance } from "./disturbances.ts";
import { disturbanceNames } from "./disturbances.ts";
import { holdFormerAnswers } from "./former-answers.ts";
import { freezeLeader } from "./freeze.ts";
import { holdAnswers } from "./held-answers.ts";
import { lagFirstEntries, lagLane } from "./lane-lag.ts";
import { lateTransfer } from "./late-transfer.ts";
import { loneFirstAppend } from "./lone-append.ts";
import { loseCut } from "./lost-cut.ts";
import { loseMending } from "./lost-mending.ts";
import type { Every, Span } from "./names.ts";
import { outrunCandidate } from "./outrun.ts";
import type { PartitionKind } from "./partition.ts";
import { clogSometimes, partition, partitionKinds } from "./partition.ts";
import { pauseSomeone, slowDiskSometimes } from "./pause.ts";
import { allReadOnly, fullDiskSometimes, readOnlySometimes } from "./read-only.ts";
import { rivalTails } from "./rival-tails.ts";
import { crashAtRolls } from "./roll.ts";
import { rotSomeone } from "./rot.ts";
import { rotTails } from "./rot-tail.ts";
import { wipeSomeone } from "./wipe.ts";

/** In about half of the runs, and there from twice as often to half as often as `about`. */
export interface Sometimes {
  readonly first?: Micros;
  readonly about: Micros;
}

/** When a disturbance comes: always at these distances, or in a share of the runs at a drawn pace. */
export type Pace = Every | Sometimes;

/** What may be said of a disturbance besides its pace. What is left out is as various as it can be. */
interface Details {
  readonly crashLeader: { readonly once?: boolean };
  readonly aimedCrash: { readonly dangers?: readonly Danger[] };
  readonly partition: { readonly last?: Span; readonly kinds?: readonly PartitionKind[] };
  readonly clog: { readonly last?: Span };
  readonly readOnly: { readonly last?: Span };
  readonly allReadOnly: { readonly last?: Span };
  readonly fullDisk: { readonly last?: Span };
}

type DetailsOf<Name extends Disturbance> = Name extends keyof Details ? Details[Name] : object;

/** Who takes part in a scenario's runs, at what pace. */
export type NemesisPlan = { readonly [name in Disturbance]?: Pace & DetailsOf<name> };

type Start<Name extends Disturbance> = (world: NemesisWorld, every: Every, details: DetailsOf<Name>) => void;

/** How long a state lasts that comes and goes, unless the scenario says otherwise. */
const lasting: Span = { min: 300 * millisecond, max: 3_000 * millisecond };

const starts: { readonly [name in Disturbance]: Start<name> } = {
  crashLeader: (world, every, { once }) =>
    once === true ? crashLeaderOnce(world, every) : crashLeader(world, every),
  crashNode: crashAnyone,
  orderlyRestart,
  powerLoss: powerLossOfAll,
  aimedCrash: (world, every, { dangers = dangerNames }) => aimedCrashes(world, { every, dangers }),
  partition: (world, every, { last = lasting, kinds = partitionKinds }) =>
    partition(world, { every, last, kinds }),
  clog: (world, every, { last = lasting }) => clogSometimes(world, every, last),
  loneAppend: loneFirstAppend,
  lateTransfer,
  freezeLeader,
  pause: pauseSomeone,
  slowDisk: slowDiskSometimes,
  diskError: failDisks,
  rot: rotSomeone,
  wipe: wipeSomeone,
  clockJump: jumpClocks,
  readOnly: (world, every, { last = lasting }) => readOnlySometimes(world, { every, last }),
  allReadOnly: (world, every, { last = lasting }) => allReadOnly(world, { every, last }),
  fullDisk: (world, every, { last = lasting }) => fullDiskSometimes(world, { every, last }),
  outrun: outrunCandidate,
  mendingError: failMending,
  cutTail: powerLossInCuts,
  rollCrash: crashAtRolls,
  rotTail: rotTails,
  laneLag: lagLane,
  firstEntriesLag: lagFirstEntries,
  closedRot: rotClosedLog,
  heldAnswers: holdAnswers,
  formerAnswers: holdFormerAnswers,
  crowd: crowdIn,
  lostMending: loseMending,
  rivalTails,
  lostCut: loseCut,
};

/** The knobs `nemesis.NAME` of a run: the mean distance between two of each disturbance that takes part; 0 for those left out. */
export function drawPaces(plan: NemesisPlan, random: SeededRandom): Partial<FaultSettings> {
  const paces: Partial<FaultSettings> = {};
  disturbanceNames.forEach((name, i) => {
    const pace = plan[name];
    if (pace === undefined) return;
    paces[`nemesis.${name}`] =
      "about" in pace
        ? drawMean(pace.about, random.draw("schedule(swarm)", i))
        : Math.floor((pace.min + pace.max) / 2);
  });
  return paces;
}

function drawMean(about: Micros, draw: number): Micros {
  return draw % 2 === 0 ? 0 : Math.floor((about * (50 + ((draw >>> 1) % 151))) / 100);
}

/** Starts every disturbance whose knob is on: the plan's in its order, then those that an override adds. */
export function startDisturbances(world: NemesisWorld, plan: NemesisPlan): void {
  for (const name of new Set([...(Object.keys(plan) as Disturbance[]), ...disturbanceNames]))
    startOne(world, name, plan[name]);
}

function startOne<Name extends Disturbance>(
  world: NemesisWorld,
  name: Name,
  planned: NemesisPlan[Name],
): void {
  const mean = world.settings[`nemesis.${name}`];
  if (mean === 0) return;
  const start: Start<Name> = starts[name];
  start(world, everyOf(planned ?? { about: mean }, mean), planned ?? ({} as DetailsOf<Name>));
}

/** The distances whose mean is `mean`, spread as the pace says: threefold where it says nothing. */
function everyOf(pace: Pace, mean: Micros): Every {
  const [low, high] = "about" in pace ? [1, 3] : [pace.min, pace.max];
  const spread = (end: number): Micros => Math.floor((end * 2 * mean) / (low + high));
  return { first: pace.first ?? 0, min: spread(low), max: spread(high) };
}
