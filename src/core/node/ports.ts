import type { Clock } from "../io/clock.ts";
import type { Disk } from "../io/disk.ts";
import type { Network } from "../io/network.ts";
import type { Random } from "../io/random.ts";
import type { Trace } from "../io/trace.ts";

/** Everything a node needs of its world. The simulator and production supply it; a node never asks for more. */
export interface NodePorts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly network: Network;
  readonly random: Random;
  readonly trace: Trace;
}
