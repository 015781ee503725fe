import { second } from "#core/base/units";
import type { RunOptions } from "#sim/scenario";
import { BareLoop } from "./bare-loop.ts";
import { Checked, Heavy } from "./checked.ts";
import { Idle } from "./idle.ts";
import type { Letter, Measurement } from "./measurement.ts";
import type { SimBenchOptions } from "./options.ts";
import { PingPong } from "./ping-pong.ts";
import { RaftCore } from "./raft-core.ts";
import { Swarm } from "./swarm.ts";

/** What one round does. */
export interface Work {
  readonly messages: number;
  readonly proposals: number;
  readonly idleSeconds: number;
  readonly seeds: RunOptions;
}
const usualWork: Work = { messages: 500_000, proposals: 60_000, idleSeconds: 2_000, seeds: {} };
const shortWork: Work = { messages: 2_000, proposals: 256, idleSeconds: 5, seeds: { duration: 3 * second } };

export function workOf({ short }: SimBenchOptions): Work {
  return short ? shortWork : usualWork;
}

export function measurementOf(letter: Letter, options: SimBenchOptions): Measurement {
  const { messages, proposals, idleSeconds, seeds } = workOf(options);
  switch (letter) {
    case "a":
      return new BareLoop(messages);
    case "b":
      return new PingPong(messages);
    case "c":
      return new (options.heavy ? Heavy : Checked)(options.scenario, options.checkedSeeds, seeds);
    case "d":
      return new Idle(idleSeconds);
    case "e":
      return new RaftCore(proposals);
    case "f":
      return new Swarm(options.swarmSeeds, seeds);
  }
}
