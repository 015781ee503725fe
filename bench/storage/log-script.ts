import { groupId, nodeId } from "#core/base/brand";
import type { Entry, EntryContent, LogEnd } from "#core/base/entry";
import { bodyOf, encodeEntries, endOf } from "#core/base/entry";
import type { Identity } from "#core/storage/identity";
import type { ReadResult } from "#core/storage/log-reader";
import type { LogStore, Recovered, StoreOptions } from "#core/storage/log-store";
import { openStore } from "#core/storage/log-store";
import type { MemoryDisk } from "./memory-disk.ts";
import type { Choose } from "./memory-inode.ts";

export const smallOptions: StoreOptions = {
  directory: "g0",
  group: groupId("g0"),
  node: nodeId("n0"),
  segmentBytes: 8_192,
  reserveBytes: 1_024,
  batchBytesMax: 2_048,
  readBytesMax: 2_048,
  indexIntervalBytes: 512,
  aheadBytes: 8_192,
};

export const identity: Identity = {
  formatVersion: 1,
  cluster: "",
  group: groupId("g0"),
  node: nodeId("n0"),
  incarnation: "0123456789abcdef",
  voters: [nodeId("n0"), nodeId("n1"), nodeId("n2")],
  stage: "empty",
};

/** A store on a memory disk, with what it told. */
export class TestLog {
  readonly disk: MemoryDisk;
  readonly store: LogStore;
  readonly recovered: Recovered;
  readonly synced: number[] = [];
  readonly failures: string[] = [];
  readonly damagedRanges: { first: number; last: number }[] = [];
  saved = 0;

  constructor(disk: MemoryDisk, options: StoreOptions = smallOptions, who: Identity = identity) {
    this.disk = disk;
    let opened: { store: LogStore; recovered: Recovered } | undefined;
    let fault: Error | undefined;
    const events = {
      synced: (index: number): number => this.synced.push(index),
      saved: (): void => {
        this.saved += 1;
      },
      failed: (error: Error, operation: string): number =>
        this.failures.push(`${operation}: ${error.message}`),
      damaged: (range: { first: number; last: number }): number => this.damagedRanges.push(range),
    };
    openStore(
      disk,
      options,
      () => who,
      events,
      (error, value) => {
        fault = error;
        opened = value;
      },
    );
    while (opened === undefined && fault === undefined && disk.step());
    if (fault !== undefined) throw fault;
    if (opened === undefined) throw new Error("the store neither opened nor failed");
    this.store = opened.store;
    this.recovered = opened.recovered;
  }

  /** Reads the whole log, in pieces. */
  readAll(): Entry[] {
    const all: Entry[] = [];
    for (;;) {
      const { entries } = this.read(all.length, 700);
      if (entries.length === 0) return all;
      all.push(...entries);
    }
  }

  read(first: number, bytesMax: number, last: number = Number.MAX_SAFE_INTEGER): ReadResult {
    let result: ReadResult | undefined;
    let fault: Error | undefined;
    this.store.read(first, { last, bytesMax }, (error, value) => {
      fault = error;
      result = value;
    });
    this.disk.run();
    if (fault !== undefined) throw fault;
    if (result === undefined) throw new Error("a read was not answered");
    return result;
  }

  mend(entries: readonly Entry[]): boolean {
    let result: boolean | undefined;
    this.store.mend(entries, (error, mended) => {
      if (error !== undefined) throw error;
      result = mended;
    });
    this.disk.run();
    if (result === undefined) throw new Error("a mending was not answered");
    return result;
  }

  close(): void {
    let closed = false;
    this.store.close(() => {
      closed = true;
    });
    this.disk.run();
    if (!closed) throw new Error("the store did not close");
  }
}

/** Entries behind `end` whose bodies have the given lengths; the salt makes two logs differ. */
export function makeEntries(end: LogEnd, term: number, lengths: readonly number[], salt = 0): Entry[] {
  const contents: EntryContent[] = lengths.map((length, n) => {
    const body = new Uint8Array(length);
    for (let at = 0; at < length; at++) body[at] = 1 + ((at * 7 + n * 31 + term * 13 + salt * 101) % 255);
    return { kind: "data", body, session: 0, sequence: 0 };
  });
  return encodeEntries(end, term, contents);
}

export function endOfAll(entries: readonly Entry[], fallback: LogEnd): LogEnd {
  const last = entries[entries.length - 1];
  return last === undefined ? fallback : endOf(last);
}

/** A record's bytes, for comparing. */
export function recordOf(entry: Entry): string {
  return Buffer.from(entry.block.subarray(entry.offset, entry.offset + entry.size)).toString("hex");
}

export function bodyText(entry: Entry): string {
  return Buffer.from(bodyOf(entry)).toString("hex");
}

/** Runs `test` once for every sequence of choices that it can make. @returns how many there were. */
export function everyChoice(test: (choose: Choose) => void, runsMax = 100_000): number {
  const path: { choice: number; choices: number }[] = [];
  for (let runs = 1; ; runs++) {
    if (runs > runsMax) throw new Error(`more than ${runsMax} choices`);
    let at = 0;
    test((choices) => {
      const step = path[at] ?? { choice: 0, choices };
      path[at] = step;
      at += 1;
      return step.choice;
    });
    path.length = at;
    let last = path.pop();
    while (last !== undefined && last.choice + 1 >= last.choices) last = path.pop();
    if (last === undefined) return runs;
    path.push({ choice: last.choice + 1, choices: last.choices });
  }
}
