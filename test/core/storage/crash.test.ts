import { expect } from "chai";
import fc from "fast-check";
import {
  endOfAll,
  everyChoice,
  identity,
  makeEntries,
  recordOf,
  smallOptions,
  TestLog,
} from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Choose } from "#bench/storage/memory-inode";
import { nodeId } from "#core/base/brand";
import { getU32 } from "#core/base/bytes";
import { emptyLogEnd } from "#core/base/entry";
import { DiskFault } from "#core/io/disk";
import { batchMagic } from "#core/storage/batch";
import { openStore } from "#core/storage/log-store";
import type { LogStep } from "../../support/log-model.ts";
import { ModelledLog } from "../../support/log-model.ts";

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

/** A log in one life of its process, until call number `calls` has failed or the script has ended. */
function runToFailure(script: readonly LogStep[], calls: number, choose: Choose): ModelledLog {
  const log = new ModelledLog();
  log.failAfter(calls);
  for (const step of script) {
    if (step.do === "kill" || step.do === "power") continue;
    log.step(step, choose);
    if (log.failed) break;
  }
  return log;
}

/** Cuts a log, of which no sync of the segment succeeds any more. */
function cutUnsynced(log: TestLog, segment: string, from: number): void {
  log.disk.fault = ({ kind, path }) =>
    kind === "sync" && path.startsWith(segment) ? new DiskFault("io", "a bad sector") : undefined;
  log.store.truncate(from);
  log.disk.run();
  expect(log.failures).to.have.lengthOf(1);
}

describe("a crash", () => {
  it("takes nothing that was reported synced, and brings nothing back that was cut", () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat(0xffff)), (script, chance) => {
        const log = new ModelledLog();
        for (const step of script) log.step(step, (choices) => chance.next().value % choices);
        log.step({ do: "disk", calls: undefined }, () => 0);
        log.step({ do: "power" }, () => 0);
      }),
      { numRuns: 300 },
    );
  });

  it("after a failed write or sync finds everything that was reported before, and nothing was reported after", () => {
    let failures = 0;
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 60 }),
        fc.infiniteStream(fc.nat(0xffff)),
        (script, calls, chance) => {
          const choose = (choices: number): number => chance.next().value % choices;
          const log = runToFailure(script, calls, choose);
          if (log.failed) {
            failures += 1;
            const { synced, saved } = log.log;
            const told = [synced.length, saved];
            log.step({ do: "save" }, choose);
            log.step({ do: "disk", calls: undefined }, choose);
            expect([synced.length, log.log.saved]).to.deep.equal(told);
          }
          log.step({ do: "power" }, choose);
          log.step({ do: "power" }, () => 0);
        },
      ),
      { numRuns: 200 },
    );
    expect(failures).to.be.greaterThan(0);
  });

  it("of a machine, behind a failed write or sync and a process that went on from the page cache, takes nothing either", () => {
    let failures = 0;
    let cuts = 0;
    fc.assert(
      fc.property(
        steps,
        steps,
        fc.integer({ min: 1, max: 60 }),
        fc.infiniteStream(fc.nat(0xffff)),
        (script, more, calls, chance) => {
          const choose = (choices: number): number => chance.next().value % choices;
          const log = runToFailure(script, calls, choose);
          if (log.failed) failures += 1;
          log.step({ do: "kill" }, choose);
          for (const step of more) {
            if (step.do === "truncate") cuts += 1;
            log.step(step, choose);
          }
          log.step({ do: "disk", calls: undefined }, choose);
          log.step({ do: "power" }, choose);
          log.step({ do: "power" }, () => 0);
        },
      ),
      { numRuns: 300 },
    );
    expect(failures).to.be.greaterThan(20);
    expect(cuts).to.be.greaterThan(100);
  });

  it("brings no record back behind a cut whose header was lost with a failed sync, when the log is cut again", () => {
    const first = makeEntries(emptyLogEnd, 1, [400, 400, 400, 400]);
    const log = new TestLog(new MemoryDisk());
    log.store.append(first);
    log.disk.run();
    const segment = "g0/segment-0000000000";
    cutUnsynced(log, segment, 2);
    const next = new TestLog(log.disk.killed());
    const kept = next.readAll();
    const second = makeEntries(endOfAll(kept, emptyLogEnd), 2, [30, 50], 1);
    next.store.append(second);
    next.disk.run();
    next.store.append(makeEntries(endOfAll(second, emptyLogEnd), 2, [700], 2));
    next.disk.step();
    const expected = [...first.slice(0, 2), ...second].map(recordOf);
    let disk = next.disk.crashed(() => 0);
    for (let opening = 0; opening < 3; opening++) {
      const dark = new TestLog(disk);
      expect(dark.recovered.damage, `opening ${opening}`).to.deep.equal([]);
      expect(dark.readAll().map(recordOf)).to.deep.equal(expected);
      disk = dark.disk.crashed(() => 0);
    }
  });

  it("brings no dead record back where a cut's zeros were lost with a failed sync, once a later cut is the last and a header rots", () => {
    const segment = "g0/segment-0000000000";
    const log = new TestLog(new MemoryDisk());
    const all = makeEntries(emptyLogEnd, 1, [30]);
    log.store.append(all);
    log.disk.run();
    for (let n = 0, end = endOfAll(all, emptyLogEnd); n < 4; n++) {
      const dead = makeEntries(end, 5, [400], 1);
      end = endOfAll(dead, end);
      log.store.append(dead);
      log.disk.run();
    }
    cutUnsynced(log, segment, 1);
    const next = new TestLog(log.disk.killed());
    for (const length of [20, 3_900, 40, 50]) {
      const entries = makeEntries(endOfAll(all, emptyLogEnd), 7, [length], 2);
      all.push(...entries);
      next.store.append(entries);
      next.disk.run();
    }
    next.store.truncate(4);
    next.disk.run();
    const dark = next.disk.crashed(() => 0);
    // The header of the first batch behind the lost cut.
    const bytes = dark.content(segment);
    const at = bytes.findIndex((_, offset) => {
      return offset > 4_096 && offset % 64 === 0 && getU32(bytes, offset) === batchMagic;
    });
    dark.flip(segment, at + 9);
    const again = new TestLog(dark);
    expect(again.recovered.damage).to.deep.equal([{ first: 1, last: 1 }]);
    expect(again.recovered.end.index).to.equal(3);
    expect(again.read(2, 9_000).entries.map(recordOf)).to.deep.equal(all.slice(2, 4).map(recordOf));
    expect(again.mend(all.slice(1, 2))).to.equal(true);
    expect(again.readAll().map(recordOf)).to.deep.equal(all.slice(0, 4).map(recordOf));
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
          // A process that is killed leaves the page cache, and the power may fail once the next one has recovered.
          if (choose(2) === 1) log.step({ do: "kill" }, choose);
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

  it("after any failed call of a cut that takes segments, with the next one in the making, finds no gap between them", () => {
    const ways: { readonly kill: boolean; readonly choose: Choose }[] = [
      { kill: true, choose: () => 0 },
      { kill: false, choose: () => 0 },
      { kill: false, choose: (choices) => choices - 1 },
    ];
    let failures = 0;
    for (let calls = 1, reached = true; reached; calls++) {
      for (const { kill, choose } of ways) {
        const log = new ModelledLog({ ...smallOptions, segmentBytes: 8_192 });
        log.step({ do: "append", lengths: [100, 3_000, 3_000], newTerm: false }, choose);
        log.failAfter(calls);
        const before = log.log.disk.done.length;
        log.step({ do: "truncate", back: 2 }, choose);
        log.step({ do: "disk", calls: undefined }, choose);
        reached = log.log.disk.done.length - before >= calls;
        if (log.failed) failures += 1;
        if (kill) log.step({ do: "kill" }, choose);
        log.step({ do: "power" }, choose);
        log.step({ do: "power" }, () => 0);
      }
    }
    expect(failures).to.be.greaterThan(60);
  });

  it("of the process alone has what is not proven to be synced written again, before it is synced and counted on", () => {
    const log = new TestLog(new MemoryDisk());
    log.disk.run();
    log.store.append(makeEntries(emptyLogEnd, 1, [50]));
    log.disk.step();
    const next = new TestLog(log.disk.killed());
    expect(next.recovered.end.index).to.equal(0);
    const calls = next.disk.done
      .filter(({ path }) => path === "g0/segment-0000000000")
      .map((call) => call.kind);
    expect(calls.indexOf("write")).to.be.greaterThan(-1);
    expect(calls.indexOf("sync")).to.be.greaterThan(calls.indexOf("write"));
  });

  it("while the directory is being made leaves one that is made anew or goes on", () => {
    let runs = 0;
    for (let calls = 0, left = true; left; calls++) {
      runs += everyChoice((choose) => {
        const disk = new MemoryDisk();
        openStore(
          disk,
          smallOptions,
          () => identity,
          { synced: () => undefined, saved: () => undefined, failed: () => undefined },
          () => undefined,
        );
        for (let n = 0; n < calls; n++) disk.step();
        left = disk.waiting > 0;
        const next = choose(2) === 1 ? disk.killed() : disk.crashed(choose);
        const log = new TestLog(next);
        log.store.append(makeEntries(emptyLogEnd, 1, [10]));
        log.store.saveMeta({ term: 4, votedFor: "", peers: [] });
        log.disk.run();
        expect(log.synced).to.deep.equal([0]);
        const again = new TestLog(log.disk.crashed(() => 0));
        expect(again.recovered.end.index).to.equal(0);
        expect(again.recovered.meta.term).to.equal(4);
      });
    }
    expect(runs).to.be.greaterThan(30);
  });

  /** So many that a record of term and vote spans sectors. */
  const peers = Array.from({ length: 16 }, (_, n) => {
    return {
      node: nodeId(`peer-${n}`.replace("-", ".").padEnd(32, "x")),
      incarnation: `${n}`.padStart(16, "0"),
    };
  });

  it("at every call of two votes that follow each other takes neither back, though their record spans sectors", () => {
    let runs = 0;
    for (let calls = 0, left = true; left; calls++) {
      runs += everyChoice((choose) => {
        const log = new TestLog(new MemoryDisk());
        log.disk.run();
        for (let term = 1; term <= 3; term++) {
          const incarnation = `${term}`.padStart(16, "f");
          log.store.saveMeta({ term, votedFor: "", peers: peers.map((peer) => ({ ...peer, incarnation })) });
        }
        for (let n = 0; n < calls; n++) log.disk.step();
        left = log.disk.waiting > 0;
        const { saved } = log;
        const again = new TestLog(log.disk.crashed(choose));
        // The second and third call share a write.
        expect(again.recovered.meta.term).to.be.oneOf(saved === 0 ? [0, 1] : saved === 1 ? [1, 3] : [3]);
      });
    }
    expect(runs).to.be.greaterThan(10);
  });

  it("while a vote is recovered that a killed process left in the page cache takes no older vote back", () => {
    let runs = 0;
    for (let calls = 0; calls < 3; calls++) {
      for (let recovery = 0, left = true; left; recovery++) {
        runs += everyChoice((choose) => {
          const log = new TestLog(new MemoryDisk());
          log.disk.run();
          log.store.saveMeta({ term: 1, votedFor: "", peers });
          log.disk.run();
          const again = peers.map((peer) => ({ ...peer, incarnation: "f".repeat(16) }));
          log.store.saveMeta({ term: 2, votedFor: nodeId("n1"), peers: again });
          for (let n = 0; n < calls; n++) log.disk.step();
          const least = log.saved;
          const disk = log.disk.killed();
          const none = (): void => undefined;
          openStore(disk, smallOptions, () => identity, { synced: none, saved: none, failed: none }, none);
          for (let n = 0; n < recovery; n++) disk.step();
          left = disk.waiting > 0;
          const { meta } = new TestLog(disk.crashed(choose)).recovered;
          expect(meta.term).to.be.within(least, 2);
        });
      }
    }
    expect(runs).to.be.greaterThan(100);
  });
});
