import { AssertionError } from "#core/base/assert";
import type { Connection, ConnectionEvents } from "#core/io/network";
import type { NodePorts } from "#core/node/ports";
import type { CreateNode, NodeSpec, Scenario, SimNode, WorkloadPort, WorkloadWorld } from "#sim/scenario";
import { nothingAsked } from "#sim/workload/loads";

/** What a toy node does wrong, at its n-th frame. */
export interface ToyFault {
  readonly atFrame: number;
  readonly how: "assert" | "throw" | "spin";
}

/** Greets every peer now and then, writes what it hears to a file and syncs it: all the ports, and no protocol. */
class ToyNode implements SimNode {
  private readonly spec: NodeSpec;
  private readonly ports: NodePorts;
  private readonly fault: ToyFault | undefined;
  private heard = 0;
  private greetings = 0;
  private readonly peers: Connection[] = [];

  constructor(spec: NodeSpec, ports: NodePorts, fault: ToyFault | undefined) {
    this.spec = spec;
    this.ports = ports;
    this.fault = fault;
  }

  start(done: (error?: Error) => void): void {
    const { network, disk } = this.ports;
    network.listen(
      this.spec.address,
      () => this.events(),
      () => undefined,
    );
    disk.open(`heard${this.ports.random.draw("file", 0)}`, "new", (error, file) => {
      if (error !== undefined) {
        done(error);
        return;
      }
      const keep = (): void => {
        file.write(this.heard % 4_096, [Uint8Array.of(this.heard)], () => file.sync(() => undefined));
        this.ports.clock.at(this.ports.clock.monotonic() + 20_000, keep);
      };
      keep();
      done();
    });
    for (const { node, address } of this.spec.peers) {
      if (node !== this.spec.node) this.peers.push(network.connect(address, "peer-bulk", this.events()));
    }
    this.greet();
  }

  stop(done: () => void): void {
    for (const peer of this.peers) peer.close();
    done();
  }

  private greet(): void {
    const { clock, random } = this.ports;
    for (const peer of this.peers) peer.send(new Uint8Array(16).fill(this.greetings));
    const wait = 5_000 + (random.draw("greet", this.greetings++) % 10_000);
    clock.at(clock.monotonic() + wait, () => this.greet());
  }

  private events(): ConnectionEvents {
    return {
      opened: () => undefined,
      frame: () => this.hear(),
      drained: () => undefined,
      closed: () => undefined,
    };
  }

  private hear(): void {
    this.heard += 1;
    if (this.heard !== this.fault?.atFrame) return;
    if (this.fault.how === "assert") throw new AssertionError("a toy hears only so much");
    if (this.fault.how === "throw") throw new RangeError("toy broken");
    const spin = (): void => this.ports.clock.soon(spin);
    spin();
  }
}

export function toyNodes(fault?: ToyFault): CreateNode {
  return (spec, ports) => new ToyNode(spec, ports, fault);
}

/** Asks nothing and reads nothing back. */
export function noLoad(world: WorkloadWorld): WorkloadPort {
  return {
    start: () => undefined,
    stop: () => undefined,
    acked: 0,
    finish: (done) => world.at(world.now() + 1, () => done(undefined, undefined)),
    waitingFor: () => "nothing",
    histories: [],
  };
}

/** Toys come to no log, so liveness is not asked of them unless a test wants it. */
export const toyScenario: Scenario = {
  name: "toy",
  summary: "toys greet each other",
  nodes: [3, 5],
  duration: 2_000_000,
  budget: "unrestricted",
  workload: nothingAsked,
  faults: {
    "network.loss": [0.01, 0.05],
    "network.duplicate": 0.02,
    "network.slow": [0, 0.05],
    "disk.slow": 0.05,
    "disk.survive": 0.5,
    "process.powerLoss": 0.5,
    "process.downMax": 300_000,
  },
  nemesis(world) {
    world.repeat("toy-crash", { min: 100_000, max: 400_000 }, (n) => {
      const value = world.decide({ kind: "toy-crash", key: `toy-crash#${n}` }, () => {
        const node = world.nodes[world.draw("who", n) % world.nodes.length];
        return node !== undefined && world.isUp(node) ? node : undefined;
      });
      const node = world.nodes.find((candidate) => candidate === value);
      if (node !== undefined)
        world.crash(node, { how: n % 2 === 0 ? "kill" : "power", afterTurns: n % 5, downFor: 50_000 });
    });
    world.repeat("toy-cut", { min: 300_000, max: 600_000 }, (n) => {
      const value = world.decide(
        { kind: "toy-cut", key: `toy-cut#${n}` },
        () => world.nodes[n % world.nodes.length],
      );
      const node = world.nodes.find((candidate) => candidate === value);
      if (node === undefined) return;
      const cut = world.cut([node], world.nodes);
      world.after(200_000, () => cut.heal());
    });
  },
};
