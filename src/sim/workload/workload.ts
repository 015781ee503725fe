import type { GroupId, NodeId } from "../../core/base/brand.ts";
import { LogError } from "../../core/base/errors.ts";
import type { Done } from "../../core/base/task.ts";
import type { Micros } from "../../core/base/units.ts";
import { millisecond, second } from "../../core/base/units.ts";
import { Client } from "../../core/client/client.ts";
import { clientConfig } from "../../core/client/client-config.ts";
import { between } from "../../core/io/random.ts";
import { simulatedLimits } from "../core-node.ts";
import type { History } from "../history/history.ts";
import { Recorder } from "../history/recorder.ts";
import type { ClientHost, WorkloadOptions, WorkloadPort, WorkloadWorld } from "../scenario.ts";
import { Strangers } from "./crowd.ts";
import { FinalRead } from "./final-read.ts";
import type { LoadWorld } from "./load-client.ts";
import { LoadClient } from "./load-client.ts";
import { Watcher } from "./watcher.ts";

/** The seed scales the scenario's rates by a drawn part of these hundredths. */
const ratePercentMin = 50;
const ratePercentMax = 150;
const pollInterval: Micros = 20 * millisecond;
const transferTimeout: Micros = 2 * second;

/** The clients of one group and what they saw. */
interface GroupLoad {
  readonly group: GroupId;
  readonly recorder: Recorder;
  readonly clients: readonly LoadClient[];
  readonly world: LoadWorld;
  readonly strangers: Strangers;
  readonly watchers: readonly Watcher[];
}

/** Clients on hosts of their own that append, read and tail every group of the cluster. */
export class Workload implements WorkloadPort {
  private readonly world: WorkloadWorld;
  private readonly options: WorkloadOptions;
  private readonly loads: readonly GroupLoad[];
  private readonly asker: { readonly host: ClientHost; readonly clients: ReadonlyMap<GroupId, Client> };
  private stopped = false;
  private paused = false;
  private transfers = 0;
  /** Those of which clients ask by name. */
  private named: readonly NodeId[];
  private reading: readonly FinalRead[] = [];

  constructor(world: WorkloadWorld, options: WorkloadOptions) {
    this.world = world;
    this.options = scaled(options, world);
    this.named = world.nodes.map(({ node }) => node);
    this.loads = world.groups.map((group) => this.load(group));
    const host = world.client();
    const clients = new Map(world.groups.map((group) => [group, connect(world, group, host)]));
    this.asker = { host, clients };
  }

  get histories(): readonly History[] {
    return this.loads.map((load) => load.recorder);
  }

  get acked(): number {
    let acked = 0;
    for (const { recorder } of this.loads) acked += recorder.acked;
    return acked;
  }

  start(): void {
    for (const { clients, watchers } of this.loads) for (const one of [...clients, ...watchers]) one.start();
    this.planTransfer();
  }

  pause(paused: boolean): void {
    this.paused = paused;
    for (const load of this.loads) for (const client of load.clients) client.paused = paused;
  }

  avoid(node: NodeId): void {
    this.named = this.named.filter((other) => other !== node);
  }

  burst(): void {
    for (const load of this.loads) for (const client of load.clients) client.burst();
  }

  crowd(group: GroupId): void {
    if (!this.stopped && !this.paused) this.loads.find((load) => load.group === group)?.strangers.come();
  }

  stop(): void {
    this.stopped = true;
    for (const load of this.loads) for (const client of load.clients) client.stop();
  }

  finish(done: Done<void>): void {
    if (this.inFlight > 0) {
      this.world.at(this.world.now() + pollInterval, () => this.finish(done));
      return;
    }
    let left = this.loads.length;
    this.reading = this.loads.map(({ group, recorder, watchers }) => {
      const client = this.asker.clients.get(group) as Client;
      // Where tails are watched this one is their measure: it does not sit where one of them may be stuck.
      const target = watchers.length > 0 ? "leader" : "any";
      return new FinalRead(client, this.asker.host.client, recorder, () => this.world.now(), target);
    });
    for (const read of this.reading) {
      read.start((error) => {
        left -= 1;
        if (error !== undefined && left >= 0) {
          left = -1;
          done(error, undefined);
        } else if (left === 0) done(undefined, undefined);
      });
    }
  }

  overdue(since: Micros, within: Micros): string | undefined {
    const before = this.world.now() - within;
    for (const { group, clients } of this.loads) {
      for (const { host, calls } of clients) {
        for (const { kind, invokedAt } of calls) {
          if (invokedAt >= since && invokedAt < before)
            return `${host.name} made a call (${kind}) on ${group} at ${invokedAt} us and has had no answer`;
        }
      }
    }
    return undefined;
  }

  waitingFor(): string {
    if (this.reading.length > 0) return this.reading.map((read) => read.waitingFor()).join("; ");
    return this.loads
      .map(({ group, clients }) => {
        let [appends, gets, readIndexes] = [0, 0, 0];
        for (const { waiting } of clients) {
          appends += waiting.append;
          gets += waiting.get;
          readIndexes += waiting["read-index"];
        }
        return `${group}: ${appends} appends, ${gets} gets and ${readIndexes} read-indexes without an answer`;
      })
      .join("; ");
  }

  private get inFlight(): number {
    let calls = 0;
    for (const load of this.loads) for (const client of load.clients) calls += client.inFlight;
    for (const { strangers } of this.loads) calls += strangers.inFlight;
    return calls;
  }

  private load(group: GroupId): GroupLoad {
    const recorder = new Recorder(group);
    const world: LoadWorld = {
      now: () => this.world.now(),
      at: (at, act) => this.world.at(at, act),
      connect: (host, pendingAppendsMax, drained) =>
        connect(this.world, group, host, { pendingAppendsMax, drained }),
      nodeAt: (draw) => this.named[draw % this.named.length] as NodeId,
    };
    const clients: LoadClient[] = [];
    const { clients: count } = this.options;
    const narrow = this.world.draw("narrow", 0) % 2 === 0;
    const eager = this.world.draw("eager", 0) % 2 === 0;
    for (let number = 0; number < count; number++) {
      const share = {
        options: this.options,
        clients: count,
        number,
        narrow: narrow && number === count - 1,
        eager,
      };
      clients.push(new LoadClient(this.world.client(), recorder, share, world));
    }
    const strangers = new Strangers(recorder, {
      host: () => this.world.client(),
      connect: (host) => connect(this.world, group, host),
      now: world.now,
    });
    const watchers = Array.from({ length: this.options.watchers ?? 0 }, () => {
      const host = this.world.client();
      return new Watcher(host, connect(this.world, group, host), recorder, world.now);
    });
    return { group, recorder, clients, world, strangers, watchers };
  }

  /** Asks for a change of leaders now and then. Whether it happens is the cluster's affair. */
  private planTransfer(): void {
    const { transferEvery } = this.options;
    if (transferEvery === undefined || transferEvery === 0) return;
    this.transfers += 1;
    const gap = between(
      this.draw(this.transfers * 2),
      Math.floor(transferEvery / 2),
      Math.floor(transferEvery * 1.5),
    );
    this.world.at(this.world.now() + gap, () => {
      if (this.stopped) return;
      const which = this.draw(this.transfers * 2 + 1);
      const to = this.world.nodes[which % this.world.nodes.length];
      const group = this.world.groups[Math.floor(which / 64) % this.world.groups.length];
      const client = group === undefined ? undefined : this.asker.clients.get(group);
      if (to !== undefined && !this.paused)
        client?.transfer(to.node, { timeout: transferTimeout }, ignoreRefusal);
      this.planTransfer();
    });
  }

  private draw(key: number): number {
    return this.world.draw("workload", key);
  }
}

export function createWorkload(world: WorkloadWorld, options: WorkloadOptions): WorkloadPort {
  return new Workload(world, options);
}

interface Room {
  readonly pendingAppendsMax: number | undefined;
  drained(): void;
}

function connect(world: WorkloadWorld, group: GroupId, host: ClientHost, room?: Room): Client {
  const { clock, network, random } = host;
  const config = clientConfig({
    group,
    peers: world.nodes,
    name: host.name,
    // No more in flight than the simulated nodes remember of a session.
    inFlightMax: simulatedLimits.sessionInFlightMax,
    appendEntriesMax: simulatedLimits.sessionInFlightMax,
    ...(room?.pendingAppendsMax === undefined ? {} : { pendingAppendsMax: room.pendingAppendsMax }),
  });
  return new Client(config, { clock, network, random }, { drained: () => room?.drained() });
}

function scaled(options: WorkloadOptions, world: WorkloadWorld): WorkloadOptions {
  const percent = between(world.draw("workload", 0), ratePercentMin, ratePercentMax);
  const scale = (rate: number): number => (rate * percent) / 100;
  return {
    ...options,
    appendsPerSecond: scale(options.appendsPerSecond),
    getsPerSecond: scale(options.getsPerSecond),
    readIndexesPerSecond: scale(options.readIndexesPerSecond),
  };
}

/** A transfer may fail for many good reasons; only a bug is news. */
function ignoreRefusal(error: Error | undefined): void {
  if (error !== undefined && !(error instanceof LogError)) throw error;
}
