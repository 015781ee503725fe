import type { GroupId, NodeId } from "../base/brand.ts";
import { groupId, nodeId } from "../base/brand.ts";
import type { ByteWriter } from "../base/bytes.ts";
import { ByteReader } from "../base/bytes.ts";
import { LogError } from "../base/errors.ts";
import { frameItemsMax } from "./limits.ts";

/**
 * Frames of the client protocol, big-endian: magic (2 bytes, "QC"), version (1), type (1), request id (4), then the
 * fields of the type in the order of its interface. Every length and count is checked against what is left of the
 * frame before anything is allocated; whatever is wrong is a `malformed-frame`, another version a `wrong-version`.
 */
const frameMagic = 0x51_43;
const frameVersion = 1;
export const frameHeaderBytes = 8;

export const idBytesMax = 64;
export const addressBytesMax = 256;

/** Type names by the number that stands in the header. */
export function inverse<T extends string>(types: { readonly [type in T]: number }): (T | undefined)[] {
  const names = new Array<T | undefined>(256).fill(undefined);
  for (const [name, number] of Object.entries(types)) names[number as number] = name as T;
  return names;
}

export function malformed(message: string): LogError {
  return new LogError("malformed-frame", message);
}

export function header(w: ByteWriter, type: number, requestId: number): void {
  w.u16(frameMagic).u8(frameVersion).u8(type).u32(requestId);
}

export function openFrame<T>(
  frame: Uint8Array,
  types: readonly (T | undefined)[],
): { r: ByteReader; type: T; requestId: number } {
  const r = new ByteReader(frame);
  if (r.u16() !== frameMagic) throw malformed("not a frame of the client protocol");
  const version = r.u8();
  if (version !== frameVersion) throw new LogError("wrong-version", `a frame of version ${version}`);
  const number = r.u8();
  const type = types[number];
  if (type === undefined) throw malformed(`no type ${number} in this direction`);
  return { r, type, requestId: r.u32() };
}

/** A count of things of at least `bytesMin` each, which what is left of the frame can hold. */
export function counted(r: ByteReader, bytesMin: number): number {
  const count = r.u32();
  if (count > frameItemsMax) throw malformed(`${count} items, where ${frameItemsMax} are allowed`);
  if (count * bytesMin > r.remaining) throw malformed(`${count} items in ${r.remaining} bytes`);
  return count;
}

export function view(r: ByteReader): Uint8Array {
  const length = r.u32();
  const at = r.skip(length);
  return r.buffer.subarray(at, at + length);
}

export function oneOf<T>(all: readonly T[], number: number): T {
  const one = all[number];
  if (one === undefined) throw malformed(`no value ${number} among ${all.length}`);
  return one;
}

export function node(r: ByteReader): NodeId {
  return idOf(r, nodeId);
}

export function groupOf(r: ByteReader): GroupId {
  return idOf(r, groupId);
}

export function nodeOrNone(r: ByteReader): NodeId | "" {
  const text = r.ascii(idBytesMax);
  return text === "" ? "" : checkedId(text, nodeId);
}

function idOf<T>(r: ByteReader, check: (text: string) => T): T {
  return checkedId(r.ascii(idBytesMax), check);
}

function checkedId<T>(text: string, check: (text: string) => T): T {
  try {
    return check(text);
  } catch (cause) {
    throw new LogError("malformed-frame", "not an id", { cause });
  }
}
