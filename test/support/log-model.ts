import { expect } from "chai";
import { endOfAll, makeEntries, recordOf, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Choose } from "#bench/storage/memory-inode";
import type { Entry, LogEnd } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { DiskFault } from "#core/io/disk";
import type { StoreOptions } from "#core/storage/log-store";

/** One thing that a test does to a log. */
export type LogStep =
  | { readonly do: "append"; readonly lengths: readonly number[]; readonly newTerm: boolean }
  /** Cuts the last `back` entries. */
  | { readonly do: "truncate"; readonly back: number }
  | { readonly do: "save" }
  | { readonly do: "mark" }
  /** Carries out so many disk calls; all that wait if undefined. */
  | { readonly do: "disk"; readonly calls: number | undefined }
  | { readonly do: "kill" }
  | { readonly do: "power" };

/** A log beside a model of what it promised, which every recovery is held against. */
export class ModelledLog {
  log: TestLog;
  private readonly options: StoreOptions;
  /** What the log may be after a crash: the log of now, and those that a cut not known to be done may have left. */
  private versions: Entry[][] = [[]];
  private term = 1;
  private salt = 0;
  private metaSaves: number[] = [0];
  private metaSaved = 0;
  private savedBefore = 0;
  private syncedSeen = 0;
  /** A fault was injected. */
  private mayFail = false;

  constructor(options: StoreOptions = smallOptions) {
    this.options = options;
    this.log = new TestLog(new MemoryDisk(), options);
  }

  private get entries(): Entry[] {
    return this.versions[this.versions.length - 1] ?? [];
  }

  private get end(): LogEnd {
    return endOfAll(this.entries, emptyLogEnd);
  }

  /** The disk's call number `calls` from now fails, if it is one that writes or syncs. */
  failAfter(calls: number): void {
    this.mayFail = true;
    let left = calls;
    this.log.disk.fault = ({ kind }) => {
      left -= 1;
      return left === 0 && kind !== "read" && kind !== "other"
        ? new DiskFault("io", "input/output error")
        : undefined;
    };
  }

  /** Whether the store has told of a failure. */
  get failed(): boolean {
    return this.log.failures.length > 0;
  }

  step(step: LogStep, choose: Choose): void {
    const { store, disk } = this.log;
    switch (step.do) {
      case "append": {
        if (step.newTerm) this.term += 1;
        this.salt += 1;
        const entries = makeEntries(this.end, this.term, step.lengths, this.salt);
        this.versions[this.versions.length - 1] = [...this.entries, ...entries];
        return store.append(entries);
      }
      case "truncate": {
        const kept = Math.max(0, this.entries.length - step.back);
        store.truncate(kept);
        this.versions.push(this.entries.slice(0, kept));
        return;
      }
      case "save": {
        this.metaSaves.push((this.metaSaves[this.metaSaves.length - 1] ?? 0) + 1);
        const term = this.metaSaves[this.metaSaves.length - 1] ?? 0;
        return store.saveMeta({ term, votedFor: "", peers: [] });
      }
      case "mark":
        return store.markIdle();
      case "disk":
        return this.runDisk(step.calls);
      case "kill":
        return this.restart(disk.killed());
      case "power":
        return this.restart(disk.crashed(choose));
    }
  }

  private runDisk(calls: number | undefined): void {
    for (let n = 0; n !== calls; n++) {
      if (!this.log.disk.step()) {
        // Nothing is under way: every cut is done.
        if (!this.failed) this.versions = [this.entries];
        break;
      }
      this.noteSynced();
    }
    this.metaSaved = this.savedBefore + this.log.saved;
    if (!this.mayFail) expect(this.log.failures).to.deep.equal([]);
  }

  /** What is reported synced is of the log of now, and never more than was appended. */
  private noteSynced(): void {
    for (; this.syncedSeen < this.log.synced.length; this.syncedSeen++) {
      const index = this.log.synced[this.syncedSeen] ?? -1;
      expect(index).to.be.lessThan(this.entries.length);
    }
  }

  private restart(disk: MemoryDisk): void {
    const durable = this.log.store.durableIndex;
    const saved = this.metaSaved;
    this.log = new TestLog(disk, this.options);
    this.syncedSeen = 0;
    const { recovered } = this.log;
    expect(recovered.damage, "a crash alone damages nothing").to.deep.equal([]);
    const got = this.log.readAll();
    expect(got.length - 1).to.equal(recovered.end.index);
    expect(recovered.end.index, "everything reported synced is there").to.be.at.least(durable);
    const records = got.map(recordOf);
    const from = this.versions.some((version) => {
      return (
        got.length <= version.length &&
        records.every((record, at) => record === recordOf(version[at] as Entry))
      );
    });
    expect(from, "the log is a prefix of what was appended, never a mix").to.equal(true);
    const { term } = recovered.meta;
    expect(term, "term and vote never go back").to.be.within(saved, this.metaSaves.length - 1);
    this.mayFail = false;
    this.versions = [got];
    this.metaSaves = this.metaSaves.slice(0, term + 1);
    this.savedBefore = term;
    this.metaSaved = term;
    this.term = Math.max(this.term, recovered.end.term);
    expect(recovered.terms, "term runs are those of the entries").to.deep.equal(runsOf(got));
  }
}

function runsOf(entries: readonly Entry[]): { firstIndex: number; term: number }[] {
  const runs: { firstIndex: number; term: number }[] = [];
  for (const { index, term } of entries) {
    if (runs[runs.length - 1]?.term !== term) runs.push({ firstIndex: index, term });
  }
  return runs;
}
