import * as http2 from "node:http2";
import type * as tls from "node:tls";

/** A message behind gRPC's own header; `length` claims another one than it has. */
export function framed(message: Uint8Array, length = message.length): Buffer {
  const out = Buffer.alloc(5 + message.length);
  out.writeUInt32BE(length, 1);
  out.set(message, 5);
  return out;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push(left < 128 ? left : (left % 128) + 128);
    if (left < 128) return bytes;
  }
}

/** `AppendRequest` and the like: bytes in field 2. */
export function appendOf(data: Uint8Array): Buffer {
  return framed(Buffer.concat([Buffer.from([0x12, ...varint(data.length)]), data]));
}

/** `GetRequest`: a number in field 2. */
export function getOf(index: number): Buffer {
  return framed(Buffer.from([0x10, ...varint(index)]));
}

export function tailOf(from: number, follow: boolean): Buffer {
  return framed(Buffer.from([0x10, ...varint(from), 0x18, follow ? 1 : 0]));
}

/** A call of the service, of which everything is seen that comes back. */
export class RawCall {
  readonly stream: http2.ClientHttp2Stream;
  /** What it was answered, trailers included. */
  headers: http2.IncomingHttpHeaders = {};
  bytes = 0;
  readonly closed: Promise<void>;

  constructor(session: http2.ClientHttp2Session, method: string, headers: http2.OutgoingHttpHeaders = {}) {
    this.stream = session.request({
      ":method": "POST",
      ":path": `/quorumlog.v1.Log/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    this.stream.on("response", (said) => Object.assign(this.headers, said));
    this.stream.on("trailers", (said) => Object.assign(this.headers, said));
    this.stream.on("data", (data: Buffer) => {
      this.bytes += data.length;
    });
    this.stream.on("error", () => undefined);
    this.closed = new Promise((resolve) => this.stream.once("close", () => resolve()));
  }

  get answered(): boolean {
    return this.headers[":status"] !== undefined;
  }

  get status(): string | undefined {
    return this.headers["grpc-status"] as string | undefined;
  }

  /** Writes, and waits until flow control has let it out or the call has ended. */
  async write(bytes: Uint8Array): Promise<void> {
    await Promise.race([this.closed, new Promise((resolve) => this.stream.write(bytes, resolve))]);
  }
}

/** A connection of its own, once the other end has said its settings. */
export async function connected(
  port: number,
  { windowBytes, ...secured }: { readonly windowBytes?: number } & tls.ConnectionOptions = {},
): Promise<http2.ClientHttp2Session> {
  const scheme = secured.ca === undefined ? "http" : "https";
  const settings = windowBytes === undefined ? {} : { initialWindowSize: windowBytes };
  const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { settings, ...secured });
  session.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => {
    session.once("remoteSettings", () => resolve());
    session.once("error", reject);
  });
  return session;
}
