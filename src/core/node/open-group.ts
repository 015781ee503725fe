import type { Done } from "../base/task.ts";
import type { RaftConfig } from "../raft/config.ts";
import { Raft } from "../raft/raft.ts";
import { formatVersion } from "../storage/format.ts";
import type { Identity } from "../storage/identity.ts";
import type { LogStore, Recovered, StoreEvents } from "../storage/log-store.ts";
import { openStore } from "../storage/log-store.ts";
import type { GroupConfig, NodeConfig } from "./config.ts";
import { sortedVoters } from "./config.ts";
import { drawId } from "./membership.ts";
import type { NodePorts } from "./ports.ts";

/** A group's directory, opened and recovered, with the Raft machine that goes on from it. */
export interface OpenedGroup {
  readonly identity: Identity;
  readonly recovered: Recovered;
  readonly store: LogStore;
  readonly raft: Raft;
}

export function openGroup(
  config: NodeConfig,
  group: GroupConfig,
  ports: NodePorts,
  events: StoreEvents,
  done: Done<OpenedGroup>,
): void {
  const { limits } = config;
  const fresh = (): Identity => ({
    formatVersion,
    cluster: "",
    group: group.group,
    node: config.self,
    incarnation: drawId(ports.random, "incarnation", 2),
    voters: sortedVoters(group.peers),
    stage: "empty",
  });
  const options = {
    directory: group.directory,
    group: group.group,
    node: config.self,
    voters: sortedVoters(group.peers),
    segmentBytes: limits.segmentBytes,
    reserveBytes: limits.reserveBytes,
    batchBytesMax: limits.batchBytesMax,
    readBytesMax: limits.readBytesMax,
    indexIntervalBytes: limits.indexIntervalBytes,
    aheadBytes: limits.aheadBytes,
  };
  openStore(ports.disk, options, fresh, events, (error, opened) => {
    if (error !== undefined) return done(error, undefined as never);
    const { store, recovered } = opened;
    const start = {
      hardState: { term: recovered.meta.term, votedFor: recovered.meta.votedFor },
      end: recovered.end,
      terms: recovered.terms,
    };
    const draw = (key: number): number => ports.random.draw(`election/${group.group}`, key);
    const raft = new Raft(raftConfig(config, group), start, draw, ports.trace, group.group);
    done(undefined, { identity: recovered.identity ?? fresh(), recovered, store, raft });
  });
}

function raftConfig(config: NodeConfig, group: GroupConfig): RaftConfig {
  const { limits } = config;
  return {
    self: config.self,
    voters: sortedVoters(group.peers),
    heartbeatInterval: limits.heartbeatInterval,
    electionTimeoutMin: limits.electionTimeoutMin,
    electionTimeoutMax: limits.electionTimeoutMax,
    hintDelayMax: limits.hintDelayMax,
    transferTimeout: limits.transferTimeout,
    retransmitTimeout: limits.retransmitTimeout,
    inFlightMessagesMax: limits.inFlightMessagesMax,
    inFlightBytesMax: limits.inFlightBytesMax,
    messageBytesMax: limits.messageBytesMax,
    messageEntriesMax: limits.messageEntriesMax,
    windowBytesMax: limits.windowBytesMax,
    windowEntriesMax: limits.windowEntriesMax,
    uncommittedBytesMax: limits.uncommittedBytesMax,
    uncommittedEntriesMax: limits.uncommittedEntriesMax,
    pendingReadsMax: limits.pendingReadsMax,
  };
}
