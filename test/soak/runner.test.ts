import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { expect } from "chai";
import { runSoak } from "#bench/soak/support/runner";
import type { Soak, SoakContext, SoakResult } from "#bench/soak/support/soak";
import { wholeNumber } from "#bench/soak/support/soak";
import { projectRoot } from "../support/sources.ts";

const result: SoakResult = {
  title: "Planted",
  columns: ["what", "count"],
  rows: [
    ["one", 1_234],
    ["another", 5],
  ],
  notes: ["A note."],
  figures: { count: 1_239 },
  failures: [],
};
const failure = {
  what: "it broke",
  replay: "npm run soak -- planted --seed 7",
  details: { seed: 7, at: [1, 2] },
};

function planted(run: (context: SoakContext) => Promise<SoakResult>): Soak {
  return {
    summary: "Shows what is planted.",
    usage: "[--seed N]",
    options: { seed: { type: "string" } },
    run,
  };
}

/** Runs a soak here, with what it writes; `interruptAt` is the step at which the user presses Ctrl-C. */
async function ran(
  soak: Soak,
  args: readonly string[],
  { isTTY = false, interrupt = false } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const told = { stdout: "", stderr: "" };
  const listeners: (() => void)[] = [];
  const stop = {
    requested: interrupt,
    exitCode: interrupt ? 130 : 0,
    onRequest: (listener: () => void): void => {
      listeners.push(listener);
      if (interrupt) listener();
    },
  };
  const output = {
    stdout: { write: (text: string) => (told.stdout += text) },
    stderr: { isTTY, write: (text: string) => (told.stderr += text) },
  };
  const code = await runSoak("planted", soak, args, { output, stop });
  return { code, ...told };
}

const passes = planted(() => Promise.resolve(result));

describe("the soak runner", () => {
  it("prints one table and ends with 0 when nothing failed", async () => {
    const { code, stdout, stderr } = await ran(passes, []);
    expect([code, stderr]).to.deep.equal([0, ""]);
    expect(stdout.replace(/in [\d.]+ s/, "in N s").split("\n")).to.deep.equal([
      "Planted",
      "",
      "what     count",
      "one      1,234",
      "another      5",
      "",
      "A note.",
      "",
      "passed in N s",
      "",
    ]);
  });

  it("prints one JSON object and nothing else with --json", async () => {
    const { code, stdout } = await ran(
      planted(() => Promise.resolve({ ...result, failures: [failure] })),
      ["--json"],
    );
    expect(code).to.equal(1);
    expect(stdout.endsWith("}\n")).to.equal(true);
    const { seconds, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
    expect(seconds).to.be.a("number");
    expect(rest).to.deep.equal({ soak: "planted", verdict: "fail", count: 1_239, failures: [failure] });
  });

  it("ends with 1 when anything failed, and tells what, with what, and how to see it again", async () => {
    const failures = new Array<typeof failure>(13).fill(failure);
    const { code, stdout } = await ran(
      planted(() => Promise.resolve({ ...result, failures })),
      [],
    );
    expect(code).to.equal(1);
    expect(stdout).to.contain("13 failed in ");
    expect(stdout).to.contain(
      "FAILED it broke\n  seed: 7\n  at: [1,2]\n  again: npm run soak -- planted --seed 7\n",
    );
    expect(stdout).to.contain("and 3 more");
  });

  it("ends with 64 for an option that is none, or whose value is not allowed", async () => {
    const reads = planted(({ values }) => {
      wholeNumber(values, "seed", 1);
      return Promise.resolve(result);
    });
    for (const args of [["--speed"], ["--seed", "x"], ["left"]]) {
      const { code, stdout, stderr } = await ran(reads, args);
      expect([code, stdout]).to.deep.equal([64, ""]);
      expect(stderr).to.match(
        /^soak planted: .*\nUsage: npm run soak -- planted \[--seed N\] \[--short\] \[--json\]\n$/,
      );
    }
    expect((await ran(reads, ["--seed", "9", "--short"])).code).to.equal(0);
  });

  it("tells its usage with --help", async () => {
    const { code, stdout } = await ran(passes, ["--help"]);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^Usage: .*\n\nShows what is planted\.\n\n +--short .*\n +--json .*\n$/);
  });

  it("shows progress on a terminal only: how far, how fast, how long yet", async () => {
    const works = planted(async ({ progress }) => {
      progress.begin("steps", 400);
      for (let step = 0; step <= 100; step += 100) {
        progress.step(step);
        await progress.breathe();
        await new Promise((resolve) => setTimeout(resolve, 260));
      }
      return result;
    });
    expect((await ran(works, [])).stderr).to.equal("");
    expect((await ran(works, [], { isTTY: true })).stderr).to.match(
      /steps: 100 of 400 \(25 %\), [\d,]+\/s, \d+ s left/,
    );
  });

  it("ends with 130 on Ctrl-C, and tells how far it came", async () => {
    const works = planted(async ({ progress }) => {
      progress.begin("steps", 10);
      progress.step(3);
      await progress.breathe();
      return result;
    });
    const { code, stdout, stderr } = await ran(works, [], { interrupt: true });
    expect([code, stdout]).to.deep.equal([130, ""]);
    expect(stderr).to.match(/^soak planted: interrupted at steps: 3 of 10 \(30 %\)/);
  });

  it("takes what fails after the user asked to stop as stopped: its processes are gone", async () => {
    const cutOff = planted(({ progress }) => {
      progress.begin("steps", 10);
      return Promise.reject(new Error("connection refused"));
    });
    const { code, stderr } = await ran(cutOff, [], { interrupt: true });
    expect([code, stderr]).to.deep.equal([130, "soak planted: interrupted at steps: 0 of 10 (0 %), 0/s\n"]);
  });

  it("lets a bug of a soak through", async () => {
    const buggy = planted(() => Promise.reject(new TypeError("a bug")));
    let thrown: unknown;
    await ran(buggy, []).catch((error: unknown) => {
      thrown = error;
    });
    expect(thrown).to.be.instanceOf(TypeError);
  });
});

describe("npm run soak", () => {
  const run = (...args: readonly string[]): { code: number | null; stdout: string; stderr: string } => {
    const program = path.join(projectRoot, "dist/bench/soak.js");
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
    return { code: status, stdout, stderr };
  };

  it("refuses a name that is none, and lists those that there are", () => {
    for (const args of [[], ["crash"]]) {
      const { code, stdout, stderr } = run(...args);
      expect([code, stdout]).to.deep.equal([64, ""]);
      expect(stderr).to.contain("bit-flips, crash-states").and.to.contain("fuzz");
    }
  });

  it("explains every option of every soak with --help: its default and what is allowed", () => {
    const names = [...run("--help").stdout.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name = ""]) => name);
    expect(names).to.include.members(["backpressure", "fuzz"]);
    for (const name of names) {
      const { code, stdout } = run(name, "--help");
      expect(code, name).to.equal(0);
      const [usage = "", ...rest] = stdout.split("\n");
      for (const [, option] of usage.matchAll(/\[--([a-z-]+) [A-Z]+\]/g))
        expect(rest.join("\n"), `${name} --${option}`).to.match(
          new RegExp(`^ {2}--${option} .*\\(.+\\)`, "m"),
        );
    }
    expect(run("fuzz", "--help").stdout).to.contain("client-request");
  });

  it("lists every soak with what it shows with --help", () => {
    const { code, stdout } = run("--help");
    expect(code).to.equal(0);
    for (const name of ["bit-flips", "crash-states", "fuzz"])
      expect(stdout).to.match(new RegExp(`^  ${name} +[A-Z].*\\.$`, "m"));
  });

  it("runs a soak in its thread, and gives one JSON object", () => {
    const { code, stdout } = run(
      "fuzz",
      "--decoder",
      "peer-list",
      "--inputs",
      "500",
      "--seed",
      "3",
      "--json",
    );
    expect(code).to.equal(0);
    const told = JSON.parse(stdout) as { decoders: { decoder: string; inputs: number }[] };
    expect(told).to.include({ soak: "fuzz", verdict: "pass", seed: 3, inputs: 500 });
    expect(told.decoders[0]).to.include({ decoder: "peer-list", inputs: 500, failed: 0 });
  });
});
