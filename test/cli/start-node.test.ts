import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import { commandFrom } from "#cli/start-cluster";
import type { NodePlan } from "#cli/start-node";
import { codeOfFailure, startNode } from "#cli/start-node";
import { projectRoot } from "../support/sources.ts";

const plan: NodePlan = { id: "n0", port: 1, httpPort: 2, data: "d", peers: "p", log: "l" };

/** A node that says why it cannot start, and leaves only when it is told that this was read. */
const refuses = (code: number): string => `
  process.on("SIGTERM", () => process.exit(1));
  process.on("message", () => process.exit(${code}));
  process.send({ type: "failed", message: "no place" });`;
const runs = `
  process.on("message", () => undefined);
  process.send({ type: "started" });`;

describe("the nodes of `quorumlog start`", () => {
  const start = (script: string) => startNode(plan, ["-e", script]);

  it("a node that refuses to start is waited for, so that its own exit code counts", async () => {
    const both = [start(runs), start(refuses(69))];
    const nodes = both.map(({ node }) => node);
    try {
      const outcome = await Promise.all(both.map(({ started }) => started));
      expect(outcome).to.deep.equal(["started", { failed: "no place" }]);
      expect(nodes[1]?.ended, "it has not left yet").to.equal(undefined);
      const code = codeOfFailure(nodes, outcome);
      nodes[1]?.child.send("go on");
      expect(await code).to.equal(69);
    } finally {
      for (const { child } of nodes) child.kill("SIGKILL");
    }
  });

  it("a node that is gone before it says anything counts with its exit code", async () => {
    const { node, started } = start("process.stderr.write('no such flag'); process.exit(78)");
    const outcome = [await started];
    expect(outcome).to.deep.equal([{ failed: "ended with exit code 78" }]);
    expect(node.said).to.equal("no such flag");
    expect(await codeOfFailure([node], outcome)).to.equal(78);
  });

  it("are called as they can be from where one is, never through npx", () => {
    expect(commandFrom(projectRoot)).to.equal("bin/quorumlog");
    // A script of the same name in another directory is somebody else's.
    const elsewhere = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-elsewhere-"));
    fs.mkdirSync(path.join(elsewhere, "bin"));
    fs.writeFileSync(path.join(elsewhere, "bin/quorumlog"), "");
    expect(commandFrom(elsewhere)).to.match(/^node '?\/.*cli\/quorumlog\.js'?$/);
    fs.rmSync(elsewhere, { recursive: true });
  });
});
