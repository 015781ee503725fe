import { LogError } from "#core/base/errors";
import { second } from "#core/base/units";
import { Client } from "#core/client/client";
import { clientConfig } from "#core/client/client-config";
import { simulatedLimits } from "#sim/core-node";
import type { WorkloadPort, WorkloadWorld } from "#sim/scenario";

const inFlightMax = 16;
const callTimeout = 60 * second;
/** A refused call is made again after this long. */
const retryAfter = 20_000;

/** One client that appends as fast as it is answered, until `target` entries are acknowledged. It keeps no history. */
export class AppendLoad implements WorkloadPort {
  readonly histories: WorkloadPort["histories"] = [];
  acked = 0;
  target = 0;
  private sent = 0;
  private inFlight = 0;
  private readonly entryBytes: number;
  private readonly world: WorkloadWorld;
  private readonly client: Client;

  constructor(world: WorkloadWorld, entryBytes: number) {
    this.world = world;
    this.entryBytes = entryBytes;
    const { clock, network, random, name } = world.client();
    const [group] = world.groups;
    if (group === undefined) throw new Error("there is a group");
    const config = clientConfig({
      group,
      peers: world.nodes,
      name,
      inFlightMax: simulatedLimits.sessionInFlightMax,
      appendEntriesMax: simulatedLimits.sessionInFlightMax,
    });
    this.client = new Client(config, { clock, network, random });
  }

  /** Appends until so many entries in all are acknowledged. */
  goOn(target: number): void {
    this.target = target;
    this.fill();
  }

  start(): void {}
  stop(): void {
    this.target = 0;
  }
  finish(done: Parameters<WorkloadPort["finish"]>[0]): void {
    done(undefined, undefined);
  }
  waitingFor(): string {
    return `${this.inFlight} appends`;
  }

  private fill(): void {
    while (this.inFlight < inFlightMax && this.acked + this.inFlight < this.target) this.append();
  }

  private append(): void {
    this.inFlight += 1;
    const body = noise(this.sent++, this.entryBytes);
    this.client.append([body], { timeout: callTimeout }, (error) => {
      this.inFlight -= 1;
      if (error === undefined) {
        this.acked += 1;
        this.fill();
      } else if (error instanceof LogError) this.world.at(this.world.now() + retryAfter, () => this.fill());
      else throw error;
    });
  }
}

/** A body in which nothing comes again, nor in that of another number: disks that keep equal bytes once find none in it. */
function noise(number: number, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  let state = (Math.imul(number + 1, 0x9e3779b1) ^ 0x2545f491) | 1;
  for (let i = 0; i < bytes; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    body[i] = state;
  }
  return body;
}
