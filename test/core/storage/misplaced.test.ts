import { expect } from "chai";
import { identity } from "#bench/storage/log-script";
import type { MemoryDisk } from "#bench/storage/memory-disk";
import { getU64 } from "#core/base/bytes";
import { directorySeed } from "#core/storage/batch";
import { decodeSegmentHeader } from "#core/storage/segment";

import { makeLog, mendAll, recoverDamaged, segmentsOf } from "./damaged-log.ts";

describe("damage by what lies in the wrong place", () => {
  const made = makeLog();

  it("by a batch that was written to the wrong place is never taken for a batch", () => {
    const other = makeLog({ ...identity, incarnation: "fedcba9876543210" });
    const names = segmentsOf(made.disk);
    const batches: { name: string; offset: number; first: number; bytes: Uint8Array; from: MemoryDisk }[] =
      [];
    for (const from of [made.disk, other.disk]) {
      for (const name of names) {
        const content = from.content(name);
        for (let offset = 4_096; offset < content.length; offset += 64) {
          if (Buffer.from(content.subarray(offset, offset + 4)).toString() !== "qlb1") continue;
          const first = getU64(content, offset + 16);
          batches.push({ name, offset, first, bytes: content.slice(offset, offset + 320), from });
        }
      }
    }
    expect(batches.length).to.be.greaterThan(10);
    for (const source of batches) {
      for (const target of batches) {
        const same = source.name === target.name && source.offset === target.offset;
        if ((same && source.from === made.disk) || target.from !== made.disk) continue;
        if (target.name === names[2] && target.offset > 4_096 + 1_000) continue;
        const disk = made.disk.crashed(() => 0);
        const content = disk.content(target.name);
        content.set(source.bytes, target.offset);
        disk.plant(target.name, content);
        const { damage } = recoverDamaged(disk, made.all).recovered;
        // Only batches that were written over are lost: those that come before the next whole one.
        const hit = batches.filter((one) => one.from === made.disk && one.name === target.name);
        const first = hit.find((one) => one.offset === target.offset)?.first ?? -1;
        const next = hit.find((one) => one.offset >= target.offset + 320)?.first ?? made.all.length;
        for (const range of damage) expect(range.first >= first && range.last < next).to.equal(true);
      }
    }
  });

  it("by a segment of another directory is damage, though its records are the same", () => {
    const other = makeLog({ ...identity, incarnation: "fedcba9876543210" });
    const name = segmentsOf(made.disk)[1] as string;
    const disk = made.disk.crashed(() => 0);
    disk.plant(name, other.disk.content(name));
    const log = recoverDamaged(disk, made.all);
    expect(log.recovered.damage).to.have.length(1);
    mendAll(log, made.all);
  });

  it("of a segment's header loses nothing, and the header is written again", () => {
    for (const [number, name] of segmentsOf(made.disk).slice(0, 3).entries()) {
      const disk = made.disk.crashed(() => 0);
      disk.flip(name, 30);
      const seed = directorySeed(identity.incarnation);
      expect(decodeSegmentHeader(disk.content(name), 0, seed, number)).to.equal(undefined);
      const log = recoverDamaged(disk, made.all);
      expect(log.recovered.damage).to.deep.equal([]);
      const healed = log.disk.crashed(() => 0).content(name);
      const header = decodeSegmentHeader(healed, 0, seed, number);
      expect(header?.previous).to.deep.equal(
        decodeSegmentHeader(made.disk.content(name), 0, seed, number)?.previous,
      );
    }
  });
});
