import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { SystemClock } from "#prod/clock";
import { FileDisk } from "#prod/disk";
import { TcpNetwork } from "#prod/network";
import { Turns } from "#prod/turn";
import { freePort } from "../support/free-port.ts";
import { clockSuite } from "./clock.suite.ts";
import { diskSuite } from "./disk.suite.ts";
import { networkSuite } from "./network.suite.ts";
import type { IoHost, IoWorld } from "./world.ts";

const patienceMs = 8_000;

async function real(): Promise<IoWorld> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-io-"));
  const connections: { close(): void }[] = [];
  const hostOf = (): IoHost => {
    const turns = new Turns();
    const network = new TcpNetwork({ turns });
    return {
      clock: new SystemClock(turns),
      disk: new FileDisk(root, turns),
      network: {
        listen: (...call) => remember(network.listen(...call)),
        connect: (...call) => remember(network.connect(...call)),
      },
    };
  };
  const remember = <T extends { close(): void }>(opened: T): T => {
    connections.push(opened);
    return opened;
  };
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  return {
    host: hostOf(),
    other: hostOf(),
    address: `127.0.0.1:${await freePort()}`,
    silentAddress: `127.0.0.1:${await freePort()}`,
    async settle(until) {
      const limit = performance.now() + patienceMs;
      while (!until()) {
        if (performance.now() > limit) throw new Error("it did not happen");
        await sleep(1);
      }
    },
    pass: (micros) => sleep(micros / 1_000),
    async dispose() {
      for (const connection of connections) connection.close();
      fs.rmSync(root, { recursive: true, force: true });
    },
  };
}

describe("io-conformance: real", () => {
  clockSuite(real);
  diskSuite(real);
  networkSuite(real);
});
