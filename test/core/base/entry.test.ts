import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { AssertionError } from "#core/base/assert";
import { crc32c } from "#core/base/crc32c";
import type { Entry, EntryContent, LogEnd } from "#core/base/entry";
import {
  bodyOf,
  decodeEntry,
  emptyLogEnd,
  encodeEntries,
  endOf,
  entryBodyBytesMax,
  recordBytesMax,
  sequenceOf,
  sessionOf,
} from "#core/base/entry";

const content: fc.Arbitrary<EntryContent> = fc
  .record({
    kind: fc.constantFrom("data" as const, "no-op" as const, "configuration" as const, "session" as const),
    body: fc.uint8Array({ maxLength: 60 }),
    session: fc.oneof(fc.constant(0), fc.integer({ min: 1 })),
    sequence: fc.nat(),
  })
  .map((made) => (made.session === 0 ? { ...made, sequence: 0 } : made));

function decodeAll(block: Uint8Array, start: LogEnd): Entry[] {
  const entries: Entry[] = [];
  let end = start;
  for (let at = 0; at < block.length; ) {
    const entry = decodeEntry(block, at, block.length, end);
    if (typeof entry === "string") throw new Error(entry);
    entries.push(entry);
    at += entry.size;
    end = endOf(entry);
  }
  return entries;
}

const hello: EntryContent = {
  kind: "data",
  body: new TextEncoder().encode("hello"),
  session: 0,
  sequence: 0,
};

describe("entry record", () => {
  it("has DLedger's header of 48 bytes, with both checksums filled", () => {
    const [entry] = encodeEntries(emptyLogEnd, 1, [hello]);
    const hex = Buffer.from(entry?.block ?? []).toString("hex");
    // magic 1, size 53, index 0, term 1, pos 0, channel 0.
    expect(hex.slice(0, 72)).to.equal(
      `0000000100000035${"00".repeat(8)}${"00".repeat(7)}01${"00".repeat(12)}`,
    );
    expect(hex.slice(80)).to.equal("9a71bb4c0000000568656c6c6f");
    const chained = new Uint8Array(4 + 36 + 8);
    chained.set(entry?.block.subarray(0, 36) ?? [], 4);
    chained.set(entry?.block.subarray(40, 48) ?? [], 40);
    expect(entry?.chainCrc).to.equal(crc32c(chained));
    expect(hex.slice(72, 80)).to.equal(crc32c(chained).toString(16).padStart(8, "0"));
  });

  it("of version 1 is read for ever", () => {
    const block = new Uint8Array(readFileSync(new URL("../../golden/entry/v1-records.bin", import.meta.url)));
    const entries = decodeAll(block, emptyLogEnd);
    expect(
      entries.map(({ index, term, kind, pos, size }) => ({ index, term, kind, pos, size })),
    ).to.deep.equal([
      { index: 0, term: 1, kind: "no-op", pos: 0, size: 48 },
      { index: 1, term: 1, kind: "data", pos: 48, size: 53 },
      { index: 2, term: 1, kind: "session", pos: 101, size: 52 },
      { index: 3, term: 3, kind: "configuration", pos: 153, size: 50 },
      { index: 4, term: 3, kind: "data", pos: 203, size: 69 },
    ]);
    expect(entries.map((entry) => Buffer.from(bodyOf(entry)).toString())).to.deep.equal([
      "",
      "hello",
      "open",
      "{}",
      "hello",
    ]);
    expect([sessionOf(entries[4] as Entry), sequenceOf(entries[4] as Entry)]).to.deep.equal([2, 1]);
    expect(entries[4]?.chainCrc).to.equal(0x9be4f253);
  });

  it("is decoded to what was encoded", () => {
    fc.assert(
      fc.property(fc.array(content, { minLength: 1, maxLength: 8 }), fc.nat(), (contents, term) => {
        const encoded = encodeEntries(emptyLogEnd, term, contents);
        const decoded = decodeAll(encoded[0]?.block as Uint8Array, emptyLogEnd);
        expect(decoded).to.deep.equal(encoded);
        decoded.forEach((entry, n) => {
          const made = contents[n] as EntryContent;
          expect(entry.kind).to.equal(made.kind);
          expect(bodyOf(entry)).to.deep.equal(made.body);
          expect([sessionOf(entry), sequenceOf(entry)]).to.deep.equal([made.session, made.sequence]);
        });
      }),
    );
  });

  it("with any byte changed is refused", () => {
    const [entry] = encodeEntries({ index: 6, term: 2, chainCrc: 99, pos: 400 }, 3, [
      { ...hello, session: 5, sequence: 2 },
    ]);
    const block = entry?.block as Uint8Array;
    for (let at = 0; at < block.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const changed = block.slice();
        changed[at] = (changed[at] as number) ^ mask;
        const result = decodeEntry(changed, 0, changed.length, { index: 6, term: 2, chainCrc: 99, pos: 400 });
        expect(result, `byte ${at}`).to.be.a("string");
      }
    }
  });

  it("is refused behind any end but its own, and when it is short", () => {
    const end: LogEnd = { index: 6, term: 2, chainCrc: 99, pos: 400 };
    const block = encodeEntries(end, 3, [hello])[0]?.block as Uint8Array;
    expect(decodeEntry(block, 0, block.length, end)).to.be.an("object");
    expect(decodeEntry(block, 0, block.length, { ...end, index: 5 })).to.equal("order");
    expect(decodeEntry(block, 0, block.length, { ...end, term: 4 })).to.equal("order");
    expect(decodeEntry(block, 0, block.length, { ...end, pos: 401 })).to.equal("order");
    expect(decodeEntry(block, 0, block.length, { ...end, chainCrc: 98 })).to.equal("chain");
    for (let limit = 0; limit < block.length; limit++)
      expect(decodeEntry(block, 0, limit, end)).to.equal("short");
    expect(decodeEntry(new Uint8Array(100), 0, 100, end)).to.equal("magic");
  });

  it("of exactly the limit is encoded and decoded; one byte more is a bug of the caller", () => {
    const largest = { ...hello, body: new Uint8Array(entryBodyBytesMax).fill(7), session: 1, sequence: 1 };
    const [entry] = encodeEntries(emptyLogEnd, 1, [largest]);
    expect(entry?.size).to.equal(recordBytesMax);
    const block = entry?.block as Uint8Array;
    expect(decodeEntry(block, 0, block.length, emptyLogEnd)).to.deep.equal(entry);
    const larger = { ...hello, body: new Uint8Array(entryBodyBytesMax + 1) };
    expect(() => encodeEntries(emptyLogEnd, 1, [larger])).to.throw(AssertionError, "within its limit");
  });

  it("makes the chainCrc of two logs differ as soon as any record differs", () => {
    fc.assert(
      fc.property(fc.array(content, { minLength: 2, maxLength: 6 }), fc.nat(5), (contents, which) => {
        const at = which % contents.length;
        const other = contents.map((made, n) =>
          n === at ? { ...made, body: Uint8Array.from([...made.body, 1]) } : made,
        );
        const ends = [contents, other].map((made) =>
          endOf(encodeEntries(emptyLogEnd, 1, made).pop() as Entry),
        );
        expect(ends[0]?.chainCrc).to.not.equal(ends[1]?.chainCrc);
      }),
    );
  });
});
