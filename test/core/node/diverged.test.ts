import { expect } from "chai";
import type { GroupId, NodeId } from "#core/base/brand";
import { groupId } from "#core/base/brand";
import { encodeEntries, recordHeaderBytes } from "#core/base/entry";
import type { TraceEvent } from "#core/io/trace";
import { directorySeed, encodeBatchHeader } from "#core/storage/batch";
import { batchHeaderBytes, positionOf } from "#core/storage/format";
import { decodeIdentity } from "#core/storage/identity";
import { Cluster } from "#sim/cluster";
import { coreNode } from "#sim/core-node";
import { FaultBudget } from "#sim/fault-budget";
import { LogMap } from "#sim/log-map";
import { SeededRandom } from "#sim/random";
import { drawSettings } from "#sim/settings";
import { World } from "#sim/world";

const second = 1_000_000;
const group = groupId("g0");

/** Three nodes without clients and without checkers, which would end the run at what happens here. */
class Trio {
  readonly events: TraceEvent[] = [];
  readonly world: World;
  readonly cluster: Cluster;

  constructor(seed: number) {
    const settings = drawSettings({}, new SeededRandom(seed), {});
    this.world = new World({ seed, settings, recording: false, replay: undefined });
    const budget = new FaultBudget("unrestricted", 3, () => true);
    this.cluster = new Cluster(this.world, { budget, nodes: 3, groups: [group], createNode: coreNode });
    this.world.trace.listen(({ event }) => this.events.push(event));
    for (const node of this.cluster.nodes) this.cluster.start(node);
  }

  run(seconds: number): TraceEvent[] {
    const from = this.events.length;
    this.world.scheduler.run(this.world.scheduler.now + seconds * second);
    return this.events.slice(from);
  }

  get leader(): NodeId {
    const led = this.events.filter((event) => event.kind === "role" && event.role === "leader");
    return led[led.length - 1]?.node as NodeId;
  }
}

/** Puts another entry of the same index and term in place of the last one, every checksum right: what no crash leaves. */
function forgeLastEntry(trio: Trio, node: NodeId, of: GroupId): void {
  const { tree } = trio.cluster.diskOf(node);
  const map = LogMap.of(tree, of);
  const file = tree.files().find((one) => one.read(0, 20).length > 0 && isIdentity(one.read(0, one.length)));
  if (map === undefined || file === undefined) throw new Error("the node has a log");
  const seed = directorySeed(decodeIdentity(file.read(0, file.length)).incarnation);
  const last = map.frames.filter(({ header }) => header.count > 0).pop();
  if (last === undefined || last.header.payloadBytes !== recordHeaderBytes)
    throw new Error("it ends with a no-op");
  const content = { kind: "data", body: new Uint8Array(0), session: 0, sequence: 0 } as const;
  const bytes = last.file.read(last.offset + batchHeaderBytes, recordHeaderBytes);
  const term = new DataView(bytes.buffer, bytes.byteOffset).getUint32(20);
  const [forged] = encodeEntries(last.header.previous, term, [content]);
  if (forged === undefined) throw new Error("one entry is forged");
  last.file.corrupt(last.offset + batchHeaderBytes, forged.block);
  for (const { header, segment, offset, file: where } of map.frames) {
    if (header.previous.index !== forged.index) continue;
    const previous = { ...header.previous, chainCrc: forged.chainCrc };
    where.corrupt(offset, encodeBatchHeader({ ...header, previous }, seed, positionOf(segment, offset)));
  }
}

function isIdentity(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 9)) === "quorumlog";
}

describe("a node whose log differs from its leader's", () => {
  it("fails, and after a restart it neither votes nor stands, whoever else is down", () => {
    const trio = new Trio(3);
    trio.run(5);
    const { leader } = trio;
    const [wrong, other] = trio.cluster.nodes.filter((node) => node !== leader) as [NodeId, NodeId];
    trio.cluster.crash(wrong, "kill");
    trio.run(1);
    forgeLastEntry(trio, wrong, group);
    trio.cluster.start(wrong);
    const told = trio.run(5).filter((event) => event.node === wrong && event.kind === "standing");
    expect(told).to.deep.include.members([{ ...told[0], standing: "failed" }]);

    trio.cluster.crash(wrong, "kill");
    trio.run(1);
    trio.cluster.crash(leader, "kill");
    trio.cluster.start(wrong);
    const after = trio.run(10);
    // An operator starts a failed node again and again.
    const standings = after.flatMap((event) =>
      event.kind === "recovered" && event.node === wrong ? [event.standing] : [],
    );
    expect([...new Set(standings)]).to.deep.equal(["failed"]);
    const deeds = after.filter(
      (event) =>
        event.node === wrong &&
        (event.kind === "vote" ||
          event.kind === "match" ||
          (event.kind === "role" && event.role !== "follower")),
    );
    expect(deeds).to.deep.equal([]);
    expect(after.some((event) => event.kind === "role" && event.role === "leader")).to.equal(false);

    // The two that agree go on.
    trio.cluster.start(leader);
    const led = trio.run(5).filter((event) => event.kind === "role" && event.role === "leader");
    expect([leader, other]).to.include(led[0]?.node);
  });
});
