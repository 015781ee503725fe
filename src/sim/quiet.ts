import type { Micros } from "../core/base/units.ts";
import { millisecond } from "../core/base/units.ts";
import { between } from "../core/io/random.ts";
import type { World } from "./world.ts";

/** In half of the runs clients fall silent up to so long before the faults end. */
const quietMin: Micros = 300 * millisecond;
const quietMax: Micros = 1_500 * millisecond;
/** In half of these, so many of the frames between nodes are lost around the last appends. */
const lastLosses = 0.25;
const lossyBefore: Micros = 500 * millisecond;
const lossyAfter: Micros = 60 * millisecond;

/** Plans the silence of a run whose faults end at `end`, if it is to have one: what is missing then is shown by nothing new. */
export function planQuiet(world: World, end: Micros, silence: () => void): void {
  const { random, scheduler } = world;
  if (random.draw("quiet", 0) % 2 === 0) return;
  const quietAt = Math.max(0, end - between(random.draw("quiet", 1), quietMin, quietMax));
  scheduler.call(quietAt, silence);
  if (random.draw("quiet", 2) % 2 === 0) return;
  const { network } = world;
  scheduler.call(Math.max(0, quietAt - lossyBefore), () => {
    network.peerLoss = lastLosses;
  });
  scheduler.call(quietAt + lossyAfter, () => {
    network.peerLoss = 0;
  });
}
