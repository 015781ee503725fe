import { expect } from "chai";
import fc from "fast-check";
import { AssertionError, assert, assertions } from "#core/base/assert";
import type { NodeId } from "#core/base/brand";
import { DeterminismCheck } from "#sim/determinism";
import { crashAnyone } from "#sim/nemesis/crash";
import { SettingError } from "#sim/overrides";
import { SimRun } from "#sim/run";
import { runSeed } from "#sim/run-seed";
import type { NemesisWorld, RunOptions, RunResult, Scenario, TimedTraceEvent } from "#sim/scenario";
import { traceHeader, traceLine } from "#sim/trace-json";
import { noLoad, toyNodes, toyScenario } from "./support/toy.ts";

const toys: RunOptions = { createNode: toyNodes(), createWorkload: noLoad };
const run = (seed: number, options: RunOptions = {}, scenario: Scenario = toyScenario): RunResult =>
  runSeed(scenario, seed, { ...toys, ...options });

describe("a run", () => {
  it("is the same for the same seed, with another seed run in between", () => {
    const first = run(1);
    const other = run(2);
    const again = run(1);
    expect(first.verdict).to.equal("pass");
    expect(first.events).to.be.greaterThan(1_000);
    expect(again).to.deep.equal(first);
    expect(other.traceHash).to.not.equal(first.traceHash);
  });

  it("is the same in slices, with listeners and while decisions are recorded", () => {
    const whole = run(3);
    const sliced = new SimRun(toyScenario, 3, toys);
    while (!sliced.advance(13)) {
      // The next slice.
    }
    expect(sliced.result()).to.deep.equal(whole);
    const watched = run(3, { listener: () => undefined, decisions: "record" });
    expect(watched.traceHash).to.equal(whole.traceHash);
  });

  it("draws the size of the group from what the scenario declares, and obeys the options", () => {
    const sizes = new Set(Array.from({ length: 12 }, (_, seed) => run(seed, { duration: 100_000 }).nodes));
    expect([...sizes].sort()).to.deep.equal([3, 5]);
    const asked = run(1, { nodes: 7, duration: 500_000 });
    expect(asked.nodes).to.equal(7);
    expect(asked.simulatedMicros).to.be.within(500_000, 1_000_000 + 10_000_000);
  });

  it("puts overrides above what the scenario draws, and refuses unknown ones", () => {
    const lossless = run(1, { overrides: { "network.loss": "0", "network.latencyMax": "3ms" } });
    expect(lossless.settings["network.loss"]).to.equal(0);
    expect(lossless.settings["network.latencyMax"]).to.equal(3_000);
    expect(lossless.faults["loss"]).to.equal(undefined);
    expect(() => run(1, { overrides: { "network.los": "0" } })).to.throw(SettingError);
    expect(() => run(1, { overrides: { "network.loss": "2" } })).to.throw(SettingError);
  });

  it("ends with verdict crash and the name of the invariant that a node asserted", () => {
    const result = run(1, { createNode: toyNodes({ atFrame: 50, how: "assert" }) });
    expect(result.verdict).to.equal("crash");
    expect(result.violation).to.include({ checker: "assertion", message: "a toy hears only so much" });
    expect(result.violation?.explanation).to.match(/^n\d /);
  });

  it("ends with verdict crash and the error's name for anything else that is thrown", () => {
    const result = run(1, { createNode: toyNodes({ atFrame: 50, how: "throw" }) });
    expect(result.verdict).to.equal("crash");
    expect(result.violation).to.include({ checker: "exception", message: "RangeError: toy broken" });
  });

  it("notices a node that spins at one instant", () => {
    const result = run(1, { createNode: toyNodes({ atFrame: 5, how: "spin" }) });
    expect(result.verdict).to.equal("liveness");
    expect(result.violation?.message).to.contain("time stands still");
  });

  it("ends with verdict liveness when nothing is acknowledged within ten seconds of healing", () => {
    const result = run(1, {}, { ...toyScenario, budget: "recoverable" });
    expect(result.verdict).to.equal("liveness");
    expect(result.simulatedMicros).to.equal(12_000_000);
    expect(result.violation?.message).to.contain("within 10 s of healing");
  });

  it("gives each start of a node a limit of sessions of its own where the knob says so, and else the usual one", () => {
    const asideIn = (spread: string): { readonly node: string; readonly aside: number }[] => {
      const starts: { readonly node: string; readonly aside: number }[] = [];
      const createNode: RunOptions["createNode"] = (spec, ports) => {
        starts.push({ node: spec.node, aside: spec.sessionsAside });
        return toyNodes()(spec, ports);
      };
      const nemesis = (world: NemesisWorld): void => crashAnyone(world, { min: 20_000, max: 100_000 });
      run(
        1,
        { createNode, nodes: 3, overrides: { "process.sessionsSpread": spread } },
        { ...toyScenario, duration: 20_000_000, nemesis },
      );
      return starts;
    };
    const drawn = asideIn("4");
    for (const node of ["n0", "n1", "n2"]) {
      const asides = new Set(drawn.flatMap((start) => (start.node === node ? [start.aside] : [])));
      expect(
        [...asides].sort((a, b) => a - b),
        node,
      ).to.deep.equal([-4, -3, -2, -1, 0, 1, 2, 3, 4]);
    }
    expect(new Set(asideIn("0").map(({ aside }) => aside))).to.deep.equal(new Set([0]));
  });

  it("hears nothing of a start from a node that was stopped in good order before it told how that ended", () => {
    const createNode: RunOptions["createNode"] = (spec, ports) => {
      let starting: (error?: Error) => void;
      return {
        ...toyNodes()(spec, ports),
        start: (done) => {
          starting = done;
        },
        stop: (done) => {
          done();
          starting(new Error("a toy does not start"));
        },
      };
    };
    const nemesis = (world: NemesisWorld): void =>
      world.repeat("stop", { min: 10_000, max: 10_000 }, () => world.shutDown("n0" as NodeId, 1_000));
    const result = run(1, { createNode, nodes: 3 }, { ...toyScenario, faults: {}, nemesis });
    expect(result.faults["orderly-stop"]).to.be.greaterThan(100);
    expect(result.faults["failed-start"]).to.equal(undefined);
  });

  it("turns core's own assertions off for its own length only", () => {
    const seen: boolean[] = [];
    const createNode: RunOptions["createNode"] = (spec, ports) => {
      seen.push(assertions.enabled);
      return toyNodes()(spec, ports);
    };
    run(1, { assertions: false, createNode, duration: 10_000 });
    expect(new Set(seen)).to.deep.equal(new Set([false]));
    expect(() => assert(false, "they are on again")).to.throw(AssertionError);
  });

  it("counts each kind of fault and tells it to the trace", () => {
    const events: TimedTraceEvent[] = [];
    const result = run(4, { listener: (event) => events.push(event) });
    const told = (fault: string, detail?: string): number =>
      events.filter(
        ({ event }) =>
          event.kind === "fault" &&
          event.fault === fault &&
          (detail === undefined || event.detail === detail),
      ).length;
    expect(result.faults["crash"]).to.equal(told("crash", "kill"));
    expect(result.faults["power-loss"]).to.equal(told("crash", "power"));
    for (const fault of ["loss", "cut"]) {
      expect(result.faults[fault], fault).to.be.greaterThan(0);
      expect(result.faults[fault]).to.equal(told(fault));
    }
  });
});

describe("decisions", () => {
  it("replay to the same hash, also when chance would decide otherwise", () => {
    for (const seed of [5, 6]) {
      const recorded = run(seed, { decisions: "record" });
      const decisions = recorded.decisions ?? [];
      expect(decisions.length).to.be.greaterThan(20);
      const replayed = run(seed, { decisions, settings: recorded.settings, nodes: recorded.nodes });
      expect(replayed.traceHash).to.equal(recorded.traceHash);
      expect(replayed.decisions).to.deep.equal(decisions);
    }
  });

  it("can be taken out one by one: no other one is lost, and none appears", () => {
    const recorded = run(7, { decisions: "record" });
    const decisions = recorded.decisions ?? [];
    const names = decisions.map(({ kind, key }) => `${kind} ${key}`);
    expect(new Set(names).size, "every decision has a name of its own").to.equal(names.length);
    fc.assert(
      fc.property(fc.nat(decisions.length - 1), (out) => {
        const left = decisions.filter((_, i) => i !== out);
        const replayed = run(7, { decisions: left, settings: recorded.settings, nodes: recorded.nodes });
        const happened = (replayed.decisions ?? []).map(({ kind, key }) => `${kind} ${key}`);
        expect(happened).to.not.include(names[out]);
        for (const name of happened) expect(names).to.include(name);
        // What came before the one that was taken out happened just as it did.
        expect((replayed.decisions ?? []).slice(0, out)).to.deep.equal(decisions.slice(0, out));
      }),
      { numRuns: 12 },
    );
  });

  it("leave a calm world when all are taken out", () => {
    const recorded = run(8, { decisions: "record" });
    const calm = run(8, { decisions: [], settings: recorded.settings, nodes: recorded.nodes });
    expect(calm.faults).to.deep.equal({});
  });
});

describe("determinism check", () => {
  it("passes two equal runs", () => {
    const check = new DeterminismCheck(() => new SimRun(toyScenario, 9, toys));
    while (!check.advance(1_000)) {
      // The next slice.
    }
    expect(check.result()).to.deep.equal(run(9));
  });

  it("names the first event in which two runs differ", () => {
    let runs = 0;
    const check = new DeterminismCheck(() => {
      runs += 1;
      const other = runs;
      const createNode: RunOptions["createNode"] = (spec, ports) =>
        toyNodes()(spec, {
          ...ports,
          random: {
            draw: (stream, key) => ports.random.draw(stream, key) + (other === 2 && key === 40 ? 1 : 0),
          },
        });
      return new SimRun(toyScenario, 9, { ...toys, createNode });
    });
    while (!check.advance()) {
      // Until both are over.
    }
    const result = check.result();
    expect(result.verdict).to.equal("nondeterminism");
    expect(result.violation?.explanation).to.match(/differ first at event \d+: once timer of n\d at \d+ us/);
  });
});

describe("trace file", () => {
  it("is equal byte for byte for one seed, and begins with scenario, topology and settings", () => {
    const text = (): string => {
      const lines: string[] = [];
      const made = new SimRun(toyScenario, 11, {
        ...toys,
        listener: (event) => lines.push(traceLine(event)),
      });
      made.advance();
      const { settings, duration } = made;
      const head = {
        scenario: "toy",
        seed: 11,
        nodes: made.cluster.nodes,
        groups: made.groupNames,
        durationMicros: duration,
        settings,
      };
      return [traceHeader(head), ...lines].join("\n");
    };
    const once = text();
    expect(text()).to.equal(once);
    const [head = "", first = ""] = once.split("\n");
    expect(JSON.parse(head)).to.include({ kind: "run", scenario: "toy", seed: 11 });
    expect(JSON.parse(head).topology.groups).to.deep.equal(["g0"]);
    expect(JSON.parse(head).settings["network.duplicate"]).to.equal(0.02);
    expect(Object.keys(JSON.parse(first)).slice(0, 4)).to.deep.equal(["sequence", "at", "kind", "node"]);
  });
});
