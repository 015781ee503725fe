import type { ClusterNode, LocalCluster } from "../../support/cluster.ts";
import { persist } from "../../support/processes.ts";
import type { Progress } from "../support/progress.ts";
import { AckLoad, pause, wallMs } from "./ack-load.ts";
import type { Failover } from "./timeline.ts";
import { failoverOf, logEnds } from "./timeline.ts";

/** Small, since each restart reads the whole log again. */
const entryBytes = 128;
const acknowledgedMsMax = 20_000;
const healMsMax = 60_000;
/** Entries that a follower may be behind and still count as caught up, under load. */
const lagMax = 4_096;
/** Between a healed cluster and the next fault. */
const calmMs = 500;

interface Options {
  readonly inFlight: number;
  readonly progress: Progress;
}

/** What a time without faults came to. */
export interface Quiet {
  readonly perSecond: number;
  readonly gapMaxMs: number;
  readonly elections: number;
}

/** Faults of the leader, one after the other, each healed before the next. */
export class FailoverRun {
  readonly load: AckLoad;
  private readonly cluster: LocalCluster;
  private readonly options: Options;

  constructor(cluster: LocalCluster, options: Options) {
    this.cluster = cluster;
    this.options = options;
    this.load = new AckLoad(cluster.peers, options.inFlight, entryBytes);
  }

  async begin(): Promise<void> {
    await this.load.next(-1, acknowledgedMsMax);
    await this.healed();
  }

  end(): Promise<void> {
    return this.load.stop();
  }

  async repeat(what: string, times: number, fault: () => Promise<Failover>): Promise<Failover[]> {
    const { progress } = this.options;
    const all: Failover[] = [];
    progress.begin(what, times);
    for (let n = 0; n < times; n++) {
      all.push(await fault());
      progress.step(n + 1);
      await progress.breathe();
    }
    return all;
  }

  async killLeader(): Promise<Failover> {
    const leader = await this.cluster.leader();
    const failover = await this.measure(leader, () => leader.signal("SIGKILL"));
    await leader.kill();
    leader.start();
    await this.healed();
    return failover;
  }

  async stopLeader(): Promise<Failover> {
    const leader = await this.cluster.leader();
    try {
      return await this.measure(leader, () => leader.signal("SIGSTOP"));
    } finally {
      leader.signal("SIGCONT");
      await this.healed();
    }
  }

  private async measure(leader: ClusterNode, fault: () => void): Promise<Failover> {
    const logs = logEnds(this.cluster.nodes.filter((node) => node !== leader));
    const term = (await leader.metrics()).get("quorumlog_term") ?? 0;
    const next = this.load.next(term, acknowledgedMsMax);
    const since = wallMs();
    fault();
    return failoverOf(since, await next, logs);
  }

  /** Full load without a fault: nobody may doubt the leader. */
  async quiet(seconds: number): Promise<Quiet> {
    const { progress } = this.options;
    const before = await this.roleChanges();
    const acknowledged = this.load.acknowledged;
    const begun = performance.now();
    this.load.resetGap();
    progress.begin("seconds without a fault", seconds);
    for (let at = 0; at < seconds; at++) {
      await pause(1_000);
      progress.step(at + 1);
      await progress.breathe();
    }
    const took = (performance.now() - begun) / 1_000;
    const perSecond = Math.round((this.load.acknowledged - acknowledged) / Math.max(took, 0.001));
    return { perSecond, gapMaxMs: this.load.gapMaxMs, elections: (await this.roleChanges()) - before };
  }

  private async roleChanges(): Promise<number> {
    let sum = 0;
    for (const node of this.cluster.nodes) {
      for (const [name, value] of await node.metrics(5_000)) {
        if (name.startsWith("quorumlog_role_changes_total{")) sum += value;
      }
    }
    return sum;
  }

  /** Every node is a member, knows the leader and is not far behind it. */
  private async healed(): Promise<void> {
    await persist("the nodes do not agree again", () => this.agree(), healMsMax);
    await pause(calmMs);
  }

  private async agree(): Promise<void> {
    const all = await Promise.all(this.cluster.nodes.map((node) => node.metrics()));
    const last = Math.max(...all.map((metrics) => metrics.get("quorumlog_last_index") ?? -1));
    const terms = new Set(all.map((metrics) => metrics.get("quorumlog_term")));
    const well = all.every((metrics) => {
      const behind = last - (metrics.get("quorumlog_last_index") ?? -1);
      return metrics.get("quorumlog_has_leader") === 1 && behind <= lagMax;
    });
    if (!well || terms.size > 1) throw new Error("not yet");
  }
}
