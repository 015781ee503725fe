import { expect } from "chai";
import { everyChoice, identity, makeEntries, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { DiskFault, isFull } from "#core/io/disk";

describe("a log's directory", () => {
  it("makes an empty directory, and finds it again", () => {
    const disk = new MemoryDisk();
    const first = new TestLog(disk);
    expect(first.recovered.identity).to.equal(undefined);
    expect(first.store.end).to.deep.equal(emptyLogEnd);
    first.disk.run();
    expect(disk.files()).to.deep.equal([
      "g0/identity",
      "g0/meta",
      "g0/segment-0000000000",
      "g0/segment-0000000001",
    ]);
    first.close();
    const second = new TestLog(disk.crashed(() => 0));
    expect(second.recovered.identity?.incarnation).to.equal("0123456789abcdef");
    expect(second.recovered).to.deep.include({ tornBytes: 0, damage: [], terms: [], end: emptyLogEnd });
  });

  it("refuses a directory of another group, node, cluster or list of voters, naming both", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    const saved = { ...log.store.identity, cluster: "c1", stage: "active" as const };
    let told = false;
    log.store.saveIdentity(saved, (error) => {
      told = error === undefined;
    });
    disk.run();
    expect(told).to.equal(true);
    log.close();
    const asked = [
      { options: { ...smallOptions, group: "g9" as never }, names: /group g0, not to group g9/ },
      { options: { ...smallOptions, node: "n9" as never }, names: /node n0, not to node n9/ },
      { options: { ...smallOptions, cluster: "c2" }, names: /cluster c1, not to cluster c2/ },
      {
        options: { ...smallOptions, voters: ["n0" as never] },
        names: /group of the voters n0, n1, n2, not to a group of the voters n0; .*name exactly those/,
      },
    ];
    for (const { options, names } of asked) {
      expect(() => new TestLog(disk, options))
        .to.throw(LogError, names)
        .with.property("code", "wrong-directory");
    }
    expect(new TestLog(disk, { ...smallOptions, cluster: "c1" }).recovered.identity).to.deep.equal(saved);
  });

  it("refuses a log whose identity, term and vote, or first segment is gone", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    log.store.append(makeEntries(emptyLogEnd, 1, [10]));
    disk.run();
    for (const name of ["g0/identity", "g0/meta", "g0/segment-0000000000"]) {
      const robbed = disk.crashed(() => 0);
      robbed.erase(name);
      expect(() => new TestLog(robbed), name)
        .to.throw(LogError)
        .with.property("code", "damaged");
    }
    const rotted = disk.crashed(() => 0);
    rotted.flip("g0/identity", 30);
    expect(() => new TestLog(rotted))
      .to.throw(LogError)
      .with.property("code", "damaged");
  });

  it("is not opened, or fails at once, when a write of the meta file fails while recovery cuts a torn tail", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    log.store.append(makeEntries(emptyLogEnd, 1, [10, 700]));
    disk.run();
    const torn = disk.crashed(() => 0);
    torn.flip("g0/segment-0000000000", 4_096 + 64 + 400);
    let refused = 0;
    for (let nth = 0, failed = true; failed; nth++) {
      const copy = torn.crashed(() => 0);
      let writes = 0;
      copy.fault = ({ kind, path }) => {
        if (kind !== "write" || path !== "g0/meta") return undefined;
        writes += 1;
        return writes - 1 === nth ? new DiskFault("io", "a bad sector") : undefined;
      };
      let failures: readonly string[] = [];
      try {
        const again = new TestLog(copy);
        copy.run();
        failures = again.failures;
      } catch (error) {
        refused += 1;
        failures = [(error as Error).message];
      }
      failed = writes > nth;
      expect(failures, `write ${nth}`).to.have.lengthOf(failed ? 1 : 0);
      if (failed) expect(failures[0]).to.match(/a bad sector/);
    }
    expect(refused, "when the store is opened, for the cut, and for its second copy").to.equal(3);
  });

  it("replaces the identity by a whole new one or keeps the old one, and tells once the new one is durable", () => {
    let runs = 0;
    for (let calls = 0, left = true; left; calls++) {
      runs += everyChoice((choose) => {
        const log = new TestLog(new MemoryDisk());
        log.disk.run();
        let told = false;
        log.store.saveIdentity({ ...identity, cluster: "c1", stage: "adopted" }, () => {
          told = true;
        });
        for (let n = 0; n < calls; n++) log.disk.step();
        left = log.disk.waiting > 0;
        const found = new TestLog(log.disk.crashed(choose)).recovered.identity;
        expect(found?.stage).to.be.oneOf(told ? ["adopted"] : ["empty", "adopted"]);
      });
    }
    expect(runs).to.be.greaterThan(5);
  });

  it("goes on with the identity that it has when the disk is full, and takes the new one once there is room", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk);
    disk.run();
    const adopted = { ...identity, cluster: "c1", stage: "adopted" as const };
    const told: (string | undefined)[] = [];
    const save = (): void => {
      log.store.saveIdentity(adopted, (error) =>
        told.push(error === undefined ? undefined : String(isFull(error))),
      );
      disk.run();
    };
    disk.capacityBytes = disk.usedBytes;
    save();
    log.store.append(makeEntries(emptyLogEnd, 1, [10]));
    disk.run();
    expect({ told, failures: log.failures, durable: log.store.durableIndex }).to.deep.equal({
      told: ["true"],
      failures: [],
      durable: 0,
    });
    expect(new TestLog(disk.crashed(() => 0)).recovered.identity?.stage).to.equal("empty");
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    save();
    expect(told).to.deep.equal(["true", undefined]);
    expect(new TestLog(disk.crashed(() => 0)).recovered.identity?.stage).to.equal("adopted");
  });
});
