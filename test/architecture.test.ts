import { expect } from "chai";
import type { Source } from "./support/source-rules.ts";
import {
  asyncViolations,
  chanceViolations,
  fileLinesMax,
  fileSizeViolations,
  functionLinesMax,
  functionSizeViolations,
  importViolations,
  syntaxViolations,
} from "./support/source-rules.ts";
import { sourcesUnder } from "./support/sources.ts";

interface Planted {
  readonly path: string;
  readonly bad: string;
  readonly good?: string;
}

interface Rule {
  readonly sentence: string;
  readonly check: (source: Source) => string[];
  readonly planted: readonly Planted[];
}

const repeated = (count: number): string => "f();\n".repeat(count);

const rules: readonly Rule[] = [
  {
    sentence: "imports follow the table of folders",
    check: importViolations,
    planted: [
      { path: "src/core/base/a.ts", bad: 'import "../io/clock.ts";', good: 'import "./b.ts";' },
      {
        path: "src/core/io/a.ts",
        bad: 'import "../raft/b.ts";',
        good: 'import type { B } from "../base/b.ts";',
      },
      { path: "src/core/storage/a.ts", bad: 'export * from "../raft/b.ts";', good: 'import "../io/b.ts";' },
      { path: "src/core/raft/a.ts", bad: 'import "../storage/b.ts";', good: 'import "../base/b.ts";' },
      { path: "src/core/raft/a.ts", bad: 'type B = import("../storage/b.ts").B;' },
      { path: "src/core/commitlog/a.ts", bad: 'import "../client/b.ts";', good: 'import "../storage/b.ts";' },
      { path: "src/core/client/a.ts", bad: 'import "../raft/b.ts";', good: 'import "../commitlog/b.ts";' },
      { path: "src/core/node/a.ts", bad: 'import "../../sim/b.ts";', good: 'import "../client/b.ts";' },
      { path: "src/core/node/a.ts", bad: 'import "node:fs";' },
      { path: "src/core/node/a.ts", bad: 'const b = import("pino");' },
      { path: "src/core/unheard/a.ts", bad: "export {};" },
      { path: "src/sim/a.ts", bad: 'import "../prod/b.ts";', good: 'import seedrandom from "seedrandom";' },
      { path: "src/sim/a.ts", bad: 'import "node:fs";', good: 'import "../core/raft/b.ts";' },
      { path: "src/prod/a.ts", bad: 'import "../sim/b.ts";', good: 'import "node:fs"; import "pino";' },
      { path: "src/cli/a.ts", bad: 'import "../../scenarios/b.ts";', good: 'import "#scenarios/b";' },
      { path: "src/cli/a.ts", bad: 'import "#core/base/b";', good: 'import "../core/base/b.ts";' },
      { path: "scenarios/a.ts", bad: 'import "#prod/b";', good: 'import "#sim/b"; import "#core/base/b";' },
      { path: "scenarios/a.ts", bad: 'import "../src/core/base/b.ts";' },
    ],
  },
  {
    sentence: "no promise in core/raft, core/storage, core/commitlog and core/node",
    check: asyncViolations,
    planted: [
      {
        path: "src/core/raft/a.ts",
        bad: "async function f() {}",
        good: '// async\nconst s = "await Promise";',
      },
      { path: "src/core/storage/a.ts", bad: "const f = async () => 1;" },
      { path: "src/core/commitlog/a.ts", bad: "await f();" },
      { path: "src/core/node/a.ts", bad: "type P = Promise<void>;" },
      { path: "src/core/node/a.ts", bad: "class C { async m() { for await (const x of y) x; } }" },
    ],
  },
  {
    sentence: "no Date, no Math.random and no inexact Math in core, sim and scenarios",
    check: chanceViolations,
    planted: [
      {
        path: "src/core/base/a.ts",
        bad: "Date.now();",
        good: '// Date\nconst s = "Date"; Math.imul(1, 2); 2 ** 53;',
      },
      { path: "src/sim/a.ts", bad: "new Date();" },
      { path: "src/sim/a.ts", bad: "const a = { when: Date.now() };" },
      { path: "src/sim/a.ts", bad: "Math.random();" },
      { path: "src/sim/a.ts", bad: 'Math["random"]();' },
      { path: "scenarios/a.ts", bad: "Math.log(x);" },
      { path: "src/sim/a.ts", bad: "const { random } = Math;" },
      { path: "src/sim/a.ts", bad: "x ** y;" },
    ],
  },
  {
    sentence: "TypeScript is erasable: no enum, parameter property or namespace",
    check: syntaxViolations,
    planted: [
      { path: "src/a.ts", bad: "enum A { B }", good: 'const e = "enum";' },
      { path: "src/a.ts", bad: "class A { constructor(private b: number) {} }" },
      { path: "src/a.ts", bad: "namespace A { export const b = 1; }" },
    ],
  },
  {
    sentence: `a file has at most ${fileLinesMax} lines`,
    check: fileSizeViolations,
    planted: [{ path: "src/a.ts", bad: repeated(fileLinesMax + 1), good: repeated(fileLinesMax) }],
  },
  {
    sentence: `a function has at most ${functionLinesMax} lines`,
    check: functionSizeViolations,
    planted: [
      {
        path: "src/a.ts",
        bad: `function g() {\n${repeated(functionLinesMax - 1)}}`,
        good: `function g() {\n${repeated(functionLinesMax - 2)}}`,
      },
      { path: "src/a.ts", bad: `const g = () => {\n${repeated(functionLinesMax)}};` },
      { path: "src/a.ts", bad: `class A {\n  get g() {\n${repeated(functionLinesMax)}}\n}` },
    ],
  },
];

describe("architecture", () => {
  const typescript = (name: string): boolean => name.endsWith(".ts");
  const sources = [...sourcesUnder("src", typescript), ...sourcesUnder("scenarios", typescript)];

  it("finds the project's sources", () => {
    expect(sources.map((source) => source.path)).to.include("src/cli/quorumlog.ts");
  });

  for (const rule of rules) {
    it(rule.sentence, () => {
      expect(sources.flatMap(rule.check)).to.deep.equal([]);
    });

    it(`fails where it is planted: ${rule.sentence}`, () => {
      for (const { path, bad, good } of rule.planted) {
        expect(rule.check({ path, text: bad }), `${path}: ${bad}`).to.not.deep.equal([]);
        if (good !== undefined)
          expect(rule.check({ path, text: good }), `${path}: ${good}`).to.deep.equal([]);
      }
    });
  }

  it(`a file of the bench or the tests has at most ${fileLinesMax} lines`, () => {
    const others = [...sourcesUnder("bench", typescript), ...sourcesUnder("test", typescript)];
    expect(others.length).to.be.greaterThan(100);
    expect(others.flatMap(fileSizeViolations)).to.deep.equal([]);
  });

  it(`a wrapper in bin has at most ${fileLinesMax} lines`, () => {
    expect(sourcesUnder("bin", () => true).flatMap(fileSizeViolations)).to.deep.equal([]);
  });
});
