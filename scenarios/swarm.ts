import { millisecond, second } from "#core/base/units";
import { aimedCrashes } from "#sim/nemesis/aim";
import { jumpClocks } from "#sim/nemesis/clock";
import { crashAnyone, crashLeader, orderlyRestart, powerLossOfAll } from "#sim/nemesis/crash";
import { failDisks, failMending } from "#sim/nemesis/disk-error";
import { freezeLeader } from "#sim/nemesis/freeze";
import { lateTransfer } from "#sim/nemesis/late-transfer";
import { loneFirstAppend } from "#sim/nemesis/lone-append";
import { outrunCandidate } from "#sim/nemesis/outrun";
import { clogSometimes, partition } from "#sim/nemesis/partition";
import { pauseSomeone, slowDiskSometimes } from "#sim/nemesis/pause";
import { allReadOnly, fullDiskSometimes, readOnlySometimes } from "#sim/nemesis/read-only";
import { rotSomeone } from "#sim/nemesis/rot";
import { wipeSomeone } from "#sim/nemesis/wipe";
import type { NemesisWorld, Scenario } from "#sim/scenario";
import { situationNames } from "#sim/situations";
import { restlessLoad } from "#sim/workload/loads";

type Every = Parameters<typeof crashLeader>[1];
type Disturbance = (world: NemesisWorld, every: Every) => void;

/** Everything that can go wrong, each at a pace of its own. */
const disturbances: readonly (readonly [Disturbance, number])[] = [
  [crashLeader, 5 * second],
  [crashAnyone, 8 * second],
  [orderlyRestart, 20 * second],
  [powerLossOfAll, 12 * second],
  [
    (world, every) =>
      aimedCrashes(world, {
        every,
        dangers: ["campaign", "first-append", "acknowledged", "committed", "truncation", "transfer"],
      }),
    5 * second,
  ],
  [
    (world, every) =>
      partition(world, {
        every,
        last: { min: 300 * millisecond, max: 3 * second },
        kinds: ["old-leader", "halves", "one-way", "deaf", "ring"],
      }),
    6 * second,
  ],
  [(world, every) => clogSometimes(world, every, { min: 100 * millisecond, max: 2 * second }), 6 * second],
  [loneFirstAppend, 6 * second],
  [lateTransfer, 6 * second],
  [freezeLeader, 10 * second],
  [pauseSomeone, 9 * second],
  [slowDiskSometimes, 9 * second],
  [failDisks, 10 * second],
  [rotSomeone, 6 * second],
  [wipeSomeone, 25 * second],
  [jumpClocks, 4 * second],
  [
    (world, every) => readOnlySometimes(world, { every, last: { min: 500 * millisecond, max: 5 * second } }),
    7 * second,
  ],
  [(world, every) => allReadOnly(world, { every, last: { min: 1 * second, max: 3 * second } }), 25 * second],
  [
    (world, every) => fullDiskSometimes(world, { every, last: { min: 1 * second, max: 5 * second } }),
    9 * second,
  ],
  [outrunCandidate, 6 * second],
  [failMending, 10 * second],
];

/**
 * A random mix of everything: each disturbance takes part in about half of the runs, from half as often to twice as often
 * as its pace, on any number of nodes and one or two groups, over a network and disks that are a little bad at all of it.
 */
export const swarm: Scenario = {
  name: "swarm",
  summary: "a random mix of everything that can go wrong",
  nodes: [1, 2, 3, 5, 7],
  groups: [1, 1, 2],
  duration: 60 * second,
  budget: "recoverable",
  workload: restlessLoad,
  faults: {
    "network.latencyMax": [500, 5 * millisecond],
    "network.slow": [0, 0.03],
    "network.loss": [0, 0.02],
    "network.duplicate": [0, 0.03],
    "network.duplicateMax": [0, 3 * second],
    "network.reset": [0, 0.0005],
    "network.refuse": [0, 0.05],
    "network.stall": [0, 0.001],
    "network.halfOpen": [0, 0.5],
    "disk.slow": [0, 0.02],
    "disk.syncMax": [1 * millisecond, 15 * millisecond],
    "disk.stall": [0, 0.0003],
    "disk.survive": [0, 1],
    "disk.readError": [0, 0.002],
    "disk.writeError": [0, 0.0002],
    "disk.syncError": [0, 0.0005],
    "disk.bitRot": [0, 0.4],
    "disk.rot": [0, 0.02],
    "disk.staleRead": [0, 0.01],
    "disk.misdirectedWrite": [0, 0.002],
    "clock.skewMax": [0, 3_600 * second],
    "clock.driftMax": [0, 20_000],
    "clock.jumpMax": [1 * second, 600 * second],
    "process.powerLoss": [0, 1],
    "process.downMin": 10 * millisecond,
    "process.downMax": [50 * millisecond, 3 * second],
    "process.pauseMax": [200 * millisecond, 2 * second],
  },
  reaches: situationNames,
  nemesis(world) {
    disturbances.forEach(([disturb, pace], i) => {
      const draw = world.draw("swarm", i);
      if (draw % 2 === 0) return;
      // Half as often to twice as often.
      const mean = Math.floor((pace * (50 + ((draw >>> 1) % 151))) / 100);
      disturb(world, { first: 1 * second, min: Math.floor(mean / 2), max: Math.floor((mean * 3) / 2) });
    });
  },
};
