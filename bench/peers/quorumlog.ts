import { LogClient } from "#prod/log-client";
import { drive } from "../append/drive.ts";
import { LocalCluster } from "../support/cluster.ts";
import { persist } from "../support/processes.ts";
import type { Peer, PeerRun } from "./peer.ts";

/** quorumlog itself, behind the same interface as the others. */
export const quorumlog: Peer = {
  name: "quorumlog, 3 nodes",
  note: "a majority has synced it; batches what is in flight",
  missing: () => undefined,
  start,
};

async function start(directory: string): Promise<PeerRun> {
  const cluster = await LocalCluster.start({ directory });
  const client = new LogClient({ peers: cluster.peers, name: "bench" });
  const stop = async (): Promise<void> => {
    await client.close();
    await cluster.stop();
  };
  try {
    await persist("quorumlog", () => client.append("first"));
    const leader = await cluster.leader();
    const followers = cluster.nodes.filter((node) => node !== leader);
    const driven = {
      pids: [leader, ...followers].map(({ pid }) => pid),
      append: (payload: Uint8Array) => client.append(payload),
      syncs: async () => (await leader.metrics()).get("quorumlog_syncs_total") ?? 0,
    };
    return { drive: (load) => drive(driven, load), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
