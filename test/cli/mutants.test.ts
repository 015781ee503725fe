import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect } from "chai";
import type { MutantsReport } from "#sim/mutant/result";
import { projectRoot } from "../support/sources.ts";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the compiled command, as `npm run mutants` does after its build. */
function mutants(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const program = path.join(projectRoot, "dist/cli/quorumlog.js");
    const child = spawn(process.execPath, [program, "mutants", ...args], { cwd: projectRoot });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const harmless = {
  file: "src/core/raft/commit.ts",
  find: "  if (index <= s.commitIndex) return false;",
  replace: "  if (!(index > s.commitIndex)) return false;",
  breaks: "Nothing.",
  source: "This test.",
};

describe("the command that tries mutants", function () {
  this.timeout(120_000);
  let folder = "";

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-mutants-"));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });

  function plant(name: string, change: Readonly<Record<string, unknown>> | string): void {
    const text = typeof change === "string" ? change : JSON.stringify({ name, ...harmless, ...change });
    fs.writeFileSync(path.join(folder, `${name}.json`), text);
  }

  it("tells a detection, an edit without effect and edits that are none apart, and leaves the sources as they were", async () => {
    const before = fs.readFileSync(path.join(projectRoot, harmless.file), "utf8");
    plant("a-bug", {
      file: "src/core/base/quorum.ts",
      find: "Math.floor(voters / 2) + 1",
      replace: "Math.ceil(voters / 2) - 1",
      scenario: "kill-leader",
    });
    plant("b-harmless", {});
    plant("c-matches-nothing", { find: "no such text" });
    plant("d-does-not-compile", { replace: "  if (index <= s.commitIndex.length) return false;" });
    plant("e-unknown-scenario", { scenario: "kill-leadr" });
    plant("f-no-json", "{");
    const only = ["--scenario", "kill-leader", "--scenario", "failover"];
    const { code, stdout, stderr } = await mutants(
      ...["--dir", folder, "--seeds", "1", "--jobs", "2", "--json", ...only],
    );
    expect(code, stderr).to.equal(1);
    expect(stdout.split("\n")).to.have.length(2);
    const report = JSON.parse(stdout) as MutantsReport;
    const told = report.mutants.map(({ name, found, verdict }) => `${name} ${found} ${verdict}`);
    expect(told.slice(1)).to.deep.equal([
      "b-harmless false survived",
      "c-matches-nothing false invalid",
      "d-does-not-compile false invalid",
      "e-unknown-scenario false invalid",
      "f-no-json false invalid",
    ]);
    const [bug, survivor] = report.mutants;
    expect(bug).to.include({
      name: "a-bug",
      found: true,
      scenario: "kill-leader",
      seeds: 1,
      verdict: "safety",
    });
    expect(bug?.checker).to.be.a("string");
    expect(bug?.seconds).to.be.greaterThan(0);
    // Both scenarios, with core's assertions off and then on.
    expect(survivor).to.include({ scenario: null, checker: null, seeds: 4 });
    expect(report).to.include({ found: 1, survived: 5 });
    expect(stderr).to.contain("matches 0 times");
    expect(stderr).to.contain("does not compile");
    expect(fs.readFileSync(path.join(projectRoot, harmless.file), "utf8")).to.equal(before);
  });

  it("exits 2 and says what was meant when the command line is wrong", async () => {
    plant("a-bug", {});
    const wrong: readonly (readonly [readonly string[], string])[] = [
      [["--sedes", "1"], "--seeds"],
      [["--seeds", "0"], "from 1"],
      [["--jobs", "many"], "from 1"],
      [["--dir", path.join(folder, "nowhere")], "no such directory"],
      [["--dir", folder, "--only", "a-bag"], "Did you mean a-bug?"],
      [["--dir", folder, "--scenario", "failovr"], "Did you mean failover?"],
    ];
    for (const [args, said] of wrong) {
      const { code, stdout, stderr } = await mutants(...args);
      expect(code, args.join(" ")).to.equal(2);
      expect(stdout).to.equal("");
      expect(stderr, args.join(" ")).to.contain(said);
    }
  });
});
