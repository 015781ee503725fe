import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import { scenarios } from "#scenarios/index";
import type { Mutant } from "#sim/mutant/mutant";
import { applyMutant, matches, parseMutant } from "#sim/mutant/mutant";
import { projectRoot } from "./support/sources.ts";
import { typeFaults } from "./support/type-check.ts";

const folder = path.join(projectRoot, "test/mutants");

const areas = [
  "election",
  "replication",
  "storage",
  "directory sync",
  "checksums",
  "repair",
  "reads",
  "sessions",
  "transfer",
  "read-only",
  "reserve",
  "window",
  "backpressure",
];

interface Planted {
  readonly file: string;
  readonly mutant: Mutant;
}

function catalogue(): Planted[] {
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(".json"));
  return files.map((file) => {
    const mutant = parseMutant(fs.readFileSync(path.join(folder, file), "utf8"));
    if (typeof mutant === "string") throw new Error(`${file}: ${mutant}`);
    return { file, mutant };
  });
}

describe("the catalogue of mutants", () => {
  const planted = catalogue();

  it("holds at least a hundred, each in the file of its name", () => {
    expect(planted.length).to.be.at.least(100);
    for (const { file, mutant } of planted) expect(file).to.equal(`${mutant.name}.json`);
  });

  it("covers every area of the protocol", () => {
    const found = planted.map(({ mutant }) => mutant.area);
    for (const area of areas) expect(found, area).to.include(area);
    for (const { mutant } of planted) expect(areas, mutant.name).to.include(mutant.area);
  });

  it("finds the text of every edit exactly once, and every edit changes something", () => {
    for (const { mutant } of planted) {
      const text = fs.readFileSync(path.join(projectRoot, mutant.file), "utf8");
      expect(matches(mutant, text), `${mutant.name}: "find" in ${mutant.file}`).to.equal(1);
      expect(mutant.replace, mutant.name).to.not.equal(mutant.find);
    }
  });

  it("holds edits that compile, as far as the edited file tells", () => {
    const edits = planted.map(({ mutant }) => {
      const text = fs.readFileSync(path.join(projectRoot, mutant.file), "utf8");
      return { name: mutant.name, file: mutant.file, text: applyMutant(mutant, text) ?? "" };
    });
    const broken = { name: "planted-fault", file: "src/core/raft/raft.ts", text: "nobody.knows();\n" };
    expect([...typeFaults([...edits, broken])]).to.deep.equal([
      ["planted-fault", ["TS2304: Cannot find name 'nobody'."]],
    ]);
  }).timeout(60_000);

  it("names scenarios that exist", () => {
    const names = scenarios.map((scenario) => scenario.name);
    for (const { mutant } of planted)
      if (mutant.scenario !== undefined) expect(names, mutant.name).to.include(mutant.scenario);
  });

  it("breaks core, and says which rule and where it is written", () => {
    for (const { mutant } of planted) {
      expect(mutant.file, mutant.name).to.match(/^src\/core\//);
      expect(mutant.breaks, mutant.name).to.match(/^[A-Z].*\.$/);
      expect(mutant.source, mutant.name).to.not.equal("");
    }
  });

  it("is told whole in docs/MUTANTS.md", () => {
    const document = fs.readFileSync(path.join(projectRoot, "docs/MUTANTS.md"), "utf8");
    for (const { mutant } of planted) expect(document, mutant.name).to.contain(`| ${mutant.name} `);
    const rows = document
      .split("\n")
      .filter((line) => planted.some(({ mutant }) => line.startsWith(`| ${mutant.name} `)));
    const byAssertions = rows.filter((row) => /\| assertion \|$/.test(row));
    expect(byAssertions.length, "found by core's own assertions alone").to.be.at.most(rows.length / 10);
  });
});
