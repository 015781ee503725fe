import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { identity, smallOptions, TestLog } from "#bench/storage/log-script";
import { MemoryDisk } from "#bench/storage/memory-disk";
import type { GroupId, NodeId } from "#core/base/brand";
import { nodeId } from "#core/base/brand";
import { putU32 } from "#core/base/bytes";
import { crc32c } from "#core/base/crc32c";
import type { LogEnd } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import {
  batchBytes,
  decodeBatchHeader,
  directorySeed,
  encodeBatchHeader,
  placeSeed,
} from "#core/storage/batch";
import { alignUp, frameBytes, placeOf, positionOf } from "#core/storage/format";
import type { Identity } from "#core/storage/identity";
import { decodeIdentity, encodeIdentity } from "#core/storage/identity";
import { decodeSlot, encodeSlot, noCut } from "#core/storage/meta";
import { decodeSegmentHeader, encodeSegmentHeader, segmentName, segmentNumber } from "#core/storage/segment";
import { SparseIndex } from "#core/storage/sparse-index";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u53 = fc.maxSafeInteger().map((n) => Math.floor(Math.abs(n) / 2));
const logEnd: fc.Arbitrary<LogEnd> = fc.record({
  index: fc.oneof(fc.constant(-1), u53),
  term: u53,
  chainCrc: u32,
  pos: u53,
});
const seed = directorySeed(identity.incarnation);

const batchHeader = fc.record({
  generation: u32,
  previous: logEnd,
  count: u32,
  payloadBytes: fc.nat(),
  paddingBytes: fc.nat(63),
  syncedPosition: u53,
});

/** Puts one changed byte into each place in turn. */
function eachChange(bytes: Uint8Array, from: number, test: (changed: Uint8Array, at: number) => void): void {
  for (let at = from; at < bytes.length; at += at < 256 ? 1 : 61) {
    const changed = bytes.slice();
    changed[at] = (changed[at] as number) ^ (1 << (at % 8));
    test(changed, at);
  }
}

describe("storage codecs", () => {
  it("batch headers are decoded at their place and in their directory only", () => {
    fc.assert(
      fc.property(batchHeader, u53, u53, (header, position, other) => {
        const bytes = encodeBatchHeader(header, seed, position);
        expect(bytes).to.have.length(64);
        expect(decodeBatchHeader(bytes, 0, seed, position)).to.deep.equal(header);
        fc.pre(other !== position);
        expect(decodeBatchHeader(bytes, 0, seed, other)).to.equal(undefined);
        expect(decodeBatchHeader(bytes, 0, directorySeed("00"), position)).to.equal(undefined);
        expect(decodeBatchHeader(bytes.subarray(0, 63), 0, seed, position)).to.equal(undefined);
        expect(batchBytes(header)).to.equal(64 + header.payloadBytes + header.paddingBytes);
      }),
    );
  });

  it("headers and slots with any byte changed are refused", () => {
    const previous = { index: 4, term: 2, chainCrc: 77, pos: 500 };
    const batch = {
      generation: 1,
      previous,
      count: 2,
      payloadBytes: 100,
      paddingBytes: 28,
      syncedPosition: 9,
    };
    eachChange(encodeBatchHeader(batch, seed, 4_096), 0, (changed, at) => {
      expect(decodeBatchHeader(changed, 0, seed, 4_096), `byte ${at}`).to.equal(undefined);
    });
    const segment = encodeSegmentHeader(
      { ...identity, number: 3, generation: 1, previous, syncedPosition: 9, fileBytes: 65_536 },
      seed,
    );
    expect(decodeSegmentHeader(segment, 0, seed, 3)).to.deep.equal({
      generation: 1,
      previous,
      syncedPosition: 9,
      fileBytes: 65_536,
    });
    expect(decodeSegmentHeader(segment, 0, seed, 4)).to.equal(undefined);
    eachChange(segment, 0, (changed, at) => {
      expect(decodeSegmentHeader(changed, 0, seed, 3), `byte ${at}`).to.equal(undefined);
    });
    const record = {
      sequence: 8,
      meta: { term: 3, votedFor: nodeId("n2"), peers: [{ node: nodeId("n1"), incarnation: "00ff" }] },
      cut: { position: 5_000, generation: 2, previous },
    };
    const slot = encodeSlot(record, seed, 1);
    expect(decodeSlot(slot, seed, 1)).to.deep.equal(record);
    expect(decodeSlot(slot, seed, 0), "a slot at the other's place").to.equal(undefined);
    const noted = { ...record, mending: { segment: 7, from: 4_160, to: 0xffff_ffff } };
    expect(decodeSlot(encodeSlot(noted, seed, 0), seed, 0)).to.deep.equal(noted);
    eachChange(slot, 0, (changed, at) =>
      expect(decodeSlot(changed, seed, 1), `byte ${at}`).to.equal(undefined),
    );
    const text = encodeIdentity(identity);
    expect(decodeIdentity(text)).to.deep.equal(identity);
    eachChange(text, 0, (changed, at) =>
      expect(() => decodeIdentity(changed), `byte ${at}`).to.throw(LogError),
    );
  });

  it("of a later version are refused by name, not taken for damage", () => {
    const later = encodeIdentity({ ...identity, formatVersion: 2 });
    expect(() => decodeIdentity(later))
      .to.throw(LogError, "version 2")
      .with.property("code", "wrong-version");
    const bytes = encodeBatchHeader(
      {
        generation: 0,
        previous: { index: -1, term: 0, chainCrc: 0, pos: 0 },
        count: 0,
        payloadBytes: 0,
        paddingBytes: 0,
        syncedPosition: 0,
      },
      seed,
      4_096,
    );
    bytes[9] = 2;
    const place = new Uint8Array(8);
    place[6] = 0x10;
    const crc = crc32c(bytes, 8, 64, crc32c(place, 0, 8, seed));
    new DataView(bytes.buffer).setUint32(4, crc);
    expect(() => decodeBatchHeader(bytes, 0, seed, 4_096))
      .to.throw(LogError, "version 2")
      .with.property("code", "wrong-version");
  });

  it("that match their checksum and are nonsense are damaged, not a bug of the reader's", () => {
    const wrong: Identity[] = [
      { ...identity, node: "n-0" as NodeId },
      { ...identity, group: "a/b" as GroupId },
      { ...identity, voters: ["" as NodeId, nodeId("n1")] },
    ];
    for (const one of wrong) {
      expect(() => decodeIdentity(encodeIdentity(one)))
        .to.throw(LogError)
        .with.property("code", "damaged");
    }
    const meta = { term: 3, votedFor: "n-2" as NodeId, peers: [] };
    const slot = encodeSlot({ sequence: 8, meta, cut: noCut }, seed, 1);
    expect(() => decodeSlot(slot, seed, 1))
      .to.throw(LogError)
      .with.property("code", "damaged");
    // The sequence: more than 53 bits.
    slot[10] = 0xff;
    putU32(slot, 4, crc32c(slot, 8, slot.length, placeSeed(seed, 1)));
    expect(() => decodeSlot(slot, seed, 1))
      .to.throw(LogError)
      .with.property("code", "damaged");
  });

  it("positions and names of segments are told back", () => {
    fc.assert(
      fc.property(fc.nat(0x1f_ffff), u32, (segment, offset) => {
        expect(placeOf(positionOf(segment, offset))).to.deep.equal({ segment, offset });
        expect(segmentNumber(segmentName(segment))).to.equal(segment);
        expect(positionOf(segment, offset)).to.be.lessThan(
          positionOf(segment + (segment < 0x1f_ffff ? 1 : 0), 0xffffffff) + 1,
        );
      }),
    );
    expect(segmentName(7)).to.equal("segment-0000000007");
    expect(
      ["segment-7", "segment-00000000007", "meta", "segment-0000000007.tmp"].map(segmentNumber),
    ).to.deep.equal([undefined, undefined, undefined, undefined]);
    expect([0, 1, 64, 65].map(alignUp)).to.deep.equal([0, 64, 64, 128]);
    expect([0, 1, 64, 65].map(frameBytes)).to.deep.equal([64, 128, 128, 192]);
  });

  it("the sparse index finds the last batch that begins at or before an index, within its interval", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ entries: fc.integer({ min: 1, max: 5 }), bytes: fc.integer({ min: 64, max: 900 }) }),
        ),
        (batches) => {
          const index = new SparseIndex(500);
          let first = 0;
          let position = 4_096;
          const all: { first: number; position: number }[] = [];
          for (const batch of batches) {
            index.add(first, position);
            all.push({ first, position });
            first += batch.entries;
            position += batch.bytes;
          }
          for (let wanted = 0; wanted < first; wanted++) {
            const place = index.find(wanted);
            const found = all.find((batch) => batch.position === place?.offset);
            const exact = all.filter((batch) => batch.first <= wanted).pop();
            expect(found?.first).to.be.at.most(wanted);
            expect((exact?.position ?? 0) - (found?.position ?? 0)).to.be.lessThan(500);
          }
          index.cut(4_097);
          expect(index.find(first)).to.deep.equal(
            batches.length > 0 ? { segment: 0, offset: 4_096 } : undefined,
          );
          index.cut(0);
          expect(index.find(first)).to.equal(undefined);
        },
      ),
    );
  });

  it("files of version 1 are read for ever", () => {
    const golden = (name: string): Uint8Array =>
      new Uint8Array(readFileSync(new URL(`../../golden/storage/${name}`, import.meta.url)));
    const disk = new MemoryDisk();
    disk.makeDirectory("g0", () => undefined);
    disk.run();
    disk.plant("g0/identity", golden("v1-identity.txt"));
    disk.plant("g0/meta", golden("v1-meta.bin"));
    const segment = new Uint8Array(8_192);
    segment.set(golden("v1-segment.bin"));
    disk.plant("g0/segment-0000000000", segment);
    const { recovered, store, ...log } = new TestLog(disk, {
      ...smallOptions,
      cluster: "0123456789abcdef0123456789abcdef",
    });
    expect(recovered.identity).to.deep.equal({
      ...identity,
      cluster: "0123456789abcdef0123456789abcdef",
      stage: "active",
    });
    expect(recovered.meta).to.deep.equal({
      term: 2,
      votedFor: "n1",
      peers: [{ node: "n1", incarnation: "00000000000000aa" }],
    });
    expect(recovered).to.deep.include({ damage: [], tornBytes: 0 });
    expect(recovered.terms).to.deep.equal([
      { firstIndex: 0, term: 1 },
      { firstIndex: 2, term: 2 },
    ]);
    expect(store.end.index).to.equal(3);
    expect(log.failures).to.deep.equal([]);
  });
});
