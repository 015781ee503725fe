/** A node within another program. */
export type { FaultCode, Retry } from "../core/base/errors.ts";
export { LogError } from "../core/base/errors.ts";
export type { ConfigSources, ServerConfig, ServerTls, Setting } from "./config.ts";
export { loadConfig } from "./config.ts";
export { makeLogger } from "./logging.ts";
export type { QuorumServerOptions } from "./server.ts";
export { QuorumServer } from "./server.ts";
export type { Action, Authorise, Identity, Role } from "./tls-identity.ts";
export { authoriseByRole } from "./tls-identity.ts";
