import { LogError, loadConfig } from "../prod/index.ts";
import { exitCodeOf, runServer } from "../prod/server.ts";
import { startCluster } from "./start-cluster.ts";
import { parseStart } from "./start-options.ts";

/** `quorumlog start`: three nodes, or one. @returns the exit code once they have stopped. */
export async function startCommand(args: readonly string[]): Promise<number> {
  const request = parseStart(args);
  if (typeof request === "number") return request;
  try {
    if (request.config === undefined && request.flags["dLegerSelfId"] === undefined)
      return await startCluster(request);
    const config = loadConfig({ file: request.config, environment: process.env, flags: request.flags });
    return await runServer(config, () => process.send?.({ type: "started" }));
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    process.stderr.write(`quorumlog start: ${error.code}\n${error.message.replace(/^/gm, "  ")}\n`);
    process.send?.({ type: "failed", message: error.message });
    return exitCodeOf(error);
  } finally {
    if (process.connected) process.disconnect();
  }
}
