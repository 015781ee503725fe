import { fileURLToPath } from "node:url";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

import { loadSync } from "@grpc/proto-loader";
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
  return { ...(service as ServiceDefinition), Session: sessionMethod };
}
