import { LogError } from "../core/base/errors.ts";
import { exitCodeOf } from "../prod/exit-codes.ts";
import { LogFile, logFileVariable } from "../prod/log-file.ts";
import type { ServerNews } from "../prod/server-news.ts";
import { parseStart } from "./start-options.ts";

/** `quorumlog start`: three nodes, or one. @returns the exit code once they have stopped. */
export async function startCommand(args: readonly string[]): Promise<number> {
  const request = parseStart(args);
  if (typeof request === "number") return request;
  try {
    // Each loads what it needs only: three nodes at once share the processors with the process that starts them.
    if (!request.single) {
      const { startCluster } = await import("./start-cluster.ts");
      return await startCluster(request);
    }
    const { loadConfig } = await import("../prod/config.ts");
    const { runServer } = await import("../prod/server.ts");
    const config = loadConfig({ file: request.config, environment: process.env, flags: request.flags });
    const logFile = process.env[logFileVariable];
    return await runServer(config, tellParent, logFile === undefined ? undefined : new LogFile(logFile));
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    process.stderr.write(`quorumlog start: ${error.code}\n${error.message.replace(/^/gm, "  ")}\n`);
    tellParent({ type: "failed", message: error.message });
    return exitCodeOf(error);
  } finally {
    if (process.connected) process.disconnect();
  }
}

/** To the process of `quorumlog start` that started this node, if one did and is still there. */
function tellParent(news: ServerNews): void {
  if (process.connected) process.send?.(news);
}
