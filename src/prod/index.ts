/** The library: a client of the log. */
export type { FaultCode, Retry } from "../core/base/errors.ts";
export { LogError } from "../core/base/errors.ts";
export type { AppendResult } from "../core/client/client.ts";
export type { NodeStatus } from "../core/commitlog/protocol.ts";
export type { CallOptions, LogClientOptions, LogEntry, ReadOptions, TailOptions } from "./log-client.ts";
export { LogClient } from "./log-client.ts";
export type { TlsOptions } from "./tls-options.ts";
export { version } from "./version.ts";
