import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "chai";
import { projectRoot } from "../support/sources.ts";
import { commandsOf, programsOf } from "./support/documents.ts";
import { runProgram, Terminal } from "./support/terminal.ts";

const opening = ["npm ci && npm run sim -- --seed 42 --scenario failover", "npm ci && npm test"];

/** What the tour's commands must show; those not named here must only succeed. */
const shows: readonly (readonly [command: string, pattern: RegExp])[] = [
  ["bin/quorumlog log append --data hello", /^appended at index 1, term \d+\n$/],
  ["bin/quorumlog log append --file LICENSE --json", /^\{"index":3,"term":\d+\}\n$/],
  ["bin/quorumlog log get --index 1", /^hello$/],
  ["bin/quorumlog log tail --from 2 --json", /^\{"index":2,"term":\d+,"data":"from a pipe\\n"\}\n/],
  ["bin/quorumlog log tail --follow", /^ +1 {2}term \d+ {2}hello\n/],
  ["bin/quorumlog log status", /^group default, leader n\d\nnode +role/],
  ["bin/quorumlog log transfer --to n1", /^n1 leads now\n$/],
  ["curl http://127.0.0.1:41912/readyz", /"ready":true/],
  ["curl http://127.0.0.1:41912/metrics", /quorumlog_commit_index\{group="default"\} -?\d+/],
  ["npm run sim -- --list", /power-loss/],
  ["npm run sim -- --seed 7 --scenario partition --nodes 5 --trace trace.ndjson", /PASS/],
];

describe("e2e: the README", function () {
  this.timeout(120_000);
  const commands = commandsOf("README.md");
  let terminal: Terminal;
  before(async () => {
    terminal = await Terminal.open();
  });
  after(() => terminal.close());

  it("opens with the two commands that do their own set-up, and `npm start`", () => {
    expect(commands.slice(0, 3).map(({ text }) => text)).to.deep.equal([...opening, "npm start"]);
    const scripts = JSON.parse(fs.readFileSync(path.join(projectRoot, "package.json"), "utf8")) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    // A signal to npm reaches the program only when no shell stands between them.
    for (const name of ["sim", "start", "test"]) expect(scripts.scripts[name]).to.match(/&& exec \w/);
  });

  it("the first command runs, once `npm ci` has", async () => {
    const ran = await terminal.type((opening[0] ?? "").replace("npm ci && ", ""));
    expect(ran?.code, ran?.stderr).to.equal(0);
    expect(ran?.stdout.toString())
      .to.match(/failover, seed 42/)
      .and.to.match(/PASS/);
  });

  for (const { text, line } of commands.slice(2)) {
    // Prose repeats a command of the tour.
    if (commands.findIndex((one) => one.text === text) !== commands.findIndex((one) => one.line === line))
      continue;
    it(`line ${line}: ${text}`, async () => {
      const ran = await terminal.type(text);
      if (ran === undefined) return;
      expect(ran.code, ran.stderr).to.equal(/ --follow\b/.test(text) ? 130 : 0);
      const shown = shows.find(([command]) => command === text)?.[1];
      if (shown !== undefined) expect(ran.stdout.toString()).to.match(shown);
    });
  }

  it("the program runs", async () => {
    const [program] = programsOf("README.md");
    const ran = await runProgram(program?.text ?? "", terminal.peers);
    expect(ran.code, ran.stderr).to.equal(0);
    expect(ran.stdout.toString()).to.match(/^\d+ hello from a program\n$/);
  });

  it("shows nothing that this test expects and the README does not have", () => {
    const texts = commands.map(({ text }) => text);
    expect(shows.map(([command]) => command).filter((command) => !texts.includes(command))).to.deep.equal([]);
  });

  it("links to documents that exist", () => {
    const readme = fs.readFileSync(path.join(projectRoot, "README.md"), "utf8");
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, link = ""]) => link);
    expect(links.length).to.be.above(5);
    expect(links.filter((link) => !fs.existsSync(path.join(projectRoot, link)))).to.deep.equal([]);
  });
});
