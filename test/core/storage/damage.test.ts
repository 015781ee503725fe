import { expect } from "chai";
import fc from "fast-check";
import { endOfAll, everyChoice, makeEntries, recordOf, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { Entry } from "#core/base/entry";
import { emptyLogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";

import { makeLog, mendAll, options, recoverDamaged, segmentsOf, usedBytes } from "./damaged-log.ts";

describe("damage", () => {
  const made = makeLog();

  /** Headers byte by byte, bodies here and there. */
  const stride = (offset: number): number => {
    if (offset < 100) return 7;
    if (offset < 4_096) return 997;
    return offset < 4_096 + 400 ? 1 : 23;
  };

  it("of any single byte is found, never taken for a torn tail or for good, and mended from a peer", () => {
    let damaged = 0;
    let tried = 0;
    for (const name of segmentsOf(made.disk)) {
      const used = usedBytes(made.disk.content(name));
      for (let offset = 0; offset < used; offset += stride(offset)) {
        const disk = made.disk.crashed(() => 0);
        disk.flip(name, offset, 1 << (offset % 8));
        const log = recoverDamaged(disk, made.all);
        tried += 1;
        if (log.recovered.damage.length > 0) damaged += 1;
        mendAll(log, made.all);
      }
    }
    expect(damaged).to.be.greaterThan(tried / 2);
  });

  it("of a record's bytes is always reported, one record for one bad body", () => {
    const [first] = segmentsOf(made.disk);
    const content = Buffer.from(made.disk.content(first as string));
    for (const entry of made.all.slice(0, 3)) {
      const at = content.indexOf(Buffer.from(recordOf(entry), "hex"));
      for (let offset = at; offset < at + entry.size; offset++) {
        const disk = made.disk.crashed(() => 0);
        disk.flip(first as string, offset, 0x10);
        const { damage } = recoverDamaged(disk, made.all).recovered;
        expect(damage).to.have.length(1);
        expect(damage[0]?.first).to.equal(entry.index);
        if (offset >= at + 48) expect(damage[0]?.last).to.equal(entry.index);
      }
    }
  });

  it("of any range, of whole files and of several places at once is found and mended", () => {
    const names = segmentsOf(made.disk);
    const hurt = fc.record({
      segment: fc.nat(names.length - 2),
      from: fc.nat(8_191),
      length: fc.oneof(fc.nat(100), fc.nat(6_000)),
      how: fc.constantFrom("zero" as const, "noise" as const, "shorten" as const, "remove" as const),
    });
    fc.assert(
      fc.property(fc.array(hurt, { minLength: 1, maxLength: 3 }), (hurts) => {
        const disk = made.disk.crashed(() => 0);
        const last = names[names.length - 2] as string;
        const end = usedBytes(made.disk.content(last)) - 64;
        for (const { segment, from, length, how } of hurts) {
          const name = names[segment] as string;
          if (!disk.files().includes(name)) continue;
          const content = disk.content(name);
          // The last mark stays: it is the evidence.
          const limit = name === last ? Math.floor(end / 64) * 64 : content.length;
          if (name === last && (how === "shorten" || how === "remove")) continue;
          if (how === "remove") disk.erase(name);
          else if (how === "shorten") disk.plant(name, content.slice(0, Math.min(from, content.length)));
          else {
            for (let at = from; at < Math.min(from + length, limit, content.length); at++) {
              content[at] = how === "zero" ? 0 : (at * 131 + 7) & 255;
            }
            disk.plant(name, content);
          }
        }
        const zerosLost = hurts.some(({ how }) => how === "shorten");
        mendAll(recoverDamaged(disk, made.all, zerosLost), made.all);
      }),
      { numRuns: 150 },
    );
  });

  it("of the last record is told from a torn tail wherever in its segment it ends: a mark always fits", () => {
    let damaged = 0;
    for (let length = 2_700; length <= 2_960; length += 16) {
      const disk = new MemoryDisk();
      const log = new TestLog(disk, { ...options, batchBytesMax: 100 });
      const all = makeEntries(emptyLogEnd, 1, [952, length]);
      log.store.append(all);
      disk.run();
      log.store.markIdle();
      disk.run();
      const last = Buffer.from(recordOf(all[1] as Entry), "hex");
      const name = segmentsOf(disk).find((one) => Buffer.from(disk.content(one)).includes(last)) as string;
      disk.flip(name, Buffer.from(disk.content(name)).indexOf(last) + 60);
      if (name.endsWith("1")) damaged += 1;
      expect(recoverDamaged(disk, all).recovered.damage).to.deep.equal([{ first: 1, last: 1 }]);
    }
    expect(damaged, "some went to the next segment, some did not").to.be.within(1, 16);
  });

  it("behind the last mark is a torn tail: what is good before it stays, nothing bad is taken", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    const all = makeEntries(emptyLogEnd, 1, [100, 30, 200]);
    log.store.append(all);
    disk.run();
    const [name] = segmentsOf(disk);
    const used = usedBytes(disk.content(name as string));
    for (let offset = 4_096; offset < used; offset++) {
      const torn = disk.crashed(() => 0);
      torn.flip(name as string, offset, 0x40);
      const again = new TestLog(torn, options);
      const kept = again.readAll();
      expect(again.recovered.damage).to.deep.equal([]);
      expect(kept.map(recordOf)).to.deep.equal(all.slice(0, kept.length).map(recordOf));
      if (kept.length < all.length) expect(again.recovered.tornBytes).to.be.greaterThan(0);
      // What was cut stays cut, though the very bytes come back.
      const third = new TestLog(
        again.disk.crashed(() => 0),
        options,
      );
      expect(third.recovered).to.deep.include({ end: again.recovered.end, tornBytes: 0, damage: [] });
    }
  });

  it("found while reading is reported, makes the damage grow, and is mended", () => {
    const disk = made.disk.crashed(() => 0);
    const log = new TestLog(disk, options);
    const [first] = segmentsOf(disk);
    disk.flip(first as string, 4_096 + 64 + 60);
    expect(() => log.read(0, 1))
      .to.throw(LogError)
      .with.property("code", "damaged");
    expect(log.store.damage()).to.deep.equal([{ first: 0, last: 0 }]);
    expect(log.damagedRanges).to.deep.equal([{ first: 0, last: 0 }]);
    expect(log.read(1, 1).entries.map(recordOf)).to.deep.equal([recordOf(made.all[1] as Entry)]);
    expect(() => log.read(0, 10_000)).to.throw(LogError);
    expect(log.damagedRanges).to.have.length(1);
    expect(log.mend(made.all.slice(0, 1))).to.equal(true);
    expect(log.readAll().map(recordOf)).to.deep.equal(made.all.map(recordOf));
  });

  it("of the last record, found while reading, is told from the end of the log without any mark", () => {
    const disk = new MemoryDisk();
    const log = new TestLog(disk, options);
    const all = makeEntries(emptyLogEnd, 1, [100, 30, 200]);
    log.store.append(all);
    disk.run();
    const [name] = segmentsOf(disk);
    // The last record's header: nothing behind it tells where the log goes on, but the log that is open knows its end.
    disk.flip(name as string, 4_096 + 64 + 148 + 78 + 5);
    expect(() => log.read(2, 1))
      .to.throw(LogError)
      .with.property("code", "damaged");
    expect(log.store.damage()).to.deep.equal([{ first: 2, last: 2 }]);
    expect(log.mend(all.slice(2))).to.equal(true);
    expect(log.readAll().map(recordOf)).to.deep.equal(all.map(recordOf));
  });

  it("is not mended by records that do not chain into what is around them, or that are incomplete", () => {
    const disk = made.disk.crashed(() => 0);
    const [first] = segmentsOf(disk);
    disk.flip(first as string, 4_096 + 10);
    const log = recoverDamaged(disk, made.all);
    const [range] = log.recovered.damage;
    expect(range).to.deep.equal({ first: 0, last: 2 });
    expect(log.mend(makeEntries(emptyLogEnd, 1, [40, 60, 0], 9))).to.equal(false);
    expect(log.mend(made.all.slice(0, 2))).to.equal(false);
    expect(log.mend(made.all.slice(3, 6))).to.equal(false);
    expect(log.store.damage()).to.deep.equal([range]);
    expect(log.mend(made.all.slice(0, 5))).to.equal(true);
    expect(log.store.damage()).to.deep.equal([]);
  });

  it("is cut where it begins, and goes with what is cut", () => {
    const [, second] = segmentsOf(made.disk);
    for (const from of [5, 6, 7]) {
      const disk = made.disk.crashed(() => 0);
      const content = disk.content(second as string);
      content.fill(0, 4_096, 4_096 + 2_000);
      disk.plant(second as string, content);
      const log = recoverDamaged(disk, made.all);
      const { first, last } = log.recovered.damage[0] ?? { first: -1, last: -1 };
      const cut = first + from - 5;
      expect(cut).to.be.at.most(last);
      const kept = made.all.slice(0, cut);
      log.store.truncate(cut, endOfAll(kept, emptyLogEnd));
      const fresh = makeEntries(endOfAll(kept, emptyLogEnd), 9, [30, 700], 3);
      log.store.append(fresh);
      log.disk.run();
      expect(log.failures).to.deep.equal([]);
      expect(log.store.damage()).to.deep.equal(cut === first ? [] : [{ first, last: cut - 1 }]);
      const again = recoverDamaged(
        log.disk.crashed(() => 0),
        [...kept, ...fresh],
      );
      expect(again.recovered.damage).to.deep.equal(log.store.damage());
      mendAll(again, [...kept, ...fresh]);
    }
  });

  it("is cut within a batch at any call, and what is left of it stays damage until it is mended", () => {
    const all = makeEntries(emptyLogEnd, 1, [100, 150, 90, 60, 300]);
    let inside = 0;
    for (let calls = 0, left = true; left; calls++) {
      everyChoice((choose) => {
        const disk = new MemoryDisk();
        const log = new TestLog(disk, options);
        log.store.append(all);
        disk.run();
        log.store.markIdle();
        disk.run();
        const name = segmentsOf(disk)[0] as string;
        // The second record's header: the chain is lost from there on.
        disk.flip(name, 4_096 + 64 + 148 + 5);
        const hurt = new TestLog(
          disk.crashed(() => 0),
          options,
        );
        expect(hurt.recovered.damage).to.deep.equal([{ first: 1, last: 4 }]);
        hurt.disk.run();
        const kept = all.slice(0, 3);
        hurt.store.truncate(3, endOfAll(kept, emptyLogEnd));
        for (let n = 0; n < calls; n++) hurt.disk.step();
        left = hurt.disk.waiting > 0;
        const again = new TestLog(hurt.disk.crashed(choose), options);
        const cut = again.recovered.end.index === 2;
        if (cut) inside += 1;
        if (!left) expect(cut).to.equal(true);
        expect(again.recovered.damage).to.deep.equal([{ first: 1, last: cut ? 2 : 4 }]);
        const fresh = makeEntries(again.recovered.end, 2, [40], 5);
        again.store.append(fresh);
        // A later cut takes over the meta file's one record of a cut.
        again.disk.run();
        again.store.truncate(fresh[0]?.index ?? 0);
        again.store.append(fresh);
        again.disk.run();
        const now = [...all.slice(0, cut ? 3 : 5), ...fresh];
        mendAll(
          recoverDamaged(
            again.disk.crashed(() => 0),
            now,
          ),
          now,
        );
      });
    }
    expect(inside).to.be.greaterThan(1);
  });

  it("half mended by a crash is damage still, or none", () => {
    const names = segmentsOf(made.disk);
    let whole = 0;
    for (let calls = 0; calls < 10; calls++) {
      for (let seed = 0; seed < 20; seed++) {
        const disk = made.disk.crashed(() => 0);
        const content = disk.content(names[1] as string);
        content.fill(0, 4_000, 6_500);
        disk.plant(names[1] as string, content);
        const log = recoverDamaged(disk, made.all);
        const [range] = log.recovered.damage;
        disk.run();
        log.store.mend(made.all.slice(range?.first, (range?.last ?? 0) + 1), () => undefined);
        for (let n = 0; n < calls; n++) disk.step();
        let key = seed * 7_919;
        const crashed = disk.crashed((choices) => {
          key = (Math.imul(key, 1_103_515_245) + 12_345) & 0x7fffffff;
          return (key >>> 8) % choices;
        });
        const again = recoverDamaged(crashed, made.all);
        if (again.recovered.damage.length === 0) whole += 1;
        mendAll(again, made.all);
      }
    }
    expect(whole).to.be.greaterThan(0);
  });
});
