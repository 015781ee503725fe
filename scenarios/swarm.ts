import { kibibyte, mebibyte, millisecond, second } from "#core/base/units";
import type { Sometimes } from "#sim/nemesis/plan";
import type { Scenario } from "#sim/scenario";
import { situationNames } from "#sim/situations";
import { restlessLoad } from "#sim/workload/loads";

/** After the first second, on average about so many seconds apart in a run that it takes part in. */
const sometimes = (seconds: number): Sometimes => ({ first: 1 * second, about: seconds * second });

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
    "network.bufferBytes": { oneIn: 3, low: kibibyte, high: mebibyte },
    "network.bufferFrames": { oneIn: 3, low: 2, high: 1_024 },
    "disk.slow": [0, 0.02],
    "disk.syncMax": [1 * millisecond, 15 * millisecond],
    "disk.stall": [0, 0.0003],
    "disk.stallMax": [100 * millisecond, 1 * second],
    "disk.survive": [0, 1],
    "disk.ioError": [0, 0.0001],
    "disk.readError": [0, 0.002],
    "disk.writeError": [0, 0.0002],
    "disk.syncError": [0, 0.0005],
    "disk.bitRot": [0, 0.4],
    "disk.rot": [0, 0.02],
    "disk.staleRead": [0, 0.01],
    "disk.misdirectedRead": [0, 0.01],
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
  floor: { simulated: 60 * second, acked: 1_000, faults: 15 },
  disturbances: {
    crashLeader: sometimes(5),
    crashNode: sometimes(8),
    orderlyRestart: sometimes(20),
    powerLoss: sometimes(12),
    aimedCrash: sometimes(5),
    partition: sometimes(6),
    clog: { ...sometimes(6), last: { min: 100 * millisecond, max: 2 * second } },
    loneAppend: sometimes(6),
    lateTransfer: sometimes(6),
    freezeLeader: sometimes(10),
    pause: sometimes(9),
    slowDisk: sometimes(9),
    diskError: sometimes(10),
    rot: sometimes(6),
    wipe: sometimes(25),
    clockJump: sometimes(4),
    readOnly: { ...sometimes(7), last: { min: 500 * millisecond, max: 5 * second } },
    allReadOnly: { ...sometimes(25), last: { min: 1 * second, max: 3 * second } },
    fullDisk: { ...sometimes(9), last: { min: 1 * second, max: 10 * second } },
    outrun: sometimes(6),
    mendingError: sometimes(10),
    cutTail: sometimes(6),
    rollCrash: sometimes(4),
    rotTail: sometimes(8),
    laneLag: sometimes(3),
    firstEntriesLag: sometimes(5),
    closedRot: sometimes(9),
  },
};
