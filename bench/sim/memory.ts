import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { NodeId } from "#core/base/brand";
import { mebibyte, second } from "#core/base/units";
import { Node } from "#core/node/node";
import type { NodePorts } from "#core/node/ports";
import { chunkBytes } from "#sim/chunks";
import { simulatedLimits } from "#sim/core-node";
import { SimRun } from "#sim/run";
import type { NemesisWorld, NodeSpec, Scenario, SimNode } from "#sim/scenario";
import { nothingAsked } from "#sim/workload/loads";
import { AppendLoad } from "./append-load.ts";

const growthAllowed: number = 64 * mebibyte;
/** Events between two looks at how far the run is. */
const sliceEvents = 2_000;
/** Samples in each half of the run; at the first one code is compiled and windows are full. */
const samplesPerHalf = 4;
const hour = 3_600 * second;
const seed = 1;

export interface MemorySample {
  readonly when: string;
  /** Bytes of acknowledged entries. */
  readonly appended: number;
  readonly heap: number;
  /** Bytes of buffers outside the heap, those of the simulated disks apart. */
  readonly buffers: number;
  readonly disks: number;
}

export interface MemoryReport {
  readonly entryBytes: number;
  readonly segmentBytes: number;
  readonly samples: readonly MemorySample[];
  /** Heap and buffers beyond the first sample, at the most. */
  readonly growth: number;
  readonly growthAllowed: number;
  /** Bytes that the disks hold for each byte appended. */
  readonly disksPerByte: number;
}

export interface MemoryWork {
  /** What is appended in all. */
  readonly bytes: number;
  readonly entryBytes: number;
  readonly segmentBytes: number;
}

/** As the simulator runs a node, but for the size of a segment. */
function nodeOf(spec: NodeSpec, ports: NodePorts, segmentBytes: number): SimNode {
  const { node: self, address: listen, peers, readOnly } = spec;
  const groups = spec.groups.map((group) => ({ group, peers, directory: group, forceBootstrap: false }));
  const limits = { ...simulatedLimits, segmentBytes };
  return new Node({ self, processId: 0, listen, groups, readOnly, limits }, ports);
}

/** Appends to one simulated group; in the second half a follower is down, and then it catches up. */
class MemoryRun {
  readonly samples: MemorySample[] = [];
  private readonly entryBytes: number;
  private readonly run: SimRun;
  private load: AppendLoad | undefined;
  private nemesis: NemesisWorld | undefined;
  private readonly collect: () => void;

  constructor({ entryBytes, segmentBytes }: MemoryWork) {
    this.entryBytes = entryBytes;
    setFlagsFromString("--expose-gc");
    this.collect = runInNewContext("gc") as () => void;
    const scenario: Scenario = {
      name: "memory",
      summary: "appends and nothing else",
      nodes: [3],
      // The run is left before its end.
      duration: 1_000 * hour,
      budget: "recoverable",
      workload: nothingAsked,
      faults: {},
      nemesis: (world) => {
        this.nemesis = world;
      },
    };
    this.run = new SimRun(scenario, seed, {
      createNode: (spec, ports) => nodeOf(spec, ports, segmentBytes),
      createWorkload: (world) => {
        this.load = new AppendLoad(world, entryBytes);
        return this.load;
      },
    });
  }

  measure(bytes: number): void {
    const entries = Math.max(2 * samplesPerHalf, Math.floor(bytes / this.entryBytes));
    const half = Math.floor(entries / 2);
    this.append(0, half, "all three run");
    const { nemesis } = this;
    const leader = nemesis?.leader();
    const follower = nemesis?.nodes.find((node) => node !== leader);
    if (nemesis === undefined || follower === undefined) throw new Error("there is a follower");
    nemesis.crash(follower, { how: "kill" });
    this.append(half, entries, "a follower is down");
    nemesis.restart(follower);
    this.catchUp(follower);
  }

  private append(from: number, to: number, when: string): void {
    const { load } = this;
    for (let part = 1; part <= samplesPerHalf; part++) {
      const target = from + Math.floor(((to - from) * part) / samplesPerHalf);
      load?.goOn(target);
      this.until(() => (load?.acked ?? 0) >= target);
      this.sample(when);
    }
  }

  private catchUp(follower: NodeId): void {
    const target = this.endOf(this.nemesis?.leader());
    const first = Math.max(0, this.endOf(follower));
    for (let part = 1; part <= samplesPerHalf; part++) {
      const wanted = first + Math.floor(((target - first) * part) / samplesPerHalf);
      this.until(() => this.endOf(follower) >= wanted);
      this.sample("it catches up");
    }
  }

  private endOf(node: NodeId | undefined): number {
    return this.run.result().atEnd.find((at) => at.node === node)?.commitIndex ?? -1;
  }

  private until(reached: () => boolean): void {
    const wallMax = performance.now() + 3_600_000;
    while (!reached()) {
      if (this.run.advance(sliceEvents)) {
        const { verdict, violation } = this.run.result();
        throw new Error(`the run ended: ${verdict} ${violation?.checker} ${violation?.message}`);
      }
      if (performance.now() > wallMax) throw new Error("an hour without getting there");
    }
  }

  private sample(when: string): void {
    this.collect();
    this.collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const disks = this.diskBytes();
    const appended = (this.load?.acked ?? 0) * this.entryBytes;
    this.samples.push({ when, appended, heap: heapUsed, buffers: arrayBuffers - disks, disks });
  }

  private diskBytes(): number {
    const { cluster } = this.run;
    const [first] = cluster.nodes;
    let bytes = first === undefined ? 0 : cluster.diskOf(first).contents.storedBytes;
    for (const node of cluster.nodes)
      for (const file of cluster.diskOf(node).tree.files()) bytes += file.looseChunkCount * chunkBytes;
    return bytes;
  }
}

export function memory(work: MemoryWork): MemoryReport {
  const run = new MemoryRun(work);
  run.measure(work.bytes);
  const { samples } = run;
  const held = samples.map(({ heap, buffers }) => heap + buffers);
  const last = samples[samples.length - 1];
  return {
    entryBytes: work.entryBytes,
    segmentBytes: work.segmentBytes,
    samples,
    growth: Math.max(...held) - (held[0] ?? 0),
    growthAllowed,
    disksPerByte: last === undefined ? 0 : last.disks / last.appended,
  };
}
