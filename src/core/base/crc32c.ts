import { viewOf } from "./bytes.ts";

/**
 * CRC32C (Castagnoli, reflected polynomial 0x82f63b78), sixteen bytes a turn from sixteen tables.
 * Source: RFC 3720 appendix B.4; check value of "123456789" is 0xe3069283.
 */
const tables: readonly Int32Array[] = makeTables();

function makeTables(): Int32Array[] {
  const all: Int32Array[] = [];
  const first = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
    first[n] = c | 0;
  }
  all.push(first);
  for (let t = 1; t < 16; t++) {
    const before = all[t - 1] as Int32Array;
    const table = new Int32Array(256);
    for (let n = 0; n < 256; n++) {
      const c = before[n] as number;
      table[n] = (c >>> 8) ^ (first[c & 255] as number);
    }
    all.push(table);
  }
  return all;
}

const [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/**
 * @param seed the CRC of the bytes before, so that `crc32c(b, 0, n, crc32c(a))` is the CRC of a followed by b; 0 to begin.
 * @returns an unsigned 32-bit number.
 */
export function crc32c(bytes: Uint8Array, start = 0, end: number = bytes.length, seed = 0): number {
  return crcOf(crcUpdate(~seed, bytes, start, end));
}

/** The register before any byte. It is a signed 32-bit number, which the engine keeps out of the heap. */
export const crcStart = -1;

/** The checksum that a register stands for: an unsigned 32-bit number. */
export function crcOf(register: number): number {
  return ~register >>> 0;
}

/** From here on the view that reads four bytes at a time costs less than it saves. */
const viewBytesMin = 512;

/**
 * @param view of `bytes`, where there is one.
 * @returns the register behind the bytes of [start, end).
 */
export function crcUpdate(
  register: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  view: DataView | undefined = end - start < viewBytesMin ? undefined : viewOf(bytes),
): number {
  if (view !== undefined) return updateWords(register, view, start, end);
  let c = register;
  let i = start;
  const bulk = end - 15;
  for (; i < bulk; i += 16) {
    c =
      (t15[(bytes[i] as number) ^ (c & 255)] as number) ^
      (t14[(bytes[i + 1] as number) ^ ((c >>> 8) & 255)] as number) ^
      (t13[(bytes[i + 2] as number) ^ ((c >>> 16) & 255)] as number) ^
      (t12[(bytes[i + 3] as number) ^ (c >>> 24)] as number) ^
      (t11[bytes[i + 4] as number] as number) ^
      (t10[bytes[i + 5] as number] as number) ^
      (t9[bytes[i + 6] as number] as number) ^
      (t8[bytes[i + 7] as number] as number) ^
      (t7[bytes[i + 8] as number] as number) ^
      (t6[bytes[i + 9] as number] as number) ^
      (t5[bytes[i + 10] as number] as number) ^
      (t4[bytes[i + 11] as number] as number) ^
      (t3[bytes[i + 12] as number] as number) ^
      (t2[bytes[i + 13] as number] as number) ^
      (t1[bytes[i + 14] as number] as number) ^
      (t0[bytes[i + 15] as number] as number);
  }
  const quads = end - 3;
  for (; i < quads; i += 4) {
    c =
      (t3[(bytes[i] as number) ^ (c & 255)] as number) ^
      (t2[(bytes[i + 1] as number) ^ ((c >>> 8) & 255)] as number) ^
      (t1[(bytes[i + 2] as number) ^ ((c >>> 16) & 255)] as number) ^
      (t0[(bytes[i + 3] as number) ^ (c >>> 24)] as number);
  }
  for (; i < end; i++) c = (t0[((bytes[i] as number) ^ c) & 255] as number) ^ (c >>> 8);
  return c;
}

/** One load where single bytes take four. */
function updateWords(register: number, view: DataView, start: number, end: number): number {
  let c = register;
  let i = start;
  const bulk = end - 15;
  for (; i < bulk; i += 16) {
    const w0 = view.getInt32(i, true) ^ c;
    const w1 = view.getInt32(i + 4, true);
    const w2 = view.getInt32(i + 8, true);
    const w3 = view.getInt32(i + 12, true);
    c =
      (t15[w0 & 255] as number) ^
      (t14[(w0 >>> 8) & 255] as number) ^
      (t13[(w0 >>> 16) & 255] as number) ^
      (t12[w0 >>> 24] as number) ^
      (t11[w1 & 255] as number) ^
      (t10[(w1 >>> 8) & 255] as number) ^
      (t9[(w1 >>> 16) & 255] as number) ^
      (t8[w1 >>> 24] as number) ^
      (t7[w2 & 255] as number) ^
      (t6[(w2 >>> 8) & 255] as number) ^
      (t5[(w2 >>> 16) & 255] as number) ^
      (t4[w2 >>> 24] as number) ^
      (t3[w3 & 255] as number) ^
      (t2[(w3 >>> 8) & 255] as number) ^
      (t1[(w3 >>> 16) & 255] as number) ^
      (t0[w3 >>> 24] as number);
  }
  const quads = end - 3;
  for (; i < quads; i += 4) {
    const word = view.getInt32(i, true) ^ c;
    c =
      (t3[word & 255] as number) ^
      (t2[(word >>> 8) & 255] as number) ^
      (t1[(word >>> 16) & 255] as number) ^
      (t0[word >>> 24] as number);
  }
  for (; i < end; i++) c = (t0[(view.getUint8(i) ^ c) & 255] as number) ^ (c >>> 8);
  return c;
}

/** @returns the register behind the four bytes of an unsigned number, most significant first. */
export function crcUpdateU32(register: number, value: number): number {
  return (
    (t3[(value >>> 24) ^ (register & 255)] as number) ^
    (t2[((value >>> 16) & 255) ^ ((register >>> 8) & 255)] as number) ^
    (t1[((value >>> 8) & 255) ^ ((register >>> 16) & 255)] as number) ^
    (t0[(value & 255) ^ (register >>> 24)] as number)
  );
}
