import { expect } from "chai";
import fc from "fast-check";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Task } from "#core/base/task";
import { runTask, wait } from "#core/base/task";
import type { DiskFile } from "#core/io/disk";
import { DiskFault } from "#core/io/disk";
import { Window } from "#core/storage/window";

const size = 10_000;
const content = Uint8Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8)) & 255);

function* openFile(disk: MemoryDisk): Task<DiskFile> {
  yield* wait<void>((done) => disk.makeDirectory("g0", done));
  return yield* wait<DiskFile>((done) => disk.open("g0/file", "existing", done));
}

/** Carries a task out, one call of the disk after the other. */
function finish<T>(disk: MemoryDisk, task: Task<T>): T {
  let result: { readonly error: Error | undefined; readonly value: T | undefined } | undefined;
  runTask(task, (error, value) => {
    result = { error, value };
  });
  while (result === undefined && disk.step());
  if (result === undefined) throw new Error("the task waits for a call that was not made");
  if (result.error !== undefined) throw result.error;
  return result.value as T;
}

function made(): { readonly disk: MemoryDisk; readonly file: DiskFile } {
  const disk = new MemoryDisk();
  disk.plant("g0/file", content);
  const file = finish(disk, openFile(disk));
  disk.done.length = 0;
  return { disk, file };
}

describe("a window on a segment", () => {
  it("gives the file's bytes wherever it is moved, read ahead or not", () => {
    const moves = fc.array(fc.record({ by: fc.integer({ min: -900, max: 900 }), length: fc.nat(1_500) }));
    fc.assert(
      fc.property(moves, fc.boolean(), fc.boolean(), (steps, readsAhead, early) => {
        const { disk, file } = made();
        const window = new Window(700, readsAhead);
        const segment = { number: 0, file, size };
        let offset = 0;
        for (const { by, length } of steps) {
          offset = Math.min(size, Math.max(0, offset + by));
          if (early) disk.run();
          const there = finish(disk, window.cover(segment, offset, length));
          expect(there).to.be.at.least(Math.min(length, size - offset));
          const at = offset - window.start;
          expect(window.bytes.subarray(at, at + there)).to.deep.equal(
            content.subarray(offset, offset + there),
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  it("has the next piece under way while one is used, and reads little twice", () => {
    const { disk, file } = made();
    const window = new Window(1_600, true);
    const segment = { number: 0, file, size };
    for (let offset = 0; offset + 90 <= size; offset += 90) {
      finish(disk, window.cover(segment, offset, 90));
      if (window.start + window.bytes.length < size && offset === window.start) {
        expect(disk.waiting, `at ${offset}`).to.equal(1);
      }
    }
    disk.run();
    const bytes = disk.done.reduce((sum, call) => sum + call.bytes, 0);
    expect(bytes).to.be.within(size, size * 1.15);
  });

  it("fails where a failed piece is asked for, not before", () => {
    const { disk, file } = made();
    const window = new Window(1_600, true);
    const segment = { number: 0, file, size };
    finish(disk, window.cover(segment, 0, 90));
    disk.fault = (call) => (call.kind === "read" ? new DiskFault("io", "input/output error") : undefined);
    disk.run();
    expect(finish(disk, window.cover(segment, 1_000, 90))).to.be.at.least(90);
    expect(() => finish(disk, window.cover(segment, 1_590, 90))).to.throw(DiskFault);
    disk.fault = () => undefined;
    const again = new Window(1_600, true);
    expect(finish(disk, again.cover(segment, 1_590, 90))).to.be.at.least(90);
  });
});
