import { unreachable } from "../base/assert.ts";
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import type { Append, ClientHello, ClientRequest } from "./protocol.ts";
import {
  counted,
  groupOf,
  header,
  idBytesMax,
  inverse,
  malformed,
  node,
  openFrame,
  view,
} from "./protocol-frame.ts";

const nameBytesMax = 256;
const tokenBytesMax = 4_096;

const requestTypes: { readonly [type in ClientRequest["type"]]: number } = {
  "client-hello": 1,
  "open-session": 2,
  append: 3,
  get: 4,
  tail: 5,
  "read-index": 6,
  status: 7,
  transfer: 8,
  ping: 9,
  "set-read-only": 10,
};
const requestOf: readonly (ClientRequest["type"] | undefined)[] = inverse(requestTypes);

/** Puts one whole frame. */
export function encodeRequest(w: ByteWriter, m: ClientRequest): void {
  header(w, requestTypes[m.type], m.requestId);
  switch (m.type) {
    case "client-hello":
      w.u8(m.versionLow).u8(m.versionHigh).ascii(m.group).ascii(m.cluster);
      w.text(m.name.slice(0, nameBytesMax / 4)).text(m.token);
      return;
    case "append":
      w.u64(m.session).u64(m.firstSequence).u32(m.bodies.length);
      for (const body of m.bodies) w.bytes(body);
      return;
    case "get":
      w.u64(m.index).u8(m.linearizable ? 1 : 0);
      return;
    case "tail":
      w.u64(m.from)
        .u32(m.entriesMax)
        .u32(m.bytesMax)
        .u64(m.waitMicros)
        .u8(m.linearizable ? 1 : 0);
      return;
    case "transfer":
      w.ascii(m.to);
      return;
    case "set-read-only":
      w.u8(m.readOnly ? 1 : 0);
      return;
    case "open-session":
    case "read-index":
    case "status":
    case "ping":
      return;
    default:
      unreachable(m);
  }
}

/**
 * Decodes what a client sent. The bodies of an append are views into the frame.
 * @throws LogError `malformed-frame` or `wrong-version`.
 */
export function decodeRequest(frame: Uint8Array): ClientRequest {
  const { r, type, requestId } = openFrame(frame, requestOf);
  const message = requestFields(r, type, requestId);
  r.done();
  return message;
}

function requestFields(r: ByteReader, type: ClientRequest["type"], requestId: number): ClientRequest {
  switch (type) {
    case "client-hello":
      return decodeClientHello(r, requestId);
    case "append":
      return decodeAppend(r, requestId);
    case "get":
      return { type, requestId, index: r.u64(), linearizable: r.flag() };
    case "tail":
      return {
        type,
        requestId,
        from: r.u64(),
        entriesMax: r.u32(),
        bytesMax: r.u32(),
        waitMicros: r.u64(),
        linearizable: r.flag(),
      };
    case "transfer":
      return { type, requestId, to: node(r) };
    case "set-read-only":
      return { type, requestId, readOnly: r.flag() };
    case "open-session":
    case "read-index":
    case "status":
    case "ping":
      return { type, requestId };
    default:
      return unreachable(type);
  }
}

function decodeClientHello(r: ByteReader, requestId: number): ClientHello {
  const versionLow = r.u8();
  const versionHigh = r.u8();
  const group = groupOf(r);
  const cluster = r.ascii(idBytesMax);
  const name = r.text(nameBytesMax);
  return {
    type: "client-hello",
    requestId,
    versionLow,
    versionHigh,
    group,
    cluster,
    name,
    token: r.text(tokenBytesMax),
  };
}

function decodeAppend(r: ByteReader, requestId: number): Append {
  const session = r.u64();
  const firstSequence = r.u64();
  const count = counted(r, 4);
  if (count === 0) throw malformed("an append without an entry");
  if ((session === 0) !== (firstSequence === 0))
    throw malformed("a session without a sequence, or the other way");
  if (firstSequence + count > Number.MAX_SAFE_INTEGER) throw malformed("sequences above 2^53 - 1");
  const bodies = new Array<Uint8Array>(count);
  for (let i = 0; i < count; i++) bodies[i] = view(r);
  return { type: "append", requestId, session, firstSequence, bodies };
}
