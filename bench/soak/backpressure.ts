import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { LocalCluster } from "../support/cluster.ts";
import { persist } from "../support/processes.ts";
import { AckLoad } from "./nodes/ack-load.ts";
import { rudeCalls } from "./nodes/grpc-pressure.ts";
import type { Pressed } from "./nodes/pressure.ts";
import { idle, neverConsumed, neverReading, nothing, press, stoppedFollower } from "./nodes/pressure.ts";
import type { Soak, SoakContext, SoakFailure, SoakResult } from "./support/soak.ts";
import { wholeNumber } from "./support/soak.ts";

/** What docs/OPERATIONS.md promises of a node with the default limits, with so many clients that misbehave at a time. */
const residentMiBMax = 640;
/** Others go on: no pause between two acknowledgements is longer. */
const gapMsMax = 2_000;
const readersMax = 4;
const callersMax = 8;
const largeBytes = 4 * 1_024 * 1_024;

export const soak: Soak = {
  summary:
    "A stopped follower, clients that never read, rude gRPC, tails never consumed, 2,000 idle connections: memory stays bounded, others go on.",
  usage: "[--seconds N] [--connections N] [--in-flight N]",
  explained: [
    "--seconds N        how long each kind of pressure lasts (60; --short 3), from 1",
    "--connections N    idle ones (2000; --short 100), from 1",
    "--in-flight N      appends under way at one time (256), from 1",
  ],
  options: {
    seconds: { type: "string" },
    connections: { type: "string" },
    "in-flight": { type: "string" },
  },
  run,
};

async function run({ values, short, progress, onStop }: SoakContext): Promise<SoakResult> {
  const seconds = wholeNumber(values, "seconds", short ? 3 : 60, 1);
  const connections = wholeNumber(values, "connections", short ? 100 : 2_000, 1);
  const inFlight = wholeNumber(values, "in-flight", 256, 1);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-backpressure-"));
  const cluster = await LocalCluster.start({ directory });
  const load = new AckLoad(cluster.peers, inFlight, 1_024);
  onStop(() => void Promise.all([cluster.stop(), load.stop()]));
  try {
    await load.next(-1, 20_000);
    const leader = await cluster.leader();
    const address = addressOf(cluster, leader.id);
    const large = await load.client.append(new Uint8Array(largeBytes));
    const pressures = [
      nothing(),
      stoppedFollower(cluster, leader),
      neverReading(address, readersMax),
      rudeCalls(address, large.index, callersMax),
      neverConsumed(load.client, 16),
      idle([address], connections),
    ];
    const pressed: Pressed[] = [];
    for (const pressure of pressures)
      pressed.push(await press(pressure, { cluster, load, seconds, progress }));
    const still = await persist("the leader", () => cluster.leader());
    return resultOf(pressed, { seconds, inFlight, moved: still !== leader, faults: [...load.faults] });
  } finally {
    await load.stop();
    await cluster.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function addressOf(cluster: LocalCluster, id: string): string {
  const found = cluster.peers.split(";").find((peer) => peer.startsWith(`${id}-`));
  return found?.slice(id.length + 1) ?? "";
}

interface Circumstances {
  readonly seconds: number;
  readonly inFlight: number;
  readonly moved: boolean;
  readonly faults: readonly (readonly [string, number])[];
}

function resultOf(pressed: readonly Pressed[], circumstances: Circumstances): SoakResult {
  const failures: SoakFailure[] = [];
  const fail = (what: string, one: Pressed): void => {
    failures.push({ what, replay: "npm run soak -- backpressure", details: { ...one } });
  };
  for (const one of pressed) {
    if (Math.max(...one.residentMiB) > residentMiBMax)
      fail(`${one.name}: a node took more than ${residentMiBMax} MiB`, one);
    if (one.flaw !== undefined) fail(`${one.name}: ${one.flaw}`, one);
    if (one.perSecond === 0 || one.gapMaxMs > gapMsMax)
      fail(`${one.name}: no append was acknowledged for ${one.gapMaxMs} ms`, one);
  }
  const { seconds, inFlight, moved, faults } = circumstances;
  return {
    title: `Pressure for ${seconds} s each, beside ${inFlight} appends of 1 KiB in flight`,
    columns: ["pressure", "acked/s", "longest gap ms", "n0 MiB", "n1 MiB", "n2 MiB", "clients MiB", "note"],
    rows: pressed.map((one) => [
      one.name,
      one.perSecond,
      one.gapMaxMs,
      ...one.residentMiB,
      one.ownMiB,
      one.note,
    ]),
    notes: [
      `MiB: the most resident memory meanwhile; allowed are ${residentMiBMax} for a node. A gap may last ${gapMsMax} ms.`,
      `${moved ? "Leadership moved meanwhile." : "One node led all the time."} Appends that ended as a fault: ${JSON.stringify(Object.fromEntries(faults))}.`,
    ],
    figures: { ...circumstances, pressed },
    failures,
  };
}
