import { kibibyte, mebibyte } from "../core/base/units.ts";
import type { NodeLimits } from "../core/node/config.ts";
import { defaultLimits } from "../core/node/config.ts";
import { Node } from "../core/node/node.ts";
import type { NodePorts } from "../core/node/ports.ts";
import type { NodeSpec, SimNode } from "./scenario.ts";

/** Production's limits, except that segments are small enough for a minute's load to fill some. */
export const simulatedLimits: NodeLimits = {
  ...defaultLimits,
  segmentBytes: mebibyte,
  reserveBytes: 256 * kibibyte,
};

/** Core's node over simulated ports. */
export function coreNode(spec: NodeSpec, ports: NodePorts): SimNode {
  return new Node(
    {
      self: spec.node,
      processId: 0,
      listen: spec.address,
      groups: spec.groups.map((group) => ({
        group,
        peers: spec.peers,
        directory: group,
        forceBootstrap: false,
      })),
      limits: simulatedLimits,
    },
    ports,
  );
}
