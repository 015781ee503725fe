import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { LogError } from "../core/base/errors.ts";
import type { TlsMaterial } from "./tls-files.ts";

/** What the pages tell. */
export interface Pages {
  /** Why the node cannot take part right now; empty when it can. */
  notReady(): readonly string[];
  metrics(): Promise<string>;
}

export interface HttpAddress {
  readonly host: string;
  readonly port: number;
}

const headerBytesMax = 8 * 1_024;
const urlBytesMax = 1_024;
const headersMsMax = 5_000;
const connectionsMax = 256;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
  readonly allow?: string;
}

const text = "text/plain; charset=utf-8";

/** Health and metrics beside a node. It reads and never changes anything. */
export class HttpServer {
  private readonly server: Server;
  private readonly pages: Pages;

  /** @param tls serves HTTPS by it. Whoever trusts the authority may look: the pages hold no entries. */
  constructor(pages: Pages, tls?: TlsMaterial) {
    this.pages = pages;
    const options = {
      maxHeaderSize: headerBytesMax,
      headersTimeout: headersMsMax,
      requestTimeout: headersMsMax * 2,
      keepAliveTimeout: headersMsMax,
    };
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.serve(request, response).catch((error: Error) =>
        answer(response, { status: 500, body: `${error.message}\n` }),
      );
    };
    this.server =
      tls === undefined
        ? createServer(options, serve)
        : createSecureServer(
            {
              ...options,
              cert: tls.cert,
              key: tls.key,
              minVersion: "TLSv1.2",
              handshakeTimeout: headersMsMax,
            },
            serve,
          );
    this.server.maxConnections = connectionsMax;
    this.server.on("clientError", (_error, socket) => {
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      else socket.destroy();
    });
  }

  listen(at: HttpAddress): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once("error", (error: NodeJS.ErrnoException) => {
        const why = error.code === "EADDRINUSE" ? "another process listens there" : error.message;
        const message = `cannot serve HTTP on ${at.host}:${at.port}: ${why}`;
        reject(new LogError("unavailable", message, { cause: error }));
      });
      this.server.listen(at, () => {
        this.server.removeAllListeners("error");
        // Running out of descriptors fails one connection, not the node.
        this.server.on("error", () => undefined);
        resolve();
      });
    });
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    request.resume();
    if (url.length > urlBytesMax) answer(response, { status: 414, body: "URI too long\n" });
    else if (request.method !== "GET" && request.method !== "HEAD")
      answer(response, { status: 405, body: "only GET and HEAD\n", allow: "GET, HEAD" });
    else answer(response, await this.page(url.split("?", 1)[0] ?? ""));
  }

  private async page(path: string): Promise<Answer> {
    switch (path) {
      case "/ping":
        return { status: 200, body: "pong" };
      case "/healthz":
        return { status: 200, body: "ok\n" };
      case "/readyz": {
        const reasons = this.pages.notReady();
        const body = `${JSON.stringify({ ready: reasons.length === 0, reasons })}\n`;
        return { status: reasons.length === 0 ? 200 : 503, body, type: "application/json" };
      }
      case "/metrics":
        return {
          status: 200,
          body: await this.pages.metrics(),
          type: "text/plain; version=0.0.4; charset=utf-8",
        };
      default:
        return { status: 404, body: "no such page; there are /ping, /healthz, /readyz and /metrics\n" };
    }
  }
}

function answer(response: ServerResponse, { status, body, type = text, allow }: Answer): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...(allow === undefined ? {} : { allow }),
  });
  response.end(body);
}
