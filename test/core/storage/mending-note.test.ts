import { expect } from "chai";
import { endOfAll, makeEntries, recordOf, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd, endOf } from "#core/base/entry";

const options = { ...smallOptions, segmentBytes: 8_192 };
const segment = "g0/segment-0000000000";
const meta = "g0/meta";

/** Batches of one entry over several segments, marked at the end, everything durable. */
function makeLog(): { readonly disk: MemoryDisk; readonly all: readonly Entry[] } {
  const disk = new MemoryDisk();
  const log = new TestLog(disk, options);
  const all: Entry[] = [];
  for (let n = 0; n < 12; n++) {
    const [entry] = makeEntries(endOfAll(all, emptyLogEnd), 1, [800]) as [Entry];
    all.push(entry);
    log.store.append([entry]);
    disk.run();
  }
  log.store.markIdle();
  disk.run();
  return { disk: disk.crashed(() => 0), all };
}

const { disk: whole, all } = makeLog();

/** Where the first batches of the first segment begin: a header, a record, padding. */
const frameBytes = (all[0] as Entry).size + (64 - ((all[0] as Entry).size % 64)) + 64;
const frameAt = (n: number): number => 4_096 + n * frameBytes;

const harms: { readonly [name: string]: (disk: MemoryDisk) => void } = {
  "a record": (disk) => disk.flip(segment, frameAt(0) + 64 + 5),
  "the header of a batch": (disk) => disk.flip(segment, frameAt(1) + 5),
  "the headers of two batches": (disk) => {
    disk.flip(segment, frameAt(1) + 5);
    disk.flip(segment, frameAt(2) + 5);
  },
  "two records apart": (disk) => {
    disk.flip(segment, frameAt(0) + 64 + 100);
    disk.flip(segment, frameAt(2) + 64 + 100);
  },
};

function harmed(harm: (disk: MemoryDisk) => void): TestLog {
  const disk = whole.killed();
  harm(disk);
  const log = new TestLog(disk, options);
  disk.run();
  return log;
}

/** Begins to mend everything: each hole as a whole, or from its front in pieces of one record. */
function beginMending(log: TestLog, pieces: boolean): void {
  for (const { first, last } of log.store.damage()) {
    const copies = all.slice(first, last + 1);
    if (!pieces) log.store.mend(copies, () => undefined);
    else for (const copy of copies) log.store.mend([copy], () => undefined, endOf(copy));
  }
}

describe("what a mending wrote", () => {
  for (const [what, harm] of Object.entries(harms)) {
    for (const pieces of [false, true]) {
      it(`stays, once a process that came after vouched for it: ${what}${pieces ? ", in pieces" : ""}`, () => {
        let steps = 0;
        for (let more = true; more; steps++) {
          const log = harmed(harm);
          expect(log.store.damage()).to.not.deep.equal([]);
          beginMending(log, pieces);
          for (let n = 0; n < steps; n++) more = log.disk.step();
          const next = new TestLog(log.disk.killed(), options);
          const told = next.store.damage();
          const dark = new TestLog(
            next.disk.crashed(() => 0),
            options,
          );
          expect(dark.store.damage(), `after ${steps} calls`).to.deep.equal(told);
        }
        expect(steps).to.be.greaterThan(4);
      });
    }
  }

  it("stays when the process that writes it again is killed too, at any call", () => {
    const log = harmed(harms["the header of a batch"] as (disk: MemoryDisk) => void);
    beginMending(log, false);
    while (log.disk.done.at(-1)?.kind !== "write" || log.disk.done.at(-1)?.path !== segment) log.disk.step();
    const left = log.disk.killed();
    let calls = 0;
    for (; ; calls++) {
      const second = left.killed();
      const killed = { at: calls };
      let opened: TestLog | undefined;
      // The process is killed at this call: the rest of them does not happen.
      second.fault = () => {
        if (killed.at-- === 0) throw new Error("killed");
        return undefined;
      };
      try {
        opened = new TestLog(second, options);
      } catch (error) {
        if ((error as Error).message !== "killed") throw error;
      }
      second.fault = () => undefined;
      const third = new TestLog(second.killed(), options);
      const told = third.store.damage();
      expect(
        new TestLog(
          third.disk.crashed(() => 0),
          options,
        ).store.damage(),
      ).to.deep.equal(told);
      if (opened !== undefined) break;
    }
    expect(calls).to.be.greaterThan(10);
  });

  it("is not written again once all is mended, or what was left is cut", () => {
    const rewrites = (disk: MemoryDisk): number => {
      const next = new TestLog(disk.killed(), options);
      return next.disk.done.filter(({ kind, path }) => kind === "write" && path === segment).length;
    };
    const untouched = rewrites(whole);
    const mended = harmed(harms["two records apart"] as (disk: MemoryDisk) => void);
    expect(mended.mend(all.slice(0, 1))).to.equal(true);
    expect(rewrites(mended.disk), "one hole is left").to.be.greaterThan(untouched);
    expect(mended.mend(all.slice(2, 3))).to.equal(true);
    expect(rewrites(mended.disk)).to.equal(untouched);
    expect(mended.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
    const cut = harmed(harms["two records apart"] as (disk: MemoryDisk) => void);
    expect(cut.mend(all.slice(0, 1))).to.equal(true);
    cut.store.truncate(2);
    cut.disk.run();
    cut.close();
    const again = new TestLog(cut.disk.killed(), options);
    expect(again.store.damage()).to.deep.equal([]);
    expect(again.disk.done.filter(({ kind, path }) => kind === "sync" && path === meta).length).to.equal(1);
  });

  it("needs no room on a full disk", () => {
    const log = harmed(harms["the headers of two batches"] as (disk: MemoryDisk) => void);
    log.disk.capacityBytes = log.disk.usedBytes;
    expect(log.mend(all.slice(1, 3))).to.equal(true);
    expect(log.store.damage()).to.deep.equal([]);
  });
});
