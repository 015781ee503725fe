import { expect } from "chai";
import fc from "fast-check";
import { ByteReader, ByteWriter, getU64, putU64 } from "#core/base/bytes";
import { LogError } from "#core/base/errors";

type NumberType = "u8" | "u16" | "u32" | "u64" | "index";
type Field =
  | { readonly type: NumberType; readonly value: number }
  | { readonly type: "bytes"; readonly value: Uint8Array }
  | { readonly type: "ascii" | "text"; readonly value: string };

const whole = (type: "u8" | "u16" | "u32" | "u64" | "index", min: number, max: number): fc.Arbitrary<Field> =>
  fc.record({
    type: fc.constant(type),
    value: fc.maxSafeInteger().map((n) => min + (Math.abs(n) % (max - min + 1))),
  });

const field: fc.Arbitrary<Field> = fc.oneof(
  whole("u8", 0, 255),
  whole("u16", 0, 65_535),
  whole("u32", 0, 0xffffffff),
  whole("u64", 0, Number.MAX_SAFE_INTEGER - 1),
  whole("index", -1, Number.MAX_SAFE_INTEGER - 3),
  fc.record({ type: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({ type: fc.constant("ascii" as const), value: fc.stringMatching(/^[ -~]{0,40}$/) }),
  fc.record({ type: fc.constant("text" as const), value: fc.string({ unit: "grapheme" }) }),
);

function put(writer: ByteWriter, field: Field): void {
  const { type, value } = field;
  if (typeof value === "number") writer[type as NumberType](value);
  else if (typeof value === "string") writer[type as "ascii" | "text"](value);
  else writer.bytes(value);
}

function take(reader: ByteReader, { type }: Field): unknown {
  if (type === "bytes" || type === "ascii" || type === "text") return reader[type](1_000);
  return reader[type]();
}

describe("bytes", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        const writer = new ByteWriter(4);
        for (const one of fields) put(writer, one);
        const reader = new ByteReader(writer.finish());
        for (const one of fields) expect(take(reader, one)).to.deep.equal(one.value);
        reader.done();
        expect(writer.finish()).to.have.length(0);
      }),
    );
  });

  it("cut short anywhere, or with some left over, are a malformed frame", () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 6 }), fc.nat(), (fields, cut) => {
        const writer = new ByteWriter();
        for (const one of fields) put(writer, one);
        const bytes = writer.finish();
        const readAll = (part: Uint8Array): void => {
          const reader = new ByteReader(part);
          for (const one of fields) take(reader, one);
          reader.done();
        };
        expect(() => readAll(bytes.subarray(0, cut % bytes.length)))
          .to.throw(LogError)
          .with.property("code", "malformed-frame");
        const longer = new Uint8Array(bytes.length + 1);
        longer.set(bytes);
        expect(() => readAll(longer))
          .to.throw(LogError)
          .with.property("code", "malformed-frame");
      }),
    );
  });

  it("hold numbers up to 2^53 - 1, and larger ones are refused", () => {
    const bytes = new Uint8Array(8);
    for (const value of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]) {
      putU64(bytes, 0, value);
      expect(getU64(bytes, 0)).to.equal(value);
      expect(new ByteReader(bytes).u64()).to.equal(value);
    }
    bytes.fill(0);
    bytes[1] = 0x20;
    expect(getU64(bytes, 0)).to.be.NaN;
    expect(() => new ByteReader(bytes).u64()).to.throw(LogError, "2^53");
  });

  it("longer than their limit, and flags that are neither 0 nor 1, are refused", () => {
    const writer = new ByteWriter();
    expect(() => new ByteReader(writer.bytes(new Uint8Array(9)).finish()).bytes(8)).to.throw(
      LogError,
      "at most 8",
    );
    expect(() => new ByteReader(writer.ascii("123456789").finish()).ascii(8)).to.throw(LogError, "at most 8");
    expect(new ByteReader(writer.u8(1).finish()).flag()).to.equal(true);
    expect(() => new ByteReader(writer.u8(2).finish()).flag()).to.throw(LogError, "0 or 1");
  });
});
