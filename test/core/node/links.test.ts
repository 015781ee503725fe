import { expect } from "chai";
import type { GroupId, NodeId } from "#core/base/brand";
import type { Connection, Service } from "#core/io/network";
import { defaultLimits } from "#core/node/config";
import type { LinkGroup } from "#core/node/links";
import { PeerLinks } from "#core/node/links";
import type { Hello } from "#core/node/peer-frame";
import { encodeHello } from "#core/node/peer-frame";
import type { NodePorts } from "#core/node/ports";

const group = "g" as GroupId;

function helloOf(from: string): Hello {
  const voters = ["n0", "n1", "n2"] as NodeId[];
  const names = { from: from as NodeId, incarnation: "0123456789abcdef", cluster: "", voters, peers: [] };
  return { ...names, versionLow: 1, versionHigh: 1, stage: "active", entryBodyBytesMax: 1 };
}

class Accepting {
  readonly surplus: string[] = [];
  readonly links: PeerLinks;
  private readonly closed: boolean[] = [];

  constructor() {
    const told = {
      group,
      others: ["n1", "n2"] as NodeId[],
      hello: () => helloOf("n0"),
      heard: () => undefined,
      surplus: (peer: string, reason: string) => void this.surplus.push(`${peer}: ${reason}`),
    } as unknown as LinkGroup;
    // Clients alone are bounded by connectionsMax: one of them leaves all peers their connections.
    const limits = { ...defaultLimits, connectionsMax: 1 };
    this.links = new PeerLinks({} as NodePorts, limits, new Map([[group, told]]), new Map());
  }

  /** @param from who introduces himself on it, if anybody. */
  accept(service: Service, from?: string): void {
    const at = this.closed.push(false) - 1;
    const connection = {
      send: () => true,
      close: () => {
        this.closed[at] = true;
      },
    } as unknown as Connection;
    const events = this.links.accept(connection, service);
    if (from !== undefined) events.frame(encodeHello("hello", group, helloOf(from)));
  }

  /** Which of all that were accepted are open, by number. */
  get open(): number[] {
    return this.closed.flatMap((closed, at) => (closed ? [] : [at]));
  }
}

describe("the connections of peers", () => {
  it("are bounded by a limit of their own: the newest few of each peer's lane stay, and a log line tells of the rest", () => {
    const world = new Accepting();
    for (const peer of ["n1", "n2"])
      for (const lane of ["peer-control", "peer-bulk"] as const)
        for (let at = 0; at < 4; at++) world.accept(lane, peer);
    expect(world.open).to.have.length(16);
    expect(world.surplus).to.deep.equal([]);
    world.accept("peer-bulk", "n1");
    expect(world.open).to.not.include(4);
    expect(world.open).to.have.length(16);
    expect(world.surplus).to.deep.equal(["n1: more than 4 of one peer (peer-bulk)"]);
  });

  it("on which nobody has introduced himself are bounded too, and take no room of the others", () => {
    const world = new Accepting();
    world.accept("peer-control", "n1");
    for (let at = 0; at < 70; at++) world.accept("peer-bulk");
    expect(world.open).to.deep.equal([0, ...Array.from({ length: 64 }, (_, at) => at + 7)]);
    expect(world.surplus).to.have.length(6);
    world.accept("peer-bulk", "n2");
    expect(world.open.slice(0, 1)).to.deep.equal([0]);
    expect(world.open).to.include(71);
  });
});
