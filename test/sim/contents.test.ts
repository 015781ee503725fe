import { expect } from "chai";
import fc from "fast-check";
import { Chunks, chunkBytes } from "#sim/chunks";
import type { Loose } from "#sim/contents";
import { Contents } from "#sim/contents";
import { RandomStream } from "#sim/random";

const slabBytes = 1 << 20;

/** Bytes that never come again. */
function noise(key: number, length: number): Uint8Array {
  const stream = new RandomStream(key, 1, 2, 3);
  return Uint8Array.from({ length }, (_, i) => stream.draw(i));
}

function read(contents: Contents, list: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  contents.copy(list, 0, bytes, 0, length);
  return bytes;
}

/** Makes so much else that whatever was made before has packed itself. */
function passTime(contents: Contents): void {
  const nothing: Loose = { pack: () => undefined };
  for (let n = 0; n < 512; n++) contents.touched(nothing);
}

describe("sim: contents", () => {
  it("gives back what was stored, any part of it", () => {
    const part = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
      fc.integer({ min: 1, max: 20_000 }).map((length) => new Uint8Array(length)),
      fc.integer({ min: 1, max: 20_000 }).map((length) => noise(length, length)),
    );
    const parts = fc.array(part, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        parts,
        fc.array(fc.nat(60_000), { maxLength: 3 }),
        fc.nat(),
        fc.nat(),
        (all, cuts, a, b) => {
          const bytes = Uint8Array.from(all.flatMap((piece) => [...piece])).subarray(0, chunkBytes);
          const contents = new Contents();
          const seams = cuts.filter((cut) => cut <= bytes.length);
          const list = contents.store(bytes, seams);
          expect(read(contents, list, bytes.length)).to.deep.equal(bytes);
          const from = a % bytes.length;
          const size = b % (bytes.length - from + 1);
          const some = new Uint8Array(size);
          contents.copy(list, from, some, 0, size);
          expect(some).to.deep.equal(bytes.subarray(from, from + size));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("keeps the same bytes once, wherever they stand", () => {
    const contents = new Contents();
    const records = noise(1, 40_000);
    const stored: { readonly list: number; readonly bytes: Uint8Array }[] = [];
    for (let disk = 0; disk < 100; disk++) {
      const bytes = new Uint8Array(chunkBytes);
      const at = 64 + disk * 200;
      bytes.set(noise(1_000 + disk, 64), at - 64);
      bytes.set(records, at);
      stored.push({ list: contents.store(bytes, [at, at + records.length]), bytes });
    }
    expect(contents.storedBytes).to.equal(slabBytes);
    for (const { list, bytes } of stored) expect(read(contents, list, chunkBytes)).to.deep.equal(bytes);
  });

  it("finds them without being told where they begin", () => {
    const contents = new Contents();
    const records = noise(2, 60_000);
    for (let disk = 0; disk < 100; disk++) {
      const bytes = new Uint8Array(chunkBytes);
      bytes.set(records, 1 + disk * 37);
      contents.store(bytes, []);
    }
    expect(contents.storedBytes, "100 copies would be 6 MB").to.equal(slabBytes);
  });
});

describe("sim: chunks", () => {
  it("lends views that later changes do not show in", () => {
    const chunks = new Chunks(new Contents());
    chunks.writable(0).set(noise(3, 8_000));
    const view = chunks.view(0, 8_000);
    chunks.writable(0).fill(1);
    expect(view).to.deep.equal(noise(3, 8_000));
    expect(chunks.view(0, 8_000)).to.deep.equal(new Uint8Array(8_000).fill(1));
  });

  it("packs what was not touched for long, and unpacks it for a change", () => {
    const contents = new Contents();
    const chunks = new Chunks(contents);
    const expected = new Uint8Array(2 * chunkBytes);
    expected.set(noise(4, 50_000), 40_000);
    for (const n of [0, 1]) chunks.writable(n).set(expected.subarray(n * chunkBytes, (n + 1) * chunkBytes));
    const lent = chunks.view(40_000, 50_000);
    expect(chunks.looseCount).to.equal(2);
    passTime(contents);
    expect(chunks.looseCount).to.equal(0);
    expect(lent).to.deep.equal(expected.subarray(40_000, 50_000));
    expect(chunks.view(0, expected.length)).to.deep.equal(expected);
    chunks.writable(1)[5] = 99;
    expected[chunkBytes + 5] = 99;
    expect(chunks.looseCount).to.equal(1);
    expect(chunks.view(0, expected.length)).to.deep.equal(expected);
    passTime(contents);
    chunks.cut(60_000);
    expected.fill(0, 60_000);
    expect(chunks.view(0, expected.length)).to.deep.equal(expected);
  });
});
