import { fileURLToPath } from "node:url";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

import { loadSync } from "@grpc/proto-loader";
import { LogError } from "../core/base/errors.ts";
import { frameItemsMax } from "../core/commitlog/limits.ts";
import { decodeFrames, encodeFrames } from "./frame-codec.ts";

export type Frames = readonly Uint8Array[];
export type FramesMethod = MethodDefinition<Frames, Frames>;

const packageName = "quorumlog.v1";

/** A stream of frame batches, with the hand-written codec for the message `Frames`. */
function framesMethod(path: string): FramesMethod {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (frames) => encodeFrames(frames),
    requestDeserialize: (message) => decodeFrames(message),
    responseSerialize: (frames) => encodeFrames(frames),
    responseDeserialize: (message) => decodeFrames(message),
  };
}

export const sessionMethod: FramesMethod = framesMethod(`/${packageName}.Log/Session`);

/** The client service as the .proto file declares it; numbers stay below 2^53 and are plain. */
export function loadLogService(): ServiceDefinition {
  const file = fileURLToPath(new URL("./proto/quorumlog.proto", import.meta.url));
  const definition = loadSync(file, { longs: Number, defaults: true, keepCase: false });
  const service = definition[`${packageName}.Log`];
  const methods = service as ServiceDefinition;
  const stream = methods["AppendStream"] as MethodDefinition<object, object>;
  const requestDeserialize = (bytes: Buffer): Batch<object> => new Batch(bytes, stream.requestDeserialize);
  return { ...methods, Session: sessionMethod, AppendStream: { ...stream, requestDeserialize } };
}

/**
 * A message that is decoded when somebody takes it: many may wait for that, and an entry takes more memory than bytes of
 * its message.
 */
export class Batch<Message> {
  private readonly bytes: Buffer;
  private readonly decode: (bytes: Buffer) => Message;

  constructor(bytes: Buffer, decode: (bytes: Buffer) => Message) {
    this.bytes = bytes;
    this.decode = decode;
  }

  /** @throws LogError malformed-frame, batch-too-large. */
  message(): Message {
    if (fieldsOf(this.bytes) > frameItemsMax)
      throw new LogError("batch-too-large", `more than ${frameItemsMax} entries in one message`);
    try {
      return this.decode(this.bytes);
    } catch (error) {
      throw new LogError("malformed-frame", "the message is not what the .proto file says", { cause: error });
    }
  }
}

/** Bytes of a value by its protobuf wire type; of type 2 the length stands in front. */
const wireBytes: { readonly [type: number]: number } = { 1: 8, 5: 4 };

/** How many fields a protobuf message has, up to where it is malformed; its decoder tells that. */
function fieldsOf(message: Uint8Array): number {
  let fields = 0;
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; at < message.length; factor *= 128) {
      const byte = message[at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < message.length) {
    fields += 1;
    const type = varint() % 8;
    const value = type === 0 || type === 2 ? varint() : 0;
    at += type === 2 ? value : (wireBytes[type] ?? 0);
  }
  return fields;
}
