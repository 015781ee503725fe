import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = fileURLToPath(new URL("../..", import.meta.url));
const entry = path.join(root, "dist/cli/quorumlog.js");

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function quorumlog(args: readonly string[], nodeArgs: readonly string[] = []): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeArgs, entry, ...args], {
    cwd: root,
    encoding: "utf8",
  });
  return { code: status, stdout, stderr };
}

const sim = (...args: readonly string[]): Ran => quorumlog(["sim", ...args]);
const short = ["--scenario", "kill-leader", "--duration", "2s", "--override", "disk.syncMax=1ms"];

describe("quorumlog sim", () => {
  let directory: string;
  before(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-sim-"));
  });
  after(() => fs.rmSync(directory, { recursive: true, force: true }));

  it("tells the story of one run: settings, elections, faults, appends, hash, speed and verdict", () => {
    const { code, stdout } = sim("--seed", "42", ...short);
    expect(code).to.equal(0);
    for (const text of [
      "kill-leader, seed 42: 3 nodes",
      "disk.syncMax 1ms",
      "nemesis.crashLeader 25s",
      "is elected leader of g0 in term 1",
      "Elections ",
      "Faults ",
      "Acknowledged ",
      "Trace hash ",
      "s simulated in",
      "events/s",
      "PASS",
    ]) {
      // How wide a column is depends on the longest name of all.
      expect(stdout.replace(/ +/g, " ")).to.contain(text);
    }
    expect(stdout, "a disturbance that takes no part").to.not.contain("nemesis.wipe");
  });

  it("prints one object on one line with --json, the same but for wall time in any process", () => {
    const one = sim("--seed", "42", "--json", ...short);
    const other = quorumlog(
      ["sim", "--seed", "42", "--json", ...short],
      ["--random-seed=7", "--hash-seed=11"],
    );
    expect(one.stdout.split("\n")).to.have.length(2);
    const [a, b] = [JSON.parse(one.stdout), JSON.parse(other.stdout)];
    expect(Object.keys(a)).to.deep.equal([
      "scenario",
      "seed",
      "verdict",
      "simulatedMs",
      "wallMs",
      "events",
      "eventsPerSecond",
      "acked",
      "elections",
      "faults",
      "traceHash",
      "violation",
    ]);
    expect(a).to.include({ scenario: "kill-leader", seed: 42, verdict: "pass", violation: null });
    expect(a.traceHash).to.match(/^[0-9a-f]{16}$/);
    expect(a.simulatedMs).to.be.at.least(2_000);
    for (const result of [a, b]) {
      delete result.wallMs;
      delete result.eventsPerSecond;
    }
    expect(b).to.deep.equal(a);
  });

  it("sums up many seeds, with the same result in workers", () => {
    const alone = JSON.parse(sim("--seeds", "1..4", "--json", ...short).stdout);
    const shared = JSON.parse(sim("--seeds", "1..4", "--jobs", "2", "--json", ...short).stdout);
    expect(alone).to.include({ seeds: 4, passed: 4 });
    expect(alone.failed).to.deep.equal([]);
    expect(alone.acked).to.be.greaterThan(0);
    for (const field of ["acked", "faults", "events", "simulatedMs", "seeds", "passed"]) {
      expect(shared[field], field).to.deep.equal(alone[field]);
    }
  });

  it("writes a trace that is equal byte for byte, its first event the run itself", () => {
    const files = ["a", "b"].map((name) => path.join(directory, `${name}.ndjson`));
    for (const file of files) sim("--seed", "5", "--json", "--trace", file, ...short);
    const [a, b] = files.map((file) => fs.readFileSync(file, "utf8")) as [string, string];
    expect(b).to.equal(a);
    const lines = a
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).to.include({ kind: "run", scenario: "kill-leader", seed: 5 });
    expect(lines[0].topology.nodes).to.deep.equal(["n0", "n1", "n2"]);
    expect(lines[0].settings["disk.syncMax"]).to.equal(1_000);
    expect(lines.at(-1)).to.include({ kind: "end", verdict: "pass" });
    expect(new Set(lines.map((line) => line.kind))).to.include("commit");
  });

  it("replays written decisions to the same hash, and without one of them when its line is taken out", () => {
    const file = path.join(directory, "decisions.json");
    const lossy = ["--scenario", "failover", "--duration", "3s", "--override", "network.loss=0.02", "--json"];
    const recorded = JSON.parse(sim("--seed", "9", "--decisions", file, ...lossy).stdout);
    const replayed = JSON.parse(sim("--replay", file, "--json").stdout);
    expect(replayed.traceHash).to.equal(recorded.traceHash);
    expect(replayed.faults).to.deep.equal(recorded.faults);
    const lines = fs.readFileSync(file, "utf8").split("\n");
    const losses = lines.filter((line) => line.includes('"kind":"loss"'));
    fs.writeFileSync(file, lines.filter((line) => line !== losses[losses.length - 1]).join("\n"));
    const edited = JSON.parse(sim("--replay", file, "--json").stdout);
    expect(edited.faults.loss).to.be.lessThan(recorded.faults.loss);
  });

  it("runs twice and compares with --check-determinism", () => {
    const plain = JSON.parse(sim("--seed", "3", "--json", ...short).stdout);
    const { code, stdout } = sim("--seed", "3", "--json", "--check-determinism", ...short);
    expect(code).to.equal(0);
    expect(JSON.parse(stdout).traceHash).to.equal(plain.traceHash);
  });

  it("lists the scenarios, for people and as one object", () => {
    expect(sim("--list").stdout).to.match(/^failover +\S/m);
    const { stdout } = sim("--list", "--json");
    expect(stdout.split("\n")).to.have.length(2);
    const names = JSON.parse(stdout).scenarios.map(({ name }: { name: string }) => name);
    expect(names).to.include.members(["kill-leader", "failover", "partition", "power-loss"]);
  });

  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ["an unknown scenario", ["--scenario", "failovr"], "Did you mean failover?"],
    ["an unknown option", ["--scenari", "failover"], "Did you mean --scenario?"],
    ["an unknown setting", ["--override", "network.los=0.1"], "Did you mean network.loss?"],
    ["a setting out of range", ["--override", "network.loss=1.5"], "a probability from 0 to 1"],
    ["a setting without a value", ["--override", "network.loss"], "as network.loss=0.1"],
    ["a seed that is no number", ["--seed", "x"], "a whole number"],
    ["a negative seed", ["--seed=-1"], "a whole number"],
    ["a range backwards", ["--seeds", "5..1"], "Did you mean 1..5?"],
    ["a range that is none", ["--seeds", "5"], "1..1000"],
    ["a size that no group has", ["--nodes", "4"], "1, 2, 3, 5, 7"],
    ["a duration without a unit", ["--duration", "60"], "Did you mean 60s?"],
    ["no jobs", ["--jobs", "0"], "from 1 to"],
    ["one seed and many", ["--seed", "1", "--seeds", "1..2"], "exclude each other"],
    ["a trace of many seeds", ["--seeds", "1..2", "--trace", "x"], "--trace goes with one --seed"],
    ["a replay file that is missing", ["--replay", "/nowhere/x.json"], "--replay /nowhere/x.json"],
    ["a word too many", ["failover"], "too many arguments"],
  ];
  for (const [what, args, hint] of wrong) {
    it(`exits 2 for ${what} and says what was meant`, () => {
      const { code, stdout, stderr } = sim(...args);
      expect(stderr).to.contain(hint);
      expect(code).to.equal(2);
      expect(stdout).to.equal("");
    });
  }

  it("exits 130 soon after Ctrl-C, which comes twice below npm, with workers and without, and tells what it found so far", async () => {
    for (const jobs of ["1", "2"]) {
      const child = spawn(
        process.execPath,
        [entry, "sim", "--scenario", "failover", "--seeds", "1..100000", "--jobs", jobs, "--json"],
        { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
      );
      let stdout = "";
      child.stdout.on("data", (chunk) => {
        stdout += String(chunk);
      });
      setTimeout(() => {
        for (let n = 0; n < 2; n++) child.kill("SIGINT");
      }, 1_500);
      const code = await new Promise((resolve) => child.on("close", resolve));
      expect(code).to.equal(130);
      const { seeds, passed, interrupted } = JSON.parse(stdout);
      expect({ interrupted, passed }).to.deep.equal({ interrupted: true, passed: seeds });
    }
  });

  it("ends quietly when its reader has gone", async () => {
    const child = spawn("sh", ["-c", `"${process.execPath}" "${entry}" sim --list | true`], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += String(chunk);
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(stderr).to.equal("");
    expect(code).to.equal(0);
  });
});

describe("quorumlog", () => {
  it("exits 64 for an unknown command, and for none, and says what was meant", () => {
    expect(quorumlog([]).code).to.equal(64);
    const { code, stderr } = quorumlog(["simm"]);
    expect(code).to.equal(64);
    expect(stderr).to.contain("Did you mean sim?");
  });

  it("prints its version and its commands", () => {
    const { version } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
    expect(quorumlog(["--version"]).stdout).to.equal(`${version}\n`);
    const { stdout, code } = quorumlog(["--help"]);
    expect(code).to.equal(0);
    for (const name of ["sim", "mutants", "start", "log"])
      expect(stdout).to.match(new RegExp(`^ +${name} `, "m"));
  });
});
