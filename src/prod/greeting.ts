import { getU16, getU32, putU16, putU32 } from "../core/base/bytes.ts";
import type { FaultCode } from "../core/base/errors.ts";
import { LogError } from "../core/base/errors.ts";
import type { Service } from "../core/io/network.ts";
import { visible } from "./visible.ts";

/**
 * What opens a connection between nodes, and between clients and nodes, before its frames:
 *
 * | offset | bytes | whoever dials | the answer |
 * |---|---|---|---|
 * | 0 | 4 | "QLOG" | "QLOG" |
 * | 4 | 1 | version | version of this end |
 * | 5 | 1 | 1 control, 2 bulk, 3 client | 0 welcome, 1 not let in, 2 not understood, 3 full: later perhaps |
 * | 6 | 2 | 0 | bytes of the reason, UTF-8, behind it |
 */
export interface Greeting {
  readonly version: number;
  /** Undefined for a service that this build does not know. */
  readonly service: Service | undefined;
}

export const greetingVersion = 1;
export const greetingBytes = 8;
/** The first bytes of every greeting. */
export const greetingMagic: Uint8Array = new TextEncoder().encode("QLOG");
const magic = getU32(greetingMagic, 0);
const reasonBytesMax = 4_096;

const services: readonly (Service | undefined)[] = [undefined, "peer-control", "peer-bulk", "client"];

export function encodeGreeting(service: Service): Uint8Array {
  const bytes = new Uint8Array(greetingBytes);
  putU32(bytes, 0, magic);
  bytes[4] = greetingVersion;
  bytes[5] = services.indexOf(service);
  return bytes;
}

/** Decodes the first `greetingBytes` of a connection that opens with the magic. */
export function decodeGreeting(bytes: Uint8Array): Greeting {
  return { version: bytes[4] as number, service: services[bytes[5] as number] };
}

export type Verdict = "welcome" | "refused" | "not-understood" | "full";
const verdicts: readonly Verdict[] = ["welcome", "refused", "not-understood", "full"];

/** @param why it is not welcome, for people. */
export function encodeAnswer(verdict: Verdict, why = ""): Uint8Array {
  const reason = new TextEncoder().encode(why).subarray(0, reasonBytesMax);
  const bytes = new Uint8Array(greetingBytes + reason.length);
  putU32(bytes, 0, magic);
  bytes[4] = greetingVersion;
  bytes[5] = verdicts.indexOf(verdict);
  putU16(bytes, 6, reason.length);
  bytes.set(reason, greetingBytes);
  return bytes;
}

/** Why a connection is not let in: `pending-full` may be over when somebody else has left. */
export interface Refused {
  readonly code: Extract<FaultCode, "not-authorised" | "pending-full">;
  readonly why: string;
}

/** What the answer to a greeting says, and how many bytes it took. */
export interface Answer {
  /** Why the connection is not let in; undefined when it is welcome. */
  readonly refusal: Refused | undefined;
  readonly bytes: number;
}

/**
 * @returns undefined while bytes are missing.
 * @throws LogError malformed-frame when this is no answer, wrong-version when the other end does not understand.
 */
export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  for (let at = 0; at < Math.min(bytes.length, greetingMagic.length); at++)
    if (bytes[at] !== greetingMagic[at])
      throw new LogError("malformed-frame", "this is no node of quorumlog");
  if (bytes.length < greetingBytes) return undefined;
  const length = getU16(bytes, 6);
  if (length > reasonBytesMax) throw new LogError("malformed-frame", "a refusal without end");
  const end = greetingBytes + length;
  if (bytes.length < end) return undefined;
  const verdict = verdicts[bytes[5] as number];
  if (verdict === "welcome") return { refusal: undefined, bytes: end };
  const reason = visible(new TextDecoder().decode(bytes.subarray(greetingBytes, end)));
  if (verdict === "refused") return { refusal: { code: "not-authorised", why: reason }, bytes: end };
  if (verdict === "full") return { refusal: { code: "pending-full", why: reason }, bytes: end };
  if (verdict === "not-understood") throw new LogError("wrong-version", reason);
  throw new LogError("malformed-frame", `no answer to a greeting is ${bytes[5]}`);
}
