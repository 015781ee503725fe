/** The library: a client of the log, and what a program needs to run a node of its own. */
export type { FaultCode, Retry } from "../core/base/errors.ts";
export { LogError } from "../core/base/errors.ts";
export type { NodeStatus } from "../core/commitlog/protocol.ts";
export type { ConfigSources, ServerConfig, Setting } from "./config.ts";
export { loadConfig } from "./config.ts";
export type { CallOptions, LogClientOptions, LogEntry, ReadOptions, TailOptions } from "./log-client.ts";
export { LogClient } from "./log-client.ts";
export { version } from "./version.ts";
