import fc from "fast-check";
import type { TestLog } from "#bench/storage/log-script";
import { recordOf } from "#bench/storage/log-script";
import { LogError } from "#core/base/errors";
import type { Made, Written } from "./damaged-log.ts";
import { logOf, segmentsOf } from "./damaged-log.ts";

/** Many small batches in three segments. */
const batches = Array.from({ length: 30 }, (_, batch): Written => {
  const lengths = Array.from({ length: 1 + (batch % 4) }, (_, at) => (batch * 37 + at * 61) % 200);
  return [[1 + Math.floor(batch / 9), lengths]];
});

export const made: Made = logOf(batches);
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
