import { nodeId } from "#core/base/brand";
import type { FaultCode } from "#core/base/errors";
import { LogError } from "#core/base/errors";
import type { Micros } from "#core/base/units";
import { second } from "#core/base/units";
import type { AppendResult, CancelHandle } from "#core/client/client";
import { Client } from "#core/client/client";
import type { ClientConfig } from "#core/client/client-config";
import { clientConfig } from "#core/client/client-config";
import { bytes } from "../commitlog/log-builder.ts";
import { FakeClock, FakeNetwork, fakeRandom } from "./fake-world.ts";
import type { Script } from "./scripted-node.ts";
import { addressOf, group, refuse, ScriptedNode } from "./scripted-node.ts";

/** The last word of a call; undefined while it waits. */
export interface Outcome<T> {
  value?: T;
  error?: LogError;
  /** How often it was told; more than once is a defect. */
  told: number;
  handle: CancelHandle;
}

/** A client before scripted nodes in a world of its own. */
export class Harness {
  readonly clock = new FakeClock();
  readonly network: FakeNetwork = new FakeNetwork(this.clock);
  readonly nodes: ScriptedNode[];
  readonly client: Client;
  drains = 0;

  /** Nodes n0, n1, ... with the scripts; the client tries them in any order. */
  constructor(scripts: readonly (Script | "absent")[], parts: Partial<ClientConfig> = {}, seed = 1) {
    this.nodes = [];
    const peers = scripts.map((script, i) => {
      if (script !== "absent") this.nodes[i] = new ScriptedNode(this.network, `n${i}`, script);
      return { node: nodeId(`n${i}`), address: addressOf(`n${i}`) };
    });
    const config = clientConfig({ group, peers, ...parts });
    const ports = { clock: this.clock, network: this.network, random: fakeRandom(seed) };
    this.client = new Client(config, ports, { drained: () => this.drains++ });
  }

  node(i: number): ScriptedNode {
    return this.nodes[i] as ScriptedNode;
  }

  append(text: string | readonly string[], timeout: Micros = 5 * second): Outcome<AppendResult> {
    const bodies = (typeof text === "string" ? [text] : text).map(bytes);
    return this.call((done) => this.client.append(bodies, { timeout }, done));
  }

  call<T>(begin: (done: (error: Error | undefined, value: T) => void) => CancelHandle): Outcome<T> {
    const outcome: Outcome<T> = { told: 0, handle: { cancel: () => {} } };
    let inside = true;
    outcome.handle = begin((error, value) => {
      if (inside) throw new Error("a completion came inside the call");
      outcome.told += 1;
      if (error === undefined) outcome.value = value;
      else outcome.error = error as LogError;
    });
    inside = false;
    return outcome;
  }

  run(micros: Micros): void {
    this.clock.run(micros);
  }
}

export function codeOf(outcome: Outcome<unknown>): FaultCode | "ok" | "waiting" {
  if (outcome.told === 0) return "waiting";
  return outcome.error instanceof LogError ? outcome.error.code : "ok";
}

export const notLeader: Script = refuse("not-leader");
