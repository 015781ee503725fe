import { expect } from "chai";
import fc from "fast-check";
import type { LogStep } from "../../support/log-model.ts";
import { ModelledLog } from "../../support/log-model.ts";
import { everyChoice, smallOptions } from "../../support/log-script.ts";

const lengths = fc.array(fc.oneof(fc.nat(40), fc.integer({ min: 300, max: 1_200 }), fc.constant(5_000)), {
  minLength: 1,
  maxLength: 4,
});

const steps: fc.Arbitrary<LogStep[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant("append" as const), lengths, newTerm: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("truncate" as const), back: fc.nat(6) }) },
    { weight: 1, arbitrary: fc.constant<LogStep>({ do: "save" }) },
    { weight: 1, arbitrary: fc.constant<LogStep>({ do: "mark" }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("disk" as const), calls: fc.nat(12) }) },
    { weight: 2, arbitrary: fc.constant<LogStep>({ do: "disk", calls: undefined }) },
    { weight: 1, arbitrary: fc.constant<LogStep>({ do: "kill" }) },
    { weight: 2, arbitrary: fc.constant<LogStep>({ do: "power" }) },
  ),
  { minLength: 1, maxLength: 30 },
);

describe("a crash", () => {
  it("takes nothing that was reported synced, and brings nothing back that was cut", () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat(0xffff)), (script, chance) => {
        const log = new ModelledLog();
        for (const step of script) log.step(step, (choices) => chance.next().value % choices);
        log.step({ do: "disk", calls: undefined }, () => 0);
        log.step({ do: "power" }, () => 0);
      }),
      { numRuns: 400 },
    );
  });

  const scripts: { readonly name: string; readonly steps: readonly LogStep[] }[] = [
    {
      name: "one append, another of a new term, a vote",
      steps: [
        { do: "append", lengths: [20, 500], newTerm: false },
        { do: "save" },
        { do: "append", lengths: [30], newTerm: true },
      ],
    },
    {
      name: "an append that rolls to the next segment",
      steps: [
        { do: "append", lengths: [3_500], newTerm: false },
        { do: "disk", calls: undefined },
        { do: "append", lengths: [700], newTerm: false },
      ],
    },
    {
      name: "a cut within a batch and a shorter append in its place",
      steps: [
        { do: "append", lengths: [100, 400, 300], newTerm: false },
        { do: "disk", calls: undefined },
        { do: "truncate", back: 2 },
        { do: "append", lengths: [20], newTerm: true },
      ],
    },
    {
      name: "a cut back over a segment, and an append",
      steps: [
        { do: "append", lengths: [3_000], newTerm: false },
        { do: "append", lengths: [3_000], newTerm: false },
        { do: "disk", calls: undefined },
        { do: "truncate", back: 2 },
        { do: "append", lengths: [40], newTerm: true },
      ],
    },
  ];

  for (const { name, steps: script } of scripts) {
    it(`at every call and with every legal subset of what was not synced: ${name}`, () => {
      let runs = 0;
      for (let calls = 0; ; calls++) {
        let left = false;
        runs += everyChoice((choose) => {
          const log = new ModelledLog({ ...smallOptions, segmentBytes: 8_192 });
          log.step({ do: "disk", calls: undefined }, choose);
          for (const step of script) log.step(step, choose);
          log.step({ do: "disk", calls }, choose);
          left = log.log.disk.waiting > 0;
          log.step({ do: "power" }, choose);
          // What was recovered is durable at once, and the log goes on from there.
          log.step({ do: "power" }, () => 0);
          log.step({ do: "append", lengths: [60], newTerm: true }, choose);
          log.step({ do: "disk", calls: undefined }, choose);
          log.step({ do: "power" }, () => 0);
        });
        if (!left) break;
      }
      expect(runs).to.be.greaterThan(20);
    });
  }
});
