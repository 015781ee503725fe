import { LogError } from "../core/base/errors.ts";
import { frameBytesMax } from "../core/io/network.ts";

/** `repeated bytes frames = 1`: field 1, length-delimited. */
const frameTag = 0x0a;

/** Room that framing takes beside the frames: tag, varint, and gRPC's own five bytes. */
export const messageOverheadBytes = 1_024;

/** Each frame takes more memory than bytes of its message; no queue of frames holds as many. */
const framesMax = 65_536;

function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value; left > 0x7f; left >>>= 7) bytes += 1;
  return bytes;
}

/** Encodes the protobuf message `Frames` of the stream `Session`, which other languages speak. */
export function encodeFrames(frames: readonly Uint8Array[]): Buffer {
  let total = 0;
  for (const frame of frames) total += 1 + varintBytes(frame.length) + frame.length;
  const out = Buffer.allocUnsafe(total);
  let at = 0;
  for (const frame of frames) {
    out[at++] = frameTag;
    let left = frame.length;
    for (; left > 0x7f; left >>>= 7) out[at++] = (left & 0x7f) | 0x80;
    out[at++] = left;
    out.set(frame, at);
    at += frame.length;
  }
  return out;
}

/**
 * Decodes `Frames`.
 * @returns views into `message`; plain Uint8Arrays, since a Buffer's `slice` does not copy.
 * @throws LogError malformed-frame, frame-too-large.
 */
export function decodeFrames(message: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let at = 0;
  while (at < message.length) {
    if (message[at] !== frameTag) throw new LogError("malformed-frame", `no frame begins at ${at}`);
    at += 1;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at];
      if (byte === undefined || shift > 21)
        throw new LogError("malformed-frame", `no length of a frame ends at ${at}`);
      at += 1;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (length > frameBytesMax)
      throw new LogError("frame-too-large", `a frame of ${length} bytes, at most ${frameBytesMax}`);
    if (frames.length === framesMax)
      throw new LogError("malformed-frame", `more than ${framesMax} frames in one message`);
    if (length > message.length - at)
      throw new LogError("malformed-frame", `a frame of ${length} bytes passes the end`);
    frames.push(new Uint8Array(message.buffer, message.byteOffset + at, length));
    at += length;
  }
  return frames;
}
