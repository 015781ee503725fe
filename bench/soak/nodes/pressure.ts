import type { LogClient } from "#prod/log-client";
import type { ClusterNode, LocalCluster } from "../../support/cluster.ts";
import { memoryOf } from "../../support/process-stats.ts";
import { persist } from "../../support/processes.ts";
import type { Progress } from "../support/progress.ts";
import type { AckLoad } from "./ack-load.ts";
import { pause } from "./ack-load.ts";
import { RawClient } from "./raw-client.ts";

const sampleEveryMs = 250;
const catchUpMsMax = 120_000;

/** What one way to press on the nodes came to. */
export interface Pressed {
  readonly name: string;
  readonly perSecond: number;
  readonly gapMaxMs: number;
  /** The most that each node had in memory meanwhile, and this process, in which the clients are. */
  readonly residentMiB: readonly number[];
  readonly ownMiB: number;
  readonly note: string;
  /** Why this was no pressure at all. */
  readonly flaw: string | undefined;
}

/** A way to press: begins, lasts while the soak looks on, is ended. @returns what it tells in the end. */
export interface Pressure {
  readonly name: string;
  begin(): Promise<void>;
  /** A moment of the time that it lasts. */
  tick?(): void;
  end(): Promise<string>;
  /** Once it has ended: why it was no pressure at all. */
  flaw?(): string | undefined;
}

export async function press(
  pressure: Pressure,
  {
    cluster,
    load,
    seconds,
    progress,
  }: {
    readonly cluster: LocalCluster;
    readonly load: AckLoad;
    readonly seconds: number;
    readonly progress: Progress;
  },
): Promise<Pressed> {
  const most = cluster.nodes.map(() => 0);
  let own = 0;
  await pressure.begin();
  const before = load.acknowledged;
  const begun = performance.now();
  load.resetGap();
  progress.begin(pressure.name, seconds);
  for (;;) {
    const elapsed = (performance.now() - begun) / 1_000;
    for (const [at, { pid }] of cluster.nodes.entries())
      most[at] = Math.max(most[at] ?? 0, memoryOf(pid)?.residentMiB ?? 0);
    own = Math.max(own, process.memoryUsage.rss() / 1_048_576);
    if (elapsed >= seconds) break;
    pressure.tick?.();
    await pause(sampleEveryMs);
    progress.step(Math.floor(elapsed));
    await progress.breathe();
  }
  const perSecond = Math.round(((load.acknowledged - before) * 1_000) / (performance.now() - begun));
  const gapMaxMs = Math.round(load.gapMaxMs);
  const note = await pressure.end();
  return {
    name: pressure.name,
    perSecond,
    gapMaxMs,
    residentMiB: most.map(Math.round),
    ownMiB: Math.round(own),
    note,
    flaw: pressure.flaw?.(),
  };
}

/** Nothing but the load, to compare with. */
export function nothing(): Pressure {
  return { name: "load alone", begin: () => Promise.resolve(), end: () => Promise.resolve("") };
}

/** A follower neither reads nor answers, and its connections stay open. */
export function stoppedFollower(cluster: LocalCluster, leader: ClusterNode): Pressure {
  const follower = cluster.nodes.find((node) => node !== leader) as ClusterNode;
  return {
    name: "a follower under SIGSTOP",
    begin: async () => follower.signal("SIGSTOP"),
    end: async () => {
      const last = (await leader.metrics()).get("quorumlog_commit_index") ?? 0;
      const begun = performance.now();
      follower.signal("SIGCONT");
      await persist(
        "the follower did not catch up",
        async () => {
          if (((await follower.metrics()).get("quorumlog_applied_index") ?? -1) < last)
            throw new Error("behind");
        },
        catchUpMsMax,
      );
      return `caught up in ${Math.round(performance.now() - begun)} ms`;
    },
  };
}

/**
 * Clients that ask for as much as they may and read nothing of it. The node keeps them, and what it answered: each tick
 * one of them leaves and comes again, so that over the whole time new ones fill their part of its memory.
 */
export function neverReading(address: string, count: number): Pressure {
  const clients: RawClient[] = [];
  let connections = 0;
  let ticks = 0;
  const connect = (): RawClient => {
    connections += 1;
    const client = new RawClient(address, false);
    const question = { from: 0, entriesMax: 1_024, bytesMax: 1_048_576, waitMicros: 0, linearizable: false };
    for (let n = 0; n < 64; n++) client.send({ type: "tail", ...question });
    return client;
  };
  return {
    name: `${count} clients that never read`,
    begin: async () => {
      for (let n = 0; n < count; n++) clients.push(connect());
    },
    tick: () => {
      const old = ticks++ % clients.length;
      for (const [at, client] of clients.entries()) {
        // Whoever was disconnected learns it when it writes.
        client.send({ type: "ping" });
        if (at === old) client.close();
        if (client.ended) clients[at] = connect();
      }
    },
    end: async () => {
      for (const client of clients) client.close();
      return `${connections} connections`;
    },
    flaw: () => (connections > count ? undefined : "no client came again: they pressed once only"),
  };
}

/** Tails of a client of the library that take one entry each and then no more. */
export function neverConsumed(client: LogClient, count: number): Pressure {
  const tails: AsyncGenerator<unknown>[] = [];
  return {
    name: `${count} tails that are never consumed`,
    begin: async () => {
      for (let n = 0; n < count; n++) {
        const tail = client.tail({ from: 0 });
        tails.push(tail);
        await tail.next();
      }
    },
    end: async () => {
      for (const tail of tails) await tail.return(undefined);
      return "";
    },
  };
}

/** Connections that introduce themselves and then say nothing. */
export function idle(addresses: readonly string[], count: number): Pressure {
  const clients: RawClient[] = [];
  return {
    name: `${count.toLocaleString("en")} idle connections`,
    begin: async () => {
      for (let n = 0; n < count; n++) {
        clients.push(new RawClient(addresses[n % addresses.length] ?? "", true));
        if (n % 20 === 19) await pause(20);
      }
    },
    end: async () => {
      const greeted = clients.filter(({ answers, ended }) => answers > 0 && !ended).length;
      for (const client of clients) client.close();
      return `${greeted.toLocaleString("en")} of them greeted and still there`;
    },
  };
}
