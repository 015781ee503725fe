import { expect } from "chai";
import fc from "fast-check";
import { crc32c, crcOf, crcStart, crcUpdate, crcUpdateU32 } from "#core/base/crc32c";

/** One bit at a time, as RFC 3720 defines it. */
function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("crc32c", () => {
  it("has the published check values", () => {
    expect(crc32c(text("123456789"))).to.equal(0xe3069283);
    // RFC 3720 appendix B.4.
    expect(crc32c(new Uint8Array(32))).to.equal(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).to.equal(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, n) => n))).to.equal(0x46dd794e);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, n) => 31 - n))).to.equal(0x113fdb5c);
    expect(crc32c(new Uint8Array(0))).to.equal(0);
  });

  it("equals the bit by bit definition for any bytes and any part of them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (bytes, a, b) => {
        const start = Math.min(a, b, bytes.length);
        const end = Math.min(Math.max(a, b), bytes.length);
        expect(crc32c(bytes, start, end)).to.equal(bitwise(bytes.subarray(start, end)));
      }),
    );
  });

  it("equals it for long ones too, at any place of their buffer", () => {
    const buffer = Uint8Array.from({ length: 2_100 }, (_, n) => (n * 2_654_435_761) >>> 13);
    for (const length of [511, 512, 513, 527, 528, 1_024, 2_000]) {
      for (let start = 0; start < 18; start++) {
        const bytes = buffer.subarray(5, 2_100);
        expect(crc32c(bytes, start, start + length)).to.equal(bitwise(bytes.slice(start, start + length)));
      }
    }
  });

  it("goes on from the checksum of the bytes before", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), (bytes, at) => {
        const middle = Math.min(at, bytes.length);
        expect(crc32c(bytes, middle, bytes.length, crc32c(bytes, 0, middle))).to.equal(crc32c(bytes));
      }),
    );
  });

  it("takes a number as its four bytes, most significant first", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(0xffff_ffff), (bytes, value) => {
        const four = Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
        const before = crcUpdate(crcStart, bytes, 0, bytes.length);
        expect(crcOf(crcUpdateU32(before, value))).to.equal(crc32c(Uint8Array.of(...bytes, ...four)));
      }),
    );
  });

  it("changes with every flipped bit", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), fc.nat(7), (bytes, at, bit) => {
        const flipped = bytes.slice();
        const place = at % bytes.length;
        flipped[place] = (flipped[place] as number) ^ (1 << bit);
        expect(crc32c(flipped)).to.not.equal(crc32c(bytes));
      }),
    );
  });
});
