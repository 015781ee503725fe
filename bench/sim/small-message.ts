import type { GroupId } from "#core/base/brand";
import type { ByteWriter } from "#core/base/bytes";
import { ByteReader } from "#core/base/bytes";
import { beginFrame, readFrameHeader } from "#core/node/peer-frame";
import { decodeMessage, encodeMessage } from "#core/raft/codec";
import type { AppendEntries } from "#core/raft/message";

export const smallMessageBytes = 64;
/** A name of this length makes the frame as long as the messages of the other simulators. */
const group = "pingpon" as GroupId;

/** An AppendEntries without entries in its peer frame: a call of number `count` for token `token`. */
export function encodeSmall(writer: ByteWriter, token: number, count: number): Uint8Array {
  encodeMessage(beginFrame(writer, "raft", group), {
    type: "append-entries",
    term: 1,
    prevIndex: count,
    prevTerm: 1,
    prevChainCrc: 0,
    prevPos: token,
    commitIndex: -1,
    entries: [],
  });
  return writer.finish();
}

/** The token is in `prevPos`, the number of its call in `prevIndex`. */
export function decodeSmall(frame: Uint8Array): AppendEntries {
  const reader = new ByteReader(frame);
  const { type } = readFrameHeader(reader);
  const message = decodeMessage(reader);
  reader.done();
  if (type !== "raft" || message.type !== "append-entries") throw new Error("not a message of the ping-pong");
  return message;
}
