import { kibibyte, millisecond } from "../core/base/units.ts";
import type { NodeLimits } from "../core/node/config.ts";
import { defaultLimits } from "../core/node/config.ts";
import { Node } from "../core/node/node.ts";
import type { NodePorts } from "../core/node/ports.ts";
import type { NodeSpec, SimNode } from "./scenario.ts";

/**
 * Production's limits, except that everything which fills up in an hour there fills up in a minute here: segments roll,
 * entries leave memory and come back from the disk, messages and batches are cut, old sessions are evicted.
 */
export const simulatedLimits: NodeLimits = {
  ...defaultLimits,
  segmentBytes: 64 * kibibyte,
  reserveBytes: 16 * kibibyte,
  batchBytesMax: 32 * kibibyte,
  readBytesMax: 32 * kibibyte,
  indexIntervalBytes: 4 * kibibyte,
  aheadBytes: 16 * kibibyte,
  windowBytesMax: 64 * kibibyte,
  windowEntriesMax: 256,
  messageBytesMax: 32 * kibibyte,
  messageEntriesMax: 64,
  inFlightMessagesMax: 16,
  idleMarkDelay: 60 * millisecond,
  // Shorter than the mending of a few dozen pieces: a peer is asked while another one's copies are still on their way.
  repairInterval: 20 * millisecond,
  // Less than what a follower catches up with, more than one full message.
  inFlightBytesMax: 40 * kibibyte,
  // The largest append of the workload, 96 KiB beside small ones, must fit alone, and two such ones not.
  uncommittedBytesMax: 160 * kibibyte,
  uncommittedEntriesMax: 72,
  pendingAppendsMax: 8,
  pendingAppendBytesMax: 176 * kibibyte,
  pendingReadsMax: 8,
  tailsMax: 4,
  connectionRequestsMax: 14,
  connectionAnswerBytesMax: 128 * kibibyte,
  sessionsMax: 8,
  sessionInFlightMax: 64,
};

/** Less than a few batches: holes of several are mended in pieces. */
const simulatedRepairBytesMax = 1 * kibibyte;

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
      readOnly: spec.readOnly,
      limits: { ...simulatedLimits, sessionsMax: simulatedLimits.sessionsMax + spec.sessionsAside },
      repairBytesMax: simulatedRepairBytesMax,
    },
    ports,
  );
}
