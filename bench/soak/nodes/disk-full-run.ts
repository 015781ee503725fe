import type { LogClient } from "#prod/log-client";
import type { ClusterNode, LocalCluster } from "../../support/cluster.ts";
import { persist } from "../../support/processes.ts";
import type { Progress } from "../support/progress.ts";
import type { SoakFailure } from "../support/soak.ts";

const entryBytes = 65_536;
const inFlight = 4;
const resumeMsMax = 30_000;
/** Appends made after each step, to see that service goes on. */
const probes = 20;

interface Options {
  readonly cluster: LocalCluster;
  readonly client: LogClient;
  readonly progress: Progress;
  readonly mebibytes: number;
  /** Of n0 and of n1, the second one twice as large. */
  readonly disks: readonly { resize(mebibytes: number): void }[];
}

/** One disk fills and is freed; then a majority's; each time the log goes on by itself. */
export class DiskFullRun {
  readonly told: [string, string][] = [];
  readonly failures: SoakFailure[] = [];
  private readonly options: Options;
  private readonly payload = new Uint8Array(entryBytes).fill(68);
  private acknowledged = 0;

  constructor(options: Options) {
    this.options = options;
  }

  private tell(what: string, how: string): void {
    this.told.push([what, how]);
  }

  private check(holds: boolean, what: string): void {
    if (!holds) this.failures.push({ what, replay: "npm run soak -- disk-full" });
  }

  async run(): Promise<void> {
    const { client, cluster, progress } = this.options;
    progress.begin("steps", 4);
    await persist("the cluster", () => client.append("first"));
    const full = cluster.node("n0");
    if (!(await full.leads())) await client.transfer(full.id);
    await this.fillOne(full);
    await this.step(1);
    await this.freeOne(full);
    await this.step(2);
    await this.fillMajority();
    await this.step(3);
    await this.freeMajority();
    await this.step(4);
  }

  private async step(done: number): Promise<void> {
    this.options.progress.step(done);
    await this.options.progress.breathe();
  }

  /** Appends so many entries at a time until `over`, or until one fails. @returns the failure's code. */
  private async append(over: () => Promise<boolean>, timeoutMs: number): Promise<string | undefined> {
    const { client } = this.options;
    for (let rounds = 0; rounds < 4_096; rounds++) {
      const batch = Array.from({ length: inFlight }, () => client.append(this.payload, { timeoutMs }));
      const results = await Promise.allSettled(batch);
      for (const result of results) {
        if (result.status === "fulfilled") this.acknowledged += 1;
        else return codesOf(result.reason);
      }
      if (await over()) return undefined;
    }
    return "never full";
  }

  private async fillOne(full: ClusterNode): Promise<void> {
    const { cluster } = this.options;
    const code = await this.append(async () => !(await full.leads()), 20_000);
    const leader = await cluster.leader();
    this.tell("one disk full", `${this.acknowledged} appends, then ${full.id} handed over to ${leader.id}`);
    this.check(code === undefined, `an append failed (${code}) while one disk of three filled`);
    this.check(leader !== full, `${full.id} leads on a full disk`);
    const { intake } = await this.options.client.status(full.id);
    this.check(intake === "full", `${full.id} tells that its intake is ${intake}, on a full disk`);
    const before = this.acknowledged;
    const more = await this.append(async () => this.acknowledged - before >= probes, 20_000);
    this.tell(
      "with one disk full",
      `${this.acknowledged - before} further appends, ${more ?? "none refused"}`,
    );
    this.check(more === undefined, `an append failed (${more}) with one disk of three full`);
  }

  private async freeOne(full: ClusterNode): Promise<void> {
    const { disks, mebibytes } = this.options;
    disks[0]?.resize(2 * mebibytes);
    this.tell("freed", `${full.id} caught up in ${await this.caughtUp([full])} ms`);
  }

  private async fillMajority(): Promise<void> {
    const { client, cluster } = this.options;
    const code = await this.append(async () => false, 3_000);
    this.tell("a majority full", `${this.acknowledged} appends in all, then refused: ${code}`);
    this.check(code?.includes("disk-full") === true, `with a majority full an append ended as ${code}`);
    const index = await client.readIndex({ timeoutMs: 5_000 });
    this.tell("reads go on", `linearizable, at index ${index}`);
    const leader = await cluster.leader();
    this.tell("leader", `${leader.id}, elections go on from the reserve`);
  }

  private async freeMajority(): Promise<void> {
    const { client, cluster, disks, mebibytes } = this.options;
    for (const disk of disks) disk.resize(3 * mebibytes);
    const begun = performance.now();
    await persist("appends did not resume", () => client.append("again", { timeoutMs: 5_000 }), resumeMsMax);
    const resumedMs = Math.round(performance.now() - begun);
    this.tell(
      "freed",
      `appends again after ${resumedMs} ms, all caught up in ${await this.caughtUp(cluster.nodes)} ms`,
    );
    const before = this.acknowledged;
    const code = await this.append(async () => this.acknowledged - before >= probes, 20_000);
    this.check(code === undefined, `an append failed (${code}) once there was room again`);
    const stored = await client.readIndex();
    this.check(
      stored >= this.acknowledged,
      `${this.acknowledged} acknowledged, but the log ends at ${stored}`,
    );
  }

  /** @returns after how many milliseconds these nodes had applied what is committed now. */
  private async caughtUp(nodes: readonly ClusterNode[]): Promise<number> {
    const leader = await this.options.cluster.leader();
    const last = (await leader.metrics()).get("quorumlog_commit_index") ?? 0;
    const begun = performance.now();
    await persist(
      "a node did not catch up once there was room",
      async () => {
        for (const node of nodes) {
          const applied = (await node.metrics()).get("quorumlog_applied_index") ?? -1;
          if (applied < last) throw new Error(`${node.id} is at ${applied} of ${last}`);
        }
      },
      resumeMsMax,
    );
    return Math.round(performance.now() - begun);
  }
}

/** The code of an error and of what caused it. */
function codesOf(error: unknown): string {
  const codes: string[] = [];
  for (let at = error as { code?: string; cause?: unknown } | undefined; at !== undefined; ) {
    if (at.code !== undefined) codes.push(at.code);
    at = at.cause as typeof at;
  }
  return codes.join(", caused by ");
}
