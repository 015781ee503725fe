import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import { formatKnob, knobPaths, knobs } from "#sim/settings";
import { situationNames, situations } from "#sim/situations";
import { projectRoot } from "../support/sources.ts";

describe("docs/REHEARSAL.md", () => {
  const document = fs.readFileSync(path.join(projectRoot, "docs/REHEARSAL.md"), "utf8");

  it("has a row for every knob, with its calm value and what it does", () => {
    for (const name of knobPaths) {
      expect(document).to.contain(
        `| \`${name}\` | ${formatKnob(name, knobs[name].calm)} | ${knobs[name].about} |`,
      );
    }
  });

  it("has a row for every rare situation", () => {
    for (const name of situationNames) expect(document).to.contain(`| \`${name}\` | ${situations[name]} |`);
  });
});
