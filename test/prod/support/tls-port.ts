import { expect } from "chai";
import { groupId, nodeId } from "#core/base/brand";
import { ByteWriter } from "#core/base/bytes";
import { LogError } from "#core/base/errors";
import type { ClientRequest } from "#core/commitlog/protocol";
import { encodeRequest } from "#core/commitlog/request-codec";
import { decodeResponse } from "#core/commitlog/response-codec";
import type { Listener, Service } from "#core/io/network";
import { encodeHello } from "#core/node/peer-frame";
import { Gatekeeper } from "#prod/gatekeeper";
import { TcpNetwork } from "#prod/network";
import type { TlsMaterial } from "#prod/tls-files";
import { contextOf } from "#prod/tls-files";
import type { Authorise } from "#prod/tls-identity";
import { authoriseByRole } from "#prod/tls-identity";
import { Turns } from "#prod/turn";
import { freePort } from "../../support/free-port.ts";

const turns = new Turns();
export const quiet = { drained: () => undefined };

/** A port that echoes frames, as node n1, and what it told of those it turned away. */
export class Port {
  readonly address: string;
  readonly told: string[] = [];
  private listener: Listener | undefined;

  private constructor(port: number) {
    this.address = `127.0.0.1:${port}`;
  }

  static async open(
    material: TlsMaterial | undefined,
    clientAuth = true,
    authorise: Authorise = authoriseByRole,
    answers: (frame: Uint8Array) => readonly Uint8Array[] = (frame) => [frame],
  ): Promise<Port> {
    const port = new Port(await freePort());
    const voters = new Set(["n0", "n1", "n2"]);
    const gatekeeper = new Gatekeeper({ voters, clientAuth, authorise });
    const network = new TcpNetwork({
      turns,
      listen: material && { material, gatekeeper },
      denied: (service, _from, why) => port.told.push(`${service}: ${why}`),
      refused: (reason, _from, why) => port.told.push(`${reason}: ${why ?? ""}`),
    });
    await new Promise<void>((resolve, reject) => {
      port.listener = network.listen(
        port.address,
        (connection) => ({
          opened: () => undefined,
          closed: () => undefined,
          frame: (frame) => {
            for (const answer of answers(frame)) connection.send(answer);
          },
          ...quiet,
        }),
        (error) => (error === undefined ? resolve() : reject(error)),
      );
    });
    return port;
  }

  close(): void {
    this.listener?.close();
  }
}

export interface Answer {
  /** The first frame that came back; undefined when the connection closed before. */
  readonly frame: Uint8Array | undefined;
  readonly closed: string | undefined;
  readonly distrust: string | undefined;
}

/** Dials, sends a frame, and waits for what comes of it. */
export function ask(
  address: string,
  service: Service,
  frame: Uint8Array,
  material: TlsMaterial | undefined,
  node = "n1",
): Promise<Answer> {
  return new Promise((resolve) => {
    let distrust: string | undefined;
    const network = new TcpNetwork({
      turns,
      dial: material && { context: contextOf(material), nodeAt: () => node },
      distrusted: (_address, _service, why) => {
        distrust = why;
      },
    });
    const connection = network.connect(address, service, {
      opened: () => void connection.send(frame),
      frame: (bytes) => {
        connection.close();
        resolve({ frame: bytes, closed: undefined, distrust });
      },
      closed: (reason) => resolve({ frame: undefined, closed: reason, distrust }),
      ...quiet,
    });
  });
}

function requestFrame(request: ClientRequest): Uint8Array {
  const writer = new ByteWriter();
  encodeRequest(writer, request);
  return writer.finish();
}

export const ping = requestFrame({ type: "ping", requestId: 7 });
export const append = requestFrame({
  type: "append",
  requestId: 7,
  session: 0,
  firstSequence: 0,
  bodies: [Uint8Array.of(1)],
});
export const readOnly = requestFrame({ type: "set-read-only", requestId: 7, readOnly: true });
export const transfer = requestFrame({ type: "transfer", requestId: 7, to: nodeId("n1") });

export function helloOf(node: string): Uint8Array {
  return encodeHello("hello", groupId("g"), {
    from: nodeId(node),
    versionLow: 1,
    versionHigh: 1,
    cluster: "",
    incarnation: "00".repeat(8),
    stage: "empty",
    entryBodyBytesMax: 1,
    voters: [nodeId("n0")],
    peers: [],
  });
}

/** What a refused client is told; undefined when its frame came through. */
export function refusalOf({ frame, closed }: Answer): string | undefined {
  if (frame === undefined) throw new Error(`${closed} without a word`);
  try {
    const response = decodeResponse(frame);
    if (response.type !== "fault") return undefined;
    expect([response.code, response.retry, response.requestId]).to.deep.equal(["not-authorised", "never", 7]);
    return response.message;
  } catch (error) {
    // An echo is a request, which is no answer.
    if (error instanceof LogError) return undefined;
    throw error;
  }
}
