import { expect } from "chai";
import { skipLoudly } from "../support/skip.ts";
import { sourcesUnder } from "../support/sources.ts";
import { commandsOf, programsOf } from "./support/documents.ts";
import { runProgram, Terminal } from "./support/terminal.ts";

/** Commands that are not run here, each with the reason. */
const leftOut: readonly { readonly command: RegExp; readonly reason: string }[] = [
  { command: /^npm (ci|test)\b/, reason: ".ci/run runs it; here it would run itself" },
  {
    command: /^npm run soak -- (failover|restart|backpressure|disk-full)$/,
    reason: "it kills, stops and fills processes of its own, for half a minute even in its short form",
  },
  { command: /^npm run bench -- sim --peers$/, reason: "it builds programs of others, for minutes" },
  { command: /^\.ci\/run$/, reason: "it runs this test" },
  { command: /^npm run mutants$/, reason: "all mutants take many minutes; the README's test runs one" },
  { command: /^npm run mutants -- --only /, reason: "the README's test runs it with another mutant" },
  {
    command: /^npm run mutants -- --dir my-mutants/,
    reason: "test/cli/mutants.test.ts runs it on a folder that exists",
  },
];

/** Benchmarks measure nothing here, and `npm test` runs the soaks' short forms: they must only run. */
const shorter: readonly (readonly [command: RegExp, more: string])[] = [
  [/^npm run bench -- append$/, " --seconds 0.2 --rounds 1 --bytes 1024 --in-flight 256 --alone"],
  [/^npm run bench -- sim( --memory.*)?$/, " --short"],
  [/^npm run soak -- fuzz( --short --json)?$/, " --short --inputs 200"],
  [/^npm run soak -- [a-z-]+$/, " --short"],
];

const needsNodes = /\b(bin\/quorumlog log|curl|kill)\b/;

describe("e2e: the documents", function () {
  this.timeout(120_000);
  /** Run by readme.test.ts. */
  const ofReadme = new Set(commandsOf("README.md").map(({ text }) => text));
  const documents = sourcesUnder("docs", (name) => name.endsWith(".md")).map(({ path }) => path);

  for (const document of [...documents, "scenarios/README.md"]) {
    const commands = commandsOf(document).filter(({ text, inProse }) => !(inProse && ofReadme.has(text)));
    const programs = programsOf(document);
    if (commands.length + programs.length === 0) continue;
    describe(document, () => {
      let terminal: Terminal;
      before(async () => {
        terminal = await Terminal.open();
        const startsThem = commands[0]?.text === "npm start";
        const wanted = programs.length > 0 || commands.some(({ text }) => needsNodes.test(text));
        if (wanted && !startsThem) await terminal.type("npm start");
      });
      after(() => terminal.close());

      const seen = new Set<string>();
      for (const { text, line } of commands) {
        if (seen.has(text)) continue;
        seen.add(text);
        it(`line ${line}: ${text}`, async function () {
          const reason = leftOut.find(({ command }) => command.test(text))?.reason;
          if (reason !== undefined) skipLoudly(this, reason);
          const more = shorter.find(([command]) => command.test(text))?.[1] ?? "";
          const ran = await terminal.type(`${text}${more}`);
          if (ran !== undefined) expect(ran.code, ran.stderr).to.equal(/ --follow\b/.test(text) ? 130 : 0);
        });
      }

      for (const { text, line } of programs)
        it(`line ${line}: the program`, async () => {
          const ran = await runProgram(text, terminal.peers);
          expect(ran.code, ran.stderr).to.equal(0);
        });
    });
  }
});
