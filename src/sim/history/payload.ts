import { getU32, getU64, putU32, putU64 } from "../../core/base/bytes.ts";
import { foreignKey } from "./history.ts";

/** A payload's smallest size: its key and its length. */
export const payloadBytesMin = 12;

/** A number no other append of the history carries. `count` is the client's own, from 0. */
export function payloadKeyOf(client: number, count: number): number {
  return client * 0x1_0000_0000 + count;
}

/** Text for reports: `c2#17` is the eighteenth payload of client 2. */
export function payloadName(key: number): string {
  if (key < 0) return key === foreignKey ? "bytes that no client wrote" : "an internal entry";
  return `c${Math.floor(key / 0x1_0000_0000)}#${key % 0x1_0000_0000}`;
}

/** The only payload of this key: key, length and a filling that both determine. */
export function encodePayload(key: number, bytes: number): Uint8Array {
  const body = new Uint8Array(Math.max(bytes, payloadBytesMin));
  putU64(body, 0, key);
  putU32(body, 8, body.length);
  for (let i = payloadBytesMin; i < body.length; i++) body[i] = fillAt(key, i);
  return body;
}

/** The key of a payload of which every byte is in its place, else `foreignKey`. */
export function decodePayload(body: Uint8Array): number {
  if (body.length < payloadBytesMin || getU32(body, 8) !== body.length) return foreignKey;
  const key = getU64(body, 0);
  for (let i = payloadBytesMin; i < body.length; i++) if (body[i] !== fillAt(key, i)) return foreignKey;
  return Number.isNaN(key) ? foreignKey : key;
}

function fillAt(key: number, at: number): number {
  return (Math.imul(key, 31) + Math.imul(at, 7)) & 255;
}
