import { expect } from "chai";
import { applyMutant, parseMutant } from "#sim/mutant/mutant";
import { reportOf, rowOf } from "#sim/mutant/result";

const good = { name: "a-b", file: "src/a.ts", find: "x", replace: "$&", breaks: "b", source: "s" };

function parsed(change: Readonly<Record<string, unknown>>): unknown {
  return parseMutant(JSON.stringify({ ...good, ...change }));
}

describe("mutants", () => {
  it("are read with every field checked", () => {
    expect(parsed({})).to.deep.equal(good);
    expect(parsed({ scenario: "failover" })).to.deep.equal({ ...good, scenario: "failover" });
    expect(parseMutant("{")).to.equal("it is not JSON");
    expect(parseMutant("[]")).to.equal("it is not a JSON object");
    for (const key of Object.keys(good))
      expect(parsed({ [key]: 1 }), key).to.contain(`"${key}" must be a text`);
    expect(parsed({ scenario: 1 })).to.contain('"scenario"');
    expect(parsed({ name: "A b" })).to.contain('"name"');
    expect(parsed({ find: "" })).to.contain('"find"');
    for (const file of ["/etc/passwd", "../src/a.ts", "src/../a.ts", "package.json", "src/a.js"])
      expect(parsed({ file }), file).to.contain('"file"');
  });

  it("are applied where their text stands exactly once, as plain text", () => {
    expect(applyMutant(good, "a x b")).to.equal("a $& b");
    expect(applyMutant(good, "a b")).to.equal(undefined);
    expect(applyMutant(good, "x x")).to.equal(undefined);
    expect(applyMutant({ ...good, find: "aba" }, "ababa")).to.equal(undefined);
  });

  it("count as survivors when they were not found, invalid ones too", () => {
    const found = {
      name: "a",
      found: true,
      scenario: "failover",
      seeds: 3,
      checker: "monotonic",
      verdict: "safety",
      seconds: 1.25,
    };
    const invalid = {
      name: "b",
      found: false,
      scenario: null,
      seeds: 0,
      checker: null,
      verdict: "invalid",
      seconds: 0,
    };
    const report = reportOf([found, invalid]);
    expect(report.found).to.equal(1);
    expect(report.survived).to.equal(1);
    expect(rowOf(found)).to.deep.equal(["a", "failover", "3", "monotonic", "1.3"]);
    expect(rowOf(invalid)).to.deep.equal(["b", "-", "0", "invalid", "0.0"]);
  });
});
