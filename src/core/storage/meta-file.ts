import { LogError } from "../base/errors.ts";
import type { Done, Task } from "../base/task.ts";
import { runTask, wait } from "../base/task.ts";
import type { Disk, DiskFile } from "../io/disk.ts";
import { replaceFile } from "./identity.ts";
import type { Cut, Mending, Meta, MetaRecord } from "./meta.ts";
import { decodeSlot, emptyMeta, encodeSlot, noCut, slotBytes } from "./meta.ts";

export const metaName = "meta";
const temporaryName = "meta.tmp";

/**
 * The two slots. A record goes to the slot that does not hold the newest one; once it is durable (and told so), the
 * other slot gets a copy, so that later rot in either slot takes nothing back.
 */
export class MetaFile {
  private readonly file: DiskFile;
  private readonly directory: number;
  private readonly failed: (error: Error, operation: string) => void;
  /** Durable; in slot `newestSlot` at least. */
  private newest: MetaRecord;
  private newestSlot: number;
  private mirrored = true;
  private meta: Meta;
  private cut: Cut;
  private mending: Mending | undefined;
  private waiting: Done<void>[] = [];
  private writing = false;
  /** After a failed write or sync nothing is written again. */
  private fault: Error | undefined;
  private idle: (() => void)[] = [];

  constructor(
    file: DiskFile,
    directory: number,
    newest: MetaRecord,
    newestSlot: number,
    failed: (error: Error, operation: string) => void,
  ) {
    this.file = file;
    this.directory = directory;
    this.newest = newest;
    this.newestSlot = newestSlot;
    this.meta = newest.meta;
    this.cut = newest.cut;
    this.mending = newest.mending;
    this.failed = failed;
  }

  /** The last record that is durable. */
  get record(): MetaRecord {
    return this.newest;
  }

  /** Calls that wait share the next write; each `done` is called, in order, once its record is durable, or with the fault. */
  save(meta: Meta, done: Done<void>): void {
    this.meta = meta;
    this.waiting.push(done);
    this.next();
  }

  saveCut(cut: Cut, done: Done<void>): void {
    this.cut = cut;
    this.waiting.push(done);
    this.next();
  }

  /** Notes what is about to be written in place of damaged records, or that all of it is durable. */
  saveMending(mending: Mending | undefined, done: Done<void>): void {
    this.mending = mending;
    this.waiting.push(done);
    this.next();
  }

  whenIdle(done: () => void): void {
    this.idle.push(done);
    this.next();
  }

  /** Not while a slot is being written. */
  *close(): Task<void> {
    yield* wait<void>((done) => this.whenIdle(() => done(undefined, undefined)));
    yield* wait<void>((done) => this.file.close(done));
  }

  private next(): void {
    if (this.writing) return;
    const save = this.waiting.length > 0;
    if (this.fault !== undefined) for (const done of this.waiting.splice(0)) done(this.fault, undefined);
    if (this.fault !== undefined || (!save && this.mirrored)) {
      const idle = this.idle;
      this.idle = [];
      for (const done of idle) done();
      return;
    }
    this.writing = true;
    const told = this.waiting.length;
    runTask(save ? this.writeNext() : this.mirror(), (error) => {
      this.writing = false;
      if (error !== undefined) {
        this.fault = error;
        this.failed(error, "write meta");
      } else for (const done of this.waiting.splice(0, told)) done(undefined, undefined);
      this.next();
    });
  }

  private *writeNext(): Task<void> {
    const { meta, cut, mending } = this;
    const noted = mending === undefined ? {} : { mending };
    const record: MetaRecord = { sequence: this.newest.sequence + 1, meta, cut, ...noted };
    const slot = 1 - this.newestSlot;
    yield* this.write(slot, record);
    this.newest = record;
    this.newestSlot = slot;
    this.mirrored = false;
  }

  private *mirror(): Task<void> {
    yield* this.write(1 - this.newestSlot, this.newest);
    this.mirrored = true;
  }

  private *write(slot: number, record: MetaRecord): Task<void> {
    const bytes = encodeSlot(record, this.directory, slot);
    yield* wait<void>((done) => this.file.writeSynced(slot * slotBytes, [bytes], done));
  }
}

/** Makes the file with two equal slots. */
export function* createMeta(disk: Disk, path: string, directory: number): Task<void> {
  const record: MetaRecord = { sequence: 1, meta: emptyMeta, cut: noCut };
  const bytes = new Uint8Array(2 * slotBytes);
  bytes.set(encodeSlot(record, directory, 0));
  bytes.set(encodeSlot(record, directory, 1), slotBytes);
  yield* replaceFile(disk, path, metaName, temporaryName, bytes);
}

/**
 * Opens the file and makes both slots equal and durable: what a killed process wrote may so far stand in the page cache only.
 * @throws LogError damaged when no slot is valid: a node that forgot its vote must not go on.
 */
export function* openMeta(
  disk: Disk,
  path: string,
  directory: number,
  failed: (error: Error, operation: string) => void,
): Task<MetaFile> {
  const file = yield* wait<DiskFile>((done) => disk.open(`${path}/${metaName}`, "existing", done));
  const bytes = yield* wait<Uint8Array>((done) => file.read(0, 2 * slotBytes, done));
  const slots = [0, 1].map((slot) => {
    return decodeSlot(bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes), directory, slot);
  });
  const [first, second] = slots;
  const slot = second !== undefined && second.sequence > (first?.sequence ?? -1) ? 1 : 0;
  const newest = slots[slot];
  if (newest === undefined) {
    yield* wait<void>((done) => file.close(done));
    throw new LogError("damaged", `${path}/${metaName}: both slots of term and vote are damaged`, {
      retry: "never",
    });
  }
  // The newest one first, alone: it may stand in the page cache only, and until it is durable the other one is what a
  // power failure leaves.
  const places = slots[1 - slot]?.sequence === newest.sequence ? [slot] : [slot, 1 - slot];
  for (const place of places) {
    const bytes = encodeSlot(newest, directory, place);
    yield* wait<void>((done) => file.writeSynced(place * slotBytes, [bytes], done));
  }
  return new MetaFile(file, directory, newest, slot, failed);
}
