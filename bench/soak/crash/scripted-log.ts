import { nodeId } from "#core/base/brand";
import type { Entry, LogEnd } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import type { Identity, Stage } from "#core/storage/identity";
import type { StoreOptions } from "#core/storage/log-store";
import type { Meta } from "#core/storage/meta";
import { endOfAll, identity, makeEntries, TestLog } from "../../storage/log-script.ts";
import { MemoryDisk } from "../../storage/memory-disk.ts";

/** One call of the store that a script makes. */
export type Step =
  | { readonly do: "append"; readonly lengths: readonly number[]; readonly newTerm?: boolean }
  /** Cuts the last `back` entries. */
  | { readonly do: "truncate"; readonly back: number }
  /** Term and vote; with many peers the record spans sectors. */
  | { readonly do: "save"; readonly peers?: number }
  | { readonly do: "mark" }
  | { readonly do: "stage"; readonly stage: Stage };

/** What a store on the disk of a crash must give back. */
export interface Promised {
  /** Reported synced and not cut since: they are there, the first ones of the log. */
  readonly acked: readonly Entry[];
  /** The log is a prefix of one of these. */
  readonly versions: readonly (readonly Entry[])[];
  /** Term and vote are those of one of the saves from `savedMin` to `savedMax`. */
  readonly savedMin: number;
  readonly savedMax: number;
  readonly stages: readonly Stage[];
}

/** The term and vote that the `n`-th save writes, told by `n` alone but for the number of peers. */
export function metaOf(n: number, peers: number): Meta {
  const incarnation = `${n}`.padStart(16, "f");
  return {
    term: n,
    votedFor: n % 2 === 0 ? "" : nodeId(`n${n % 3}`),
    peers: Array.from({ length: peers }, (_, at) => ({
      node: nodeId(`peer.${at}`.padEnd(32, "x")),
      incarnation,
    })),
  };
}

/** A store on a memory disk, carried out call by call, beside what it has promised so far. */
export class ScriptedLog {
  readonly log: TestLog;
  private entries: Entry[] = [];
  /** What may be found beside the log of now: logs of before a cut that is not known to be done. */
  private before: (readonly Entry[])[] = [];
  private acked: Entry[] = [];
  private syncedSeen = 0;
  private readonly metas: Meta[] = [metaOf(0, 0)];
  private stages: Stage[] = ["empty"];
  private term = 1;
  private salt = 0;

  constructor(options: StoreOptions, disk: MemoryDisk = new MemoryDisk()) {
    this.log = new TestLog(disk, options, identity);
    this.settle();
  }

  get disk(): MemoryDisk {
    return this.log.disk;
  }

  private get end(): LogEnd {
    return endOfAll(this.entries, emptyLogEnd);
  }

  apply(step: Step): void {
    const { store } = this.log;
    switch (step.do) {
      case "append": {
        if (step.newTerm === true) this.term += 1;
        this.salt += 1;
        const added = makeEntries(this.end, this.term, step.lengths, this.salt);
        this.entries = [...this.entries, ...added];
        return store.append(added);
      }
      case "truncate": {
        const kept = Math.max(0, this.entries.length - step.back);
        this.before.push(this.entries);
        this.entries = this.entries.slice(0, kept);
        this.acked = this.acked.slice(0, kept);
        return store.truncate(kept);
      }
      case "save": {
        const meta = metaOf(this.metas.length, step.peers ?? 0);
        this.metas.push(meta);
        return store.saveMeta(meta);
      }
      case "mark":
        return store.markIdle();
      case "stage":
        return this.saveStage(step.stage);
    }
  }

  private saveStage(stage: Stage): void {
    const next: Identity = { ...this.log.store.identity, stage };
    this.stages.push(stage);
    this.log.store.saveIdentity(next, (error) => {
      if (error !== undefined) throw error;
      this.stages = [stage];
    });
  }

  /** Carries out one of the disk calls that wait. */
  carryOut(place: number): void {
    this.disk.stepAt(place);
    if (this.log.failures.length > 0) throw new Error(`the store failed: ${this.log.failures.join()}`);
    for (; this.syncedSeen < this.log.synced.length; this.syncedSeen++) {
      const last = this.log.synced[this.syncedSeen] ?? -1;
      if (last >= this.entries.length) throw new Error(`${last} is reported synced and was never appended`);
      this.acked = this.entries.slice(0, last + 1);
    }
    // Nothing is under way: every cut is done.
    if (this.disk.waiting === 0) this.before = [];
  }

  settle(): void {
    while (this.disk.waiting > 0) this.carryOut(0);
  }

  get promised(): Promised {
    return {
      acked: this.acked,
      versions: [this.entries, ...this.before],
      savedMin: this.log.saved,
      savedMax: this.metas.length - 1,
      stages: this.stages,
    };
  }

  /** The term and vote of a save. */
  meta(n: number): Meta | undefined {
    return this.metas[n];
  }
}
