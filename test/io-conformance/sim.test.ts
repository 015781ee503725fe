import { DiskWorld, SimDisk } from "#sim/disk";
import { World } from "#sim/world";
import { clockSuite } from "./clock.suite.ts";
import { diskSuite } from "./disk.suite.ts";
import { networkSuite } from "./network.suite.ts";
import type { IoHost, IoWorld } from "./world.ts";

const patience = 10_000_000;

async function simulated(): Promise<IoWorld> {
  const world = new World({ seed: 1 });
  const process = world.process("n0");
  const otherProcess = world.process("n1");
  world.begin(process);
  world.begin(otherProcess);
  const address = "10.0.0.1:1";
  world.network.place(address, process);
  const diskWorld = new DiskWorld(world.scheduler, process, world);
  const hostOf = (which: typeof process): IoHost => ({
    clock: world.clock(which),
    disk: new SimDisk(diskWorld),
    network: world.networkPort(which),
  });
  return {
    host: hostOf(process),
    other: hostOf(otherProcess),
    address,
    silentAddress: "10.0.0.9:1",
    async settle(until) {
      const limit = world.scheduler.now + patience;
      while (!until()) {
        if (world.scheduler.run(limit, 1) !== "slice") {
          if (until()) return;
          throw new Error("it did not happen");
        }
      }
    },
    async pass(micros) {
      world.scheduler.run(world.scheduler.now + micros);
    },
    async dispose() {},
  };
}

describe("io-conformance: simulated", () => {
  clockSuite(simulated);
  diskSuite(simulated);
  networkSuite(simulated);
});
