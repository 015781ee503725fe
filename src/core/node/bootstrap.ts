import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/brand.ts";
import type { Stage } from "../storage/identity.ts";

/**
 * How an empty group comes to life, and how a voter that lost its disk is kept from voting again.
 *
 * A directory goes through stages, each synced before it is told:
 * 1. `empty`: nothing here yet.
 * 2. `adopted`: it has the cluster's uuid. The voter with the lowest id proposes one once every voter answered and
 *    every directory is empty or adopted; the others follow it under the same condition.
 * 3. `active`: every voter is known to have adopted. Only now may the node vote.
 * 4. `wiped`: an empty directory that met an active voter. Since `active` proves that every voter, this one too, had
 *    adopted, what was here is lost: it never votes again by itself.
 *
 * A crash at any point resumes: an adopted node waits to hear that all have adopted, or that one is active.
 */
export interface BootstrapPeer {
  readonly stage: Stage;
  readonly cluster: string;
  /** The incarnation by which that voter, once active, knows this node; "" when it knows none. */
  readonly knowsSelfAs: string;
}

export type BootstrapStep =
  | { readonly change: "none"; readonly waitingFor: readonly NodeId[] }
  | { readonly change: "adopt"; readonly cluster: string }
  | { readonly change: "activate" }
  | { readonly change: "wiped"; readonly cluster: string }
  | { readonly change: "conflict"; readonly cluster: string; readonly with: NodeId };

export interface BootstrapView {
  readonly self: NodeId;
  /** Sorted. */
  readonly voters: readonly NodeId[];
  readonly stage: Stage;
  readonly cluster: string;
  readonly incarnation: string;
  /** What each other voter said last; absent when it has not answered in this life. */
  readonly heard: ReadonlyMap<NodeId, BootstrapPeer>;
  /** The uuid to propose if it falls to this node. */
  readonly proposal: string;
  readonly force: boolean;
}

/** The next stage of this node's directory, from what is known now. Pure: the caller saves and announces. */
export function bootstrapStep(view: BootstrapView): BootstrapStep {
  if (view.stage === "active" || view.stage === "wiped") return { change: "none", waitingFor: [] };
  const others = view.voters.filter((voter) => voter !== view.self);
  const conflict = foreignCluster(view, others);
  if (conflict !== undefined) return conflict;
  const active = others.find((voter) => view.heard.get(voter)?.stage === "active");
  if (active !== undefined) return meetActive(view, active);
  if (view.force) return force(view, others);
  const waitingFor = others.filter((voter) => !answeredFresh(view.heard.get(voter)));
  if (waitingFor.length > 0) return { change: "none", waitingFor };
  return view.stage === "empty" ? adopt(view, others) : activate(view, others);
}

function answeredFresh(peer: BootstrapPeer | undefined): boolean {
  return peer !== undefined && (peer.stage === "empty" || peer.stage === "adopted");
}

/** Two adopted clusters never merge: an operator has mixed directories up. */
function foreignCluster(view: BootstrapView, others: readonly NodeId[]): BootstrapStep | undefined {
  let known = view.cluster;
  for (const voter of others) {
    const cluster = view.heard.get(voter)?.cluster ?? "";
    if (cluster === "") continue;
    if (known !== "" && known !== cluster) return { change: "conflict", cluster, with: voter };
    known = cluster;
  }
  return undefined;
}

function meetActive(view: BootstrapView, active: NodeId): BootstrapStep {
  const peer = view.heard.get(active);
  const cluster = peer?.cluster ?? "";
  assert(cluster !== "", "an active voter has a cluster");
  // It knows this node by an earlier directory, which may have voted: what was in that one is lost.
  const replaced = peer?.knowsSelfAs !== "" && peer?.knowsSelfAs !== view.incarnation;
  if (view.stage === "adopted") return replaced ? { change: "wiped", cluster } : { change: "activate" };
  return view.force ? { change: "adopt", cluster } : { change: "wiped", cluster };
}

function force(view: BootstrapView, others: readonly NodeId[]): BootstrapStep {
  if (view.stage === "adopted") return { change: "activate" };
  const known = clusterOf(view, others);
  return { change: "adopt", cluster: known === "" ? view.proposal : known };
}

function adopt(view: BootstrapView, others: readonly NodeId[]): BootstrapStep {
  const known = clusterOf(view, others);
  if (known !== "") return { change: "adopt", cluster: known };
  const lowest = view.voters[0];
  if (lowest === view.self) return { change: "adopt", cluster: view.proposal };
  return { change: "none", waitingFor: lowest === undefined ? [] : [lowest] };
}

function activate(view: BootstrapView, others: readonly NodeId[]): BootstrapStep {
  const waitingFor = others.filter((voter) => view.heard.get(voter)?.stage !== "adopted");
  return waitingFor.length > 0 ? { change: "none", waitingFor } : { change: "activate" };
}

function clusterOf(view: BootstrapView, others: readonly NodeId[]): string {
  for (const voter of others) {
    const cluster = view.heard.get(voter)?.cluster ?? "";
    if (cluster !== "") return cluster;
  }
  return "";
}
