import { expect } from "chai";
import fc from "fast-check";
import type { NodeId } from "#core/base/brand";
import { nodeId } from "#core/base/brand";
import type { BootstrapPeer, BootstrapStep } from "#core/node/bootstrap";
import { bootstrapStep } from "#core/node/bootstrap";
import type { Stage } from "#core/storage/identity";

const [n0, n1, n2] = [nodeId("n0"), nodeId("n1"), nodeId("n2")];
const voters = [n0, n1, n2];
const uuid = (digit: string): string => digit.repeat(32);

function peer(stage: Stage, cluster = "", knowsSelfAs = ""): BootstrapPeer {
  return { stage, cluster, knowsSelfAs };
}

function step(
  self: NodeId,
  own: { stage: Stage; cluster?: string; force?: boolean },
  heard: readonly (readonly [NodeId, BootstrapPeer])[],
): BootstrapStep {
  return bootstrapStep({
    self,
    voters,
    stage: own.stage,
    cluster: own.cluster ?? "",
    incarnation: "1111111111111111",
    heard: new Map(heard),
    proposal: uuid("a"),
    force: own.force ?? false,
  });
}

describe("bootstrap of a group", () => {
  it("waits for every voter, and names whom it waits for", () => {
    expect(step(n0, { stage: "empty" }, [[n1, peer("empty")]])).to.deep.equal({
      change: "none",
      waitingFor: [n2],
    });
  });

  it("lets the lowest id propose the cluster, and nobody else", () => {
    const empty = peer("empty");
    expect(
      step(n0, { stage: "empty" }, [
        [n1, empty],
        [n2, empty],
      ]),
    ).to.deep.equal({ change: "adopt", cluster: uuid("a") });
    expect(
      step(n1, { stage: "empty" }, [
        [n0, empty],
        [n2, empty],
      ]),
    ).to.deep.equal({ change: "none", waitingFor: [n0] });
  });

  it("adopts the cluster that another voter has adopted, so a crash half-way resumes", () => {
    const heard = [
      [n1, peer("adopted", uuid("b"))],
      [n2, peer("empty")],
    ] as const;
    expect(step(n0, { stage: "empty" }, heard)).to.deep.equal({ change: "adopt", cluster: uuid("b") });
  });

  it("is active only once every voter has adopted, or one is active already", () => {
    const adopted = peer("adopted", uuid("b"));
    const own = { stage: "adopted" as const, cluster: uuid("b") };
    expect(
      step(n0, own, [
        [n1, adopted],
        [n2, peer("empty")],
      ]).change,
    ).to.equal("none");
    expect(
      step(n0, own, [
        [n1, adopted],
        [n2, adopted],
      ]).change,
    ).to.equal("activate");
    expect(step(n0, own, [[n1, peer("active", uuid("b"))]]).change).to.equal("activate");
  });

  it("finds an empty directory wiped when it meets an active voter", () => {
    expect(step(n0, { stage: "empty" }, [[n1, peer("active", uuid("b"))]])).to.deep.equal({
      change: "wiped",
      cluster: uuid("b"),
    });
  });

  it("finds a directory wiped that took the place of one an active voter knows", () => {
    const own = { stage: "adopted" as const, cluster: uuid("b") };
    expect(step(n0, own, [[n1, peer("active", uuid("b"), "2222222222222222")]]).change).to.equal("wiped");
    expect(step(n0, own, [[n1, peer("active", uuid("b"), "1111111111111111")]]).change).to.equal("activate");
  });

  it("never merges two clusters", () => {
    const own = { stage: "adopted" as const, cluster: uuid("a") };
    expect(step(n0, own, [[n1, peer("adopted", uuid("b"))]])).to.deep.equal({
      change: "conflict",
      cluster: uuid("b"),
      with: n1,
    });
  });

  it("needs no answer when it is forced", () => {
    expect(step(n0, { stage: "empty", force: true }, [])).to.deep.equal({
      change: "adopt",
      cluster: uuid("a"),
    });
    expect(step(n0, { stage: "adopted", cluster: uuid("a"), force: true }, []).change).to.equal("activate");
  });

  it("never lets a voter be wiped by itself, nor two clusters arise, whatever order messages and crashes come in", () => {
    const action = fc.record({
      kind: fc.constantFrom("tell", "step", "restart"),
      from: fc.nat({ max: 2 }),
      to: fc.nat({ max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const nodes = voters.map((self) => ({
          self,
          stage: "empty" as Stage,
          cluster: "",
          heard: new Map<NodeId, BootstrapPeer>(),
        }));
        for (const { kind, from, to } of actions) {
          const node = nodes[to];
          const other = nodes[from];
          if (node === undefined || other === undefined) continue;
          if (kind === "restart") node.heard.clear();
          else if (kind === "tell" && node !== other)
            node.heard.set(other.self, peer(other.stage, other.cluster));
          else if (kind === "step") {
            const taken = bootstrapStep({
              ...node,
              voters,
              incarnation: "1111111111111111",
              proposal: uuid(String(to)),
              force: false,
            });
            expect(taken.change).to.not.be.oneOf(["wiped", "conflict"]);
            if (taken.change === "adopt") {
              node.stage = "adopted";
              node.cluster = taken.cluster;
            } else if (taken.change === "activate") node.stage = "active";
          }
          // One active voter proves that every voter has adopted one and the same cluster.
          if (nodes.some((one) => one.stage === "active")) {
            expect(new Set(nodes.map((one) => one.cluster)).size).to.equal(1);
            expect(nodes.map((one) => one.cluster)).to.not.include("");
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
