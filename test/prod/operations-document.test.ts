import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import { projectRoot } from "../support/sources.ts";

const read = (name: string): string => fs.readFileSync(path.join(projectRoot, "docs", name), "utf8");

describe("docs/OPERATIONS.md", () => {
  it("says of every metric whether it is an alarm, and names none that is not there", () => {
    const names = (text: string): string[] => [
      ...new Set([...text.matchAll(/`((?:quorumlog|process)_\w+)/g)].map(([, name = ""]) => name)),
    ];
    const metrics = names(read("METRICS.md").replaceAll(/^(?!\| `).*$/gm, ""));
    expect(metrics.length).to.be.greaterThan(30);
    expect(names(read("OPERATIONS.md"))).to.have.members(metrics);
  });
});
