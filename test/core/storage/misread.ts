import fc from "fast-check";
import { endOfAll, makeEntries, recordOf, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { segmentsOf } from "./damaged-log.ts";

export const options = { ...smallOptions, segmentBytes: 8_192 };

/** Many small batches in three segments. */
function makeLog(): { readonly disk: MemoryDisk; readonly all: readonly Entry[] } {
  const disk = new MemoryDisk();
  const log = new TestLog(disk, options);
  const all: Entry[] = [];
  for (let batch = 0; batch < 30; batch++) {
    const lengths = Array.from({ length: 1 + (batch % 4) }, (_, at) => (batch * 37 + at * 61) % 200);
    const entries = makeEntries(endOfAll(all, emptyLogEnd), 1 + Math.floor(batch / 9), lengths);
    all.push(...entries);
    log.store.append(entries);
    disk.run();
  }
  log.store.markIdle();
  disk.run();
  return { disk: disk.crashed(() => 0), all };
}

export const made = makeLog();
const names = segmentsOf(made.disk);

/** Where each record lies. */
export const places = made.all.map((entry) => {
  const record = Buffer.from(recordOf(entry), "hex");
  for (const name of names) {
    const offset = Buffer.from(made.disk.content(name)).indexOf(record);
    if (offset >= 0) return { name, offset };
  }
  throw new Error(`record ${entry.index} is nowhere`);
});

/** A disk gives other bytes than it holds around a record, while it is read. */
export interface Misread {
  readonly index: number;
  readonly before: number;
  readonly behind: number;
}

export const misreads = fc.nat(made.all.length - 5).chain((near) =>
  fc.array(
    fc.record<Misread>({
      index: fc.integer({ min: near, max: near + 4 }),
      before: fc.nat(300),
      behind: fc.nat(500),
    }),
    { minLength: 2, maxLength: 5 },
  ),
);

/** Reads a record while the disk misreads what is around it. */
export function misread(log: TestLog, { index, before, behind }: Misread): void {
  const { name, offset } = places[index] as (typeof places)[number];
  const good = log.disk.content(name);
  const given = good.slice();
  given.fill(0x5a, Math.max(4_096, offset - before), offset + behind);
  log.disk.overwrite(name, given);
  try {
    meet(log, index);
  } finally {
    log.disk.overwrite(name, good);
  }
}

function meet(log: TestLog, index: number): void {
  try {
    log.read(index, 1);
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "damaged") throw error;
  }
}
