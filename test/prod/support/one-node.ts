import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { GroupStatus } from "#core/node/status";
import { loadConfig } from "#prod/config";
import { makeLogger } from "#prod/logging";
import { QuorumServer } from "#prod/server";
import { freePort } from "../../support/free-port.ts";

/** A group of one voter in this process, on real sockets and files. */
export class OneNode {
  readonly port: number;
  private readonly directory: string;
  private readonly server: QuorumServer;

  private constructor(port: number, httpPort: number, flags: { readonly [key: string]: string }) {
    this.port = port;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlog-one-node-"));
    const config = loadConfig({
      environment: {},
      flags: {
        dLegerGroup: "default",
        dLegerPeers: `n0-127.0.0.1:${port}`,
        dLegerSelfId: "n0",
        httpPort: String(httpPort),
        storePathRootDir: this.directory,
        ...flags,
      },
    });
    this.server = new QuorumServer(config, makeLogger("silent", 2));
  }

  static async start(flags: { readonly [key: string]: string } = {}): Promise<OneNode> {
    const one = new OneNode(await freePort(), await freePort(), flags);
    await one.server.start();
    while (one.status.leader === "") await new Promise((resolve) => setTimeout(resolve, 5));
    return one;
  }

  get status(): GroupStatus {
    const [group] = this.server.node.groups.values();
    if (group === undefined) throw new Error("a node without a group");
    return group.status();
  }

  /** A metric's line on the page, behind its name. */
  async metric(name: string): Promise<string | undefined> {
    const page = await this.server.metrics.registry.metrics();
    const line = page.split("\n").find((one) => one.startsWith(`${name} `));
    return line?.slice(name.length + 1);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
