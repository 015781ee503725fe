import { expect } from "chai";
import { CrashTally, crashScript } from "#bench/soak/crash/enumerate";
import type { CrashScript } from "#bench/soak/crash/scripts";
import { shortScripts, shortSettings } from "#bench/soak/crash-states";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Done } from "#core/base/task";
import type { DiskFile } from "#core/io/disk";

/** Tells that a file is synced, and does nothing. */
class LazyDisk extends MemoryDisk {
  override open(path: string, mode: "existing" | "new", done: Done<DiskFile>): void {
    super.open(path, mode, (error, file) => {
      if (error !== undefined) return done(error, file);
      done(undefined, {
        ...file,
        sync: (synced) => file.size((failed) => synced(failed, undefined)),
      });
    });
  }
}

function explore(script: CrashScript): CrashTally {
  const tally = new CrashTally();
  for (const _ of crashScript(script, shortSettings, tally));
  return tally;
}

describe("crash states, the short form of the soak", () => {
  for (const kind of ["append", "roll", "truncation", "term change", "combined"] as const) {
    it(`of each ${kind} open with everything acknowledged`, () => {
      const tallies = shortScripts.filter((script) => script.kind === kind).map(explore);
      expect(tallies.flatMap((tally) => tally.failures)).to.deep.equal([]);
      const opened = tallies.reduce((sum, tally) => sum + tally.opened, 0);
      expect(opened).to.be.greaterThan(kind === "term change" ? 30 : 100);
    });
  }

  it("fail on a disk that does not sync, and tell where", () => {
    const script = shortScripts.find(({ name }) => name === "an append of 400 bytes behind others");
    expect(script).to.not.equal(undefined);
    const [failure] = explore({ ...(script as CrashScript), disk: () => new LazyDisk() }).failures;
    expect(failure).to.include({ script: script?.name, order: "oldest first" });
    expect(failure?.what).to.be.a("string");
  });
});
