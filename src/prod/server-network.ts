import type { Logger } from "pino";
import type { Trace } from "../core/io/trace.ts";
import type { PeerAddress } from "../core/node/config.ts";
import type { ServerConfig } from "./config.ts";
import type { LabelledCounts } from "./counters.ts";
import { Gatekeeper } from "./gatekeeper.ts";
import { peerSilenceMs, Silence } from "./logging.ts";
import type { NetworkOptions } from "./network.ts";
import type { GuardRefusal } from "./port-guard.ts";
import { contextOf } from "./tls-files.ts";
import type { Authorise } from "./tls-identity.ts";
import { nodesAt } from "./tls-options.ts";

export interface ServerNetworkParts {
  readonly config: ServerConfig;
  readonly authorise: Authorise;
  readonly logger: Logger;
  readonly turnedAway: LabelledCounts;
  readonly trace: Trace;
}

/** What is wrong where nobody knows more; strangers and scanners leave no line. */
const usually: { readonly [reason in GuardRefusal]?: string } = {
  tls: "it speaks TLS, and this node does not (tlsCert)",
  "too-many": "the process has as many connections as its limit of open files allows",
};

/** What a server's network is told, and whom it tells of those that it turns away. */
export function serverNetwork(parts: ServerNetworkParts): Omit<NetworkOptions, "turns" | "logService"> {
  const { config, logger, turnedAway } = parts;
  const silence = new Silence();
  const warn = (kind: string, message: string, fields: object = {}): void => {
    const more = silence.heard(kind, peerSilenceMs);
    if (more !== undefined) logger.warn(more === 0 ? fields : { ...fields, more }, message);
  };
  return {
    ...tlsParts(parts),
    refused: (reason, from, why) => {
      turnedAway.add(reason);
      const text = why ?? usually[reason];
      if (text !== undefined) warn(`${reason} ${text}`, `turned a connection away: ${text}`, { from });
    },
    denied: (service, from, why) => {
      turnedAway.add("not-authorised");
      warn(`${service} ${why}`, `refused ${service === "client" ? "a client" : "a peer"}: ${why}`, { from });
    },
    distrusted: (address, service, why) => {
      if (service !== "client") tellDistrust(parts, address, why);
    },
    full: `this node has as many clients as it takes (connectionsMax is ${config.node.limits.connectionsMax})`,
  };
}

function tlsParts({ config, authorise }: ServerNetworkParts): Pick<NetworkOptions, "dial" | "listen"> {
  const { tls } = config;
  if (tls === undefined) return {};
  const peers = config.node.groups.flatMap((group) => group.peers);
  const gatekeeper = new Gatekeeper({
    voters: new Set(peers.map(({ node }) => node)),
    clientAuth: tls.clientAuth,
    authorise,
  });
  return {
    dial: { context: contextOf(tls.material), nodeAt: nodesAt(peers) },
    listen: { material: tls.material, gatekeeper },
  };
}

/** A peer and this node do not believe each other: log, metrics and `/readyz` hear of it as of any other refusal. */
function tellDistrust({ config, trace }: ServerNetworkParts, address: string, reason: string): void {
  for (const { group, peers } of config.node.groups) {
    const peer = peers.find((one: PeerAddress) => one.address === address);
    if (peer === undefined) continue;
    const { self: node } = config.node;
    trace.emit({ kind: "peer", node, group, peer: peer.node, change: "refused", reason });
  }
}
