import type { Settings } from "node:http2";
import type { ChannelOptions } from "@grpc/grpc-js";
import { frameBytesMax } from "../core/io/network.ts";
import { messageOverheadBytes } from "./frame-codec.ts";

/** HTTP/2 flow-control window, both ways. The stock 64 KiB would cap a stream at 64 KiB a round trip. */
export const windowBytes: number = 1_024 * 1_024;

/** Calls of one connection at one time; a client waits with further ones. */
export const streamsMax = 128;

/** Names and values in front of a call, all together. */
const headerBytesMax = 16 * 1_024;

/** Whole gRPC message; one batch never exceeds the larger of a frame and a batch. */
const messageBytesMax = frameBytesMax + messageOverheadBytes;

export const serverOptions: ChannelOptions = {
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_send_message_length": messageBytesMax,
  "grpc.keepalive_time_ms": 5_000,
  "grpc.keepalive_timeout_ms": 3_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.enable_channelz": 0,
  "grpc.max_concurrent_streams": streamsMax,
  "grpc.max_connection_idle_ms": 60_000,
  // MiB of headers and of answers that are not sent yet: it refuses calls beyond, and what pacing lets through stays below.
  "grpc-node.max_session_memory": 64,
};

/** What grpc-js has no option for. */
export const sessionSettings: Settings = {
  initialWindowSize: windowBytes,
  maxHeaderListSize: headerBytesMax,
};
