import { expect } from "chai";
import fc from "fast-check";
import type { Disk, DiskFile } from "#core/io/disk";
import { DiskWorld, SimDisk } from "#sim/disk";
import type { FaultSettings } from "#sim/settings";
import { calmSettings } from "#sim/settings";
import type { SimFile } from "#sim/sim-file";
import { World } from "#sim/world";

/** A disk that is driven by hand: `settle` completes everything, `powerLoss` and `kill` end the process. */
class Bench {
  readonly world: World;
  readonly diskWorld: DiskWorld;
  readonly process;
  disk: Disk;

  constructor(seed: number, settings: Partial<FaultSettings> = {}) {
    this.world = new World({ seed, settings: { ...calmSettings(), "disk.survive": 0.5, ...settings } });
    this.process = this.world.process("n0");
    this.world.begin(this.process);
    this.diskWorld = new DiskWorld(this.world.scheduler, this.process, this.world);
    this.disk = new SimDisk(this.diskWorld);
  }

  settle(): void {
    this.world.scheduler.run(this.world.scheduler.now + 60_000_000);
  }

  /** Runs the call to its end. */
  call<T>(submit: (done: (error: Error | undefined, value: T) => void) => void): T {
    let outcome: { readonly error: Error | undefined; readonly value: T } | undefined;
    submit((error, value) => {
      outcome = { error, value };
    });
    this.settle();
    if (outcome === undefined) throw new Error("it never completed");
    if (outcome.error !== undefined) throw outcome.error;
    return outcome.value;
  }

  gone(how: "kill" | "power"): void {
    this.process.life += 1;
    this.diskWorld.processGone(how);
    this.world.begin(this.process);
    this.disk = new SimDisk(this.diskWorld);
  }

  create(path: string): DiskFile {
    const file = this.call<DiskFile>((done) => this.disk.open(path, "new", done));
    this.call<void>((done) => this.disk.syncDirectory(".", done));
    return file;
  }

  content(path: string): Uint8Array {
    const file = this.call<DiskFile>((done) => this.disk.open(path, "existing", done));
    return this.call<Uint8Array>((done) => file.read(0, 1 << 24, done));
  }

  names(path = "."): readonly string[] {
    return this.call((done) => this.disk.list(path, done));
  }
}

const sectors = 8;
const sector = 512;
const filled = (value: number, count: number): Uint8Array => new Uint8Array(count * sector).fill(value);

describe("simulated disk", () => {
  it("after a power loss holds in each sector what was synced or something written since, each by itself", () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("write" as const),
          at: fc.nat(sectors - 1),
          count: fc.integer({ min: 1, max: 3 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("sync" as const) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("pass" as const), micros: fc.nat(3_000) }) },
    );
    fc.assert(
      fc.property(fc.nat(), fc.array(step, { maxLength: 40 }), (seed, steps) => {
        const bench = new Bench(seed);
        const file = bench.create("a");
        bench.call<void>((done) => file.write(0, [filled(255, sectors)], done));
        bench.call<void>((done) => file.sync(done));
        // By sector: every value it may hold, the certain one first.
        const legal = Array.from({ length: sectors }, () => [{ value: 255, completed: true }]);
        let value = 0;
        for (const next of steps) {
          if (next.kind === "pass") bench.world.scheduler.run(bench.world.scheduler.now + next.micros);
          else if (next.kind === "write") {
            const count = Math.min(next.count, sectors - next.at);
            value += 1;
            const writes = Array.from({ length: count }, (_, i) => {
              const write = { value, completed: false };
              legal[next.at + i]?.push(write);
              return write;
            });
            file.write(next.at * sector, [filled(value, count)], () => {
              for (const write of writes) write.completed = true;
            });
          } else {
            // What was completed at the submission is certain at the completion, unless something later is.
            const covered = legal.map((values) => values.findLastIndex(({ completed }) => completed));
            const certain = legal.map((values, i) => values[covered[i] as number]);
            file.sync(() => {
              for (const [i, values] of legal.entries()) {
                const from = values.indexOf(certain[i] as (typeof values)[number]);
                if (from > 0) values.splice(0, from);
              }
            });
          }
        }
        bench.gone("power");
        const found = bench.content("a");
        expect(found.length).to.equal(sectors * sector);
        for (let i = 0; i < sectors; i++) {
          const held = new Set(found.subarray(i * sector, (i + 1) * sector));
          expect(held.size, "a sector is whole").to.equal(1);
          const values = (legal[i] as { value: number }[]).map((write) => write.value);
          expect(values).to.include([...held][0] as number);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("tears a write that was not synced, in some run", () => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const bench = new Bench(seed);
      const file = bench.create("a");
      bench.call<void>((done) => file.write(0, [filled(1, 4)], done));
      bench.gone("power");
      const content = bench.content("a");
      const values = [0, 1, 2, 3].map((i) => content[i * sector] ?? 0);
      kinds.add(content.length === 0 ? "lost" : values.every((v) => v === 1) ? "kept" : "torn");
    }
    expect([...kinds].sort()).to.deep.equal(["kept", "lost", "torn"]);
  });

  it("does not cover by a sync what had not completed when the sync was submitted", () => {
    const bench = new Bench(1, { "disk.survive": 0 });
    const file = bench.create("a");
    file.write(0, [filled(1, 1)], () => undefined);
    file.sync(() => undefined);
    bench.settle();
    bench.gone("power");
    expect(bench.content("a").length).to.equal(0);
  });

  it("makes durable by a synced write what it wrote, and nothing else of the file", () => {
    const bench = new Bench(1, { "disk.survive": 0 });
    const file = bench.create("a");
    bench.call<void>((done) => file.write(0, [filled(1, 4)], done));
    bench.call<void>((done) => file.sync(done));
    bench.call<void>((done) => file.write(0, [filled(2, 1)], done));
    bench.call<void>((done) => file.writeSynced(sector, [filled(3, 2)], done));
    bench.call<void>((done) => file.write(3 * sector, [filled(4, 1)], done));
    bench.gone("power");
    const content = bench.content("a");
    expect([0, 1, 2, 3].map((i) => content[i * sector])).to.deep.equal([1, 3, 3, 1]);
  });

  it("keeps the old content of an overwritten sector until the new one is synced", () => {
    const bench = new Bench(1, { "disk.survive": 0 });
    const file = bench.create("a");
    bench.call<void>((done) => file.write(0, [filled(1, 3)], done));
    bench.call<void>((done) => file.sync(done));
    bench.call<void>((done) => file.write(sector, [filled(2, 1)], done));
    bench.call<void>((done) => file.truncate(2 * sector, done));
    bench.gone("power");
    const content = bench.content("a");
    expect([0, 1, 2].map((i) => content[i * sector])).to.deep.equal([1, 1, 1]);
  });

  it("loses nothing of the page cache when only the process is killed, and the next sync covers it", () => {
    const bench = new Bench(1, { "disk.survive": 0 });
    const file = bench.create("a");
    file.write(0, [filled(1, 2)], () => expect.fail("a completion of the killed process"));
    bench.gone("kill");
    expect(bench.content("a").length).to.equal(2 * sector);
    const again = bench.call<DiskFile>((done) => bench.disk.open("a", "existing", done));
    bench.call<void>((done) => again.sync(done));
    bench.gone("power");
    expect([...new Set(bench.content("a"))]).to.deep.equal([1]);
  });

  it("undoes names whose directory was not synced, each by itself, and keeps those that were", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const bench = new Bench(seed);
      bench.create("old");
      bench.call<DiskFile>((done) => bench.disk.open("tmp", "new", done));
      bench.call<void>((done) => bench.disk.rename("tmp", "meta", done));
      bench.call<void>((done) => bench.disk.remove("old", done));
      bench.gone("power");
      const names = bench.names().join(" ");
      seen.add(names);
      expect(names).to.match(/^(meta ?)?(old)? ?(tmp)?$/);
      expect(names.includes("meta") && names.includes("tmp"), "a rename leaves one name").to.equal(false);
    }
    expect(seen.has("old")).to.equal(true);
    expect(seen.has("meta")).to.equal(true);
    expect(seen.has("meta old") || seen.has("old tmp")).to.equal(true);
  });

  it("keeps every name change that a directory sync covered", () => {
    const bench = new Bench(3, { "disk.survive": 0 });
    bench.call<void>((done) => bench.disk.makeDirectory("d/e", done));
    bench.call<DiskFile>((done) => bench.disk.open("d/e/a", "new", done));
    bench.call<DiskFile>((done) => bench.disk.open("d/e/b", "new", done));
    bench.call<void>((done) => bench.disk.rename("d/e/a", "d/e/c", done));
    bench.call<void>((done) => bench.disk.syncDirectory("d/e", done));
    bench.call<void>((done) => bench.disk.remove("d/e/b", done));
    bench.gone("power");
    expect(bench.names("d/e")).to.deep.equal(["b", "c"]);
    expect(bench.names("d")).to.deep.equal(["e"]);
  });

  it("calls nothing back once the process is gone, and gives its locks to the next", () => {
    const bench = new Bench(1);
    bench.call((done) => bench.disk.lock(".", done));
    const file = bench.create("a");
    file.sync(() => expect.fail("a completion of the killed process"));
    bench.gone("kill");
    bench.settle();
    bench.call((done) => bench.disk.lock(".", done));
  });

  it("fails operations, and never makes durable what a failed sync had covered", () => {
    const bench = new Bench(1, { "disk.survive": 0 });
    const file = bench.create("a");
    bench.call<void>((done) => file.write(0, [filled(1, 1)], done));
    bench.world.settings["disk.ioError"] = 1;
    expect(() => bench.call<void>((done) => file.sync(done)))
      .to.throw()
      .with.property("code", "io");
    bench.world.settings["disk.ioError"] = 0;
    bench.call<void>((done) => file.sync(done));
    bench.gone("power");
    expect(bench.content("a")).to.have.length.within(0, sector);
    expect([...bench.content("a")].every((byte) => byte === 0)).to.equal(true);
    expect(bench.world.faults.get("io-error")).to.equal(1);
  });

  it("refuses a write beyond its capacity and stays readable", () => {
    const bench = new Bench(1, { "disk.capacityBytes": 1_000 });
    const file = bench.create("a");
    bench.call<void>((done) => file.write(0, [new Uint8Array(1_000).fill(1)], done));
    expect(() => bench.call<void>((done) => file.write(1_000, [Uint8Array.of(1)], done)))
      .to.throw()
      .with.property("code", "full");
    bench.call<void>((done) => file.write(0, [Uint8Array.of(2)], done));
    expect(bench.content("a").length).to.equal(1_000);
  });

  it("tells a process of the fault that the trace told of, on a full disk too", () => {
    const bench = new Bench(1, { "disk.capacityBytes": 1_000 });
    const file = bench.create("a");
    bench.world.settings["disk.writeError"] = 1;
    expect(() => bench.call<void>((done) => file.write(0, [new Uint8Array(2_000)], done)))
      .to.throw()
      .with.property("code", "io");
  });

  it("flips one bit of what is on the disk", () => {
    const bench = new Bench(1);
    const file = bench.create("a");
    bench.call<void>((done) => file.write(0, [filled(0, 4)], done));
    bench.call<void>((done) => file.sync(done));
    expect(bench.diskWorld.flipAnywhere(12_345)).to.equal(true);
    const ones = [...bench.content("a")].filter((byte) => byte !== 0);
    expect(ones).to.have.length(1);
    expect(
      Math.clz32(ones[0] as number) + Math.clz32((ones[0] as number) & -(ones[0] as number)),
    ).to.be.greaterThan(0);
  });

  it("fails the kind of operation that a knob names, or the next one by order, and tells when it is heard of", () => {
    const bench = new Bench(1);
    const file = bench.create("a");
    const told: string[] = [];
    bench.world.trace.listen(({ event }) => {
      if (event.kind === "fault" && event.fault === "io-failed") told.push(event.detail);
    });
    const write = (): void => bench.call<void>((done) => file.write(0, [filled(1, 1)], done));
    const sync = (): void => bench.call<void>((done) => file.sync(done));
    const read = (): unknown => bench.call<Uint8Array>((done) => file.read(0, 1, done));
    const works = { read, write, sync };
    for (const [work, run] of Object.entries(works)) {
      const knob = `disk.${work}Error` as "disk.readError" | "disk.writeError" | "disk.syncError";
      bench.world.settings[knob] = 1;
      expect(run).to.throw().with.property("code", "io");
      for (const other of Object.values(works)) if (other !== run) expect(other).to.not.throw();
      bench.world.settings[knob] = 0;
    }
    bench.diskWorld.failNext = "sync";
    expect(write).to.not.throw();
    expect(sync).to.throw().with.property("code", "io");
    expect(sync).to.not.throw();
    expect(told).to.deep.equal(["read a", "write a", "sync a", "sync a"]);
  });

  it("stalls, with all that is behind it", () => {
    const bench = new Bench(1, { "disk.stallMax": 5_000_000 });
    const file = bench.create("a");
    const { scheduler } = bench.world;
    bench.world.settings["disk.stall"] = 1;
    const ended: number[] = [];
    file.sync(() => ended.push(scheduler.now));
    bench.world.settings["disk.stall"] = 0;
    const begun = scheduler.now;
    file.read(0, 1, () => ended.push(scheduler.now));
    bench.settle();
    expect(bench.world.faults.get("stalled-disk")).to.equal(1);
    expect(Math.min(...ended)).to.be.greaterThan(begun + 10_000);
  });

  it("knows which bytes rotted until a write over them is synced, through power losses", () => {
    const bench = new Bench(1, { "disk.survive": 0 });
    const file = bench.create("a");
    const kept = bench.diskWorld.tree.find("a") as SimFile;
    const write = (): void => bench.call<void>((done) => file.write(0, [filled(1, 2)], done));
    write();
    bench.call<void>((done) => file.sync(done));
    kept.corrupt(510, Uint8Array.of(1, 7, 8, 1));
    expect(kept.rottenBytes()).to.deep.equal([511, 512]);
    kept.corrupt(512, Uint8Array.of(1));
    expect(kept.rottenBytes()).to.deep.equal([511]);
    write();
    expect(kept.rottenBytes(), "not before the sync").to.deep.equal([511]);
    bench.gone("power");
    expect(bench.content("a")[511]).to.equal(7);
    expect(kept.rottenBytes()).to.deep.equal([511]);
    const again = bench.call<DiskFile>((done) => bench.disk.open("a", "existing", done));
    bench.call<void>((done) => again.write(0, [bench.content("a").slice()], done));
    bench.call<void>((done) => again.sync(done));
    expect(kept.rottenBytes(), "who writes again what it read mends nothing").to.deep.equal([511]);
    bench.call<void>((done) => again.write(0, [filled(1, 1)], done));
    bench.call<void>((done) => again.sync(done));
    expect(kept.rottenBytes()).to.deep.equal([]);
    expect(bench.content("a")[511]).to.equal(1);
  });

  it("keeps a preallocated file of zeros for nothing", () => {
    const bench = new Bench(1);
    const file = bench.create("a");
    const zeros = new Uint8Array(1 << 20);
    for (let i = 0; i < 64; i++) bench.call<void>((done) => file.write(i << 20, [zeros], done));
    const kept = bench.diskWorld.tree.find("a");
    expect(kept?.length).to.equal(64 << 20);
    expect(kept?.dirtySectors).to.equal(0);
    expect(kept?.chunkCount).to.equal(0);
  });
});
