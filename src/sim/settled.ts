import type { GroupId, NodeId } from "../core/base/brand.ts";
import type { ClusterModel, Member } from "./checker/cluster-model.ts";

/** What of the cluster is not in the trace. */
export interface AfterHealing {
  hasStarted(node: NodeId): boolean;
  /** The node that gave up and to which nobody comes. */
  leftAlone(): NodeId | undefined;
}

/** Whether the members of all groups have come to rest once the faults are over. */
export class Settled {
  private readonly model: ClusterModel;
  private readonly groups: readonly GroupId[];
  private readonly cluster: AfterHealing;

  constructor(model: ClusterModel, groups: readonly GroupId[], cluster: AfterHealing) {
    this.model = model;
    this.groups = groups;
    this.cluster = cluster;
  }

  /** Without one that has given up for good: it is silent, and the others go on. */
  members(group: GroupId): readonly Member[] {
    return this.model.group(group).members.filter((member) => !this.isGivenUp(member));
  }

  isGivenUp({ node, standing }: Member): boolean {
    return standing === "failed" && node === this.cluster.leftAlone();
  }

  /** What is damaged is being mended; only a voter whose directory was emptied stays out for good, and it follows. */
  someoneIsOut(): boolean {
    return this.groups.some((group) =>
      this.members(group).some(
        ({ node, standing, wiped }) =>
          !this.cluster.hasStarted(node) || (standing !== "member" && standing !== "wiped" && !wiped),
      ),
    );
  }

  /** Whether all have come to the same end, on their disks too. */
  isSettled(): boolean {
    if (this.someoneIsOut()) return false;
    for (const group of this.groups) {
      const members = this.members(group).filter(
        ({ standing }) => standing === "member" || standing === "wiped",
      );
      const first = members[0];
      if (first === undefined) continue;
      const same = (index: number): boolean => index === first.commitIndex;
      const ended = members.every(
        ({ commitIndex, lastIndex, syncedIndex }) =>
          same(commitIndex) && same(lastIndex) && same(syncedIndex),
      );
      if (!ended) return false;
    }
    return true;
  }
}
