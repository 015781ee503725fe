import { ByteReader, ByteWriter } from "../core/base/bytes.ts";
import type { FaultCode } from "../core/base/errors.ts";
import { LogError } from "../core/base/errors.ts";
import type { ClientRequest } from "../core/commitlog/protocol.ts";
import { faultOf } from "../core/commitlog/protocol.ts";
import { encodeRequest } from "../core/commitlog/request-codec.ts";
import { encodeResponse } from "../core/commitlog/response-codec.ts";
import type { Connection, ConnectionEvents } from "../core/io/network.ts";
import { decodeHello, frameTypes, readFrameHeader } from "../core/node/peer-frame.ts";
import type { Action, Authorise, Identity } from "./tls-identity.ts";
import { describe } from "./tls-identity.ts";

/** What the other end of a connection showed: a certificate that was checked, one that was refused, or none. */
export interface Presented {
  readonly identity?: Identity;
  /** Why nothing it asks for is done. */
  readonly fault?: string;
}

export interface GatekeeperOptions {
  /** The nodes of the cluster. */
  readonly voters: ReadonlySet<string>;
  /** Whether a client must show a certificate; a node must, whatever this says. */
  readonly clientAuth: boolean;
  readonly authorise: Authorise;
}

/** Decides who may do what on a port that speaks TLS. Its answers are reasons to refuse; undefined lets in. */
export class Gatekeeper {
  private readonly options: GatekeeperOptions;

  constructor(options: GatekeeperOptions) {
    this.options = options;
  }

  /** Only a node that the configuration names speaks as a peer. */
  peerRefusal({ identity, fault }: Presented): string | undefined {
    if (fault !== undefined) return fault;
    if (identity === undefined) return "a node shows its certificate (tlsCert, tlsKey), and none came";
    if (identity.roles.includes("node") && this.options.voters.has(identity.name)) return undefined;
    return `the certificate is of ${describe(identity)}; peers have the unit node and an id of dLegerPeers`;
  }

  /** Whether a client has not shown what it must, so that nobody needs to ask what it wants. */
  isStranger({ identity, fault }: Presented): boolean {
    return fault !== undefined || (identity === undefined && this.options.clientAuth);
  }

  refusal({ identity, fault }: Presented, action: Action): string | undefined {
    if (fault !== undefined) return fault;
    if (identity === undefined && this.options.clientAuth)
      return "a client shows its certificate here (--tls-cert, --tls-key), and none came";
    if (this.options.authorise(identity, action)) return undefined;
    const who = identity === undefined ? "a client without a certificate" : describe(identity);
    return `${who} has not the role ${action}`;
  }
}

/** What a request of the client protocol takes. A hello tells who leads, and that much any role may know. */
const actionOfRequest: { readonly [type in ClientRequest["type"]]: Action } = {
  "client-hello": "read",
  get: "read",
  tail: "read",
  "read-index": "read",
  status: "read",
  ping: "read",
  "open-session": "append",
  append: "append",
  transfer: "admin",
  "set-read-only": "admin",
};

/** Of the methods of the service `Log`. What is said on a session is looked at frame by frame. */
export const actionOfMethod: { readonly [method: string]: Action } = {
  Session: "read",
  Append: "append",
  AppendStream: "append",
  Get: "read",
  Tail: "read",
  ReadIndex: "read",
  Status: "read",
};

/** Where type and request id stand in a frame of the client protocol (`core/commitlog/protocol-frame.ts`). */
const typeAt = 3;
const requestIdAt = 4;

/** Actions by the number of the type, which the codec knows: asked once, by writing one of each that has no fields. */
const actionOfType: ReadonlyMap<number, Action> = new Map(
  Object.entries(actionOfRequest).map(([type, action]) => [
    typeNumber(type as ClientRequest["type"]),
    action,
  ]),
);

function typeNumber(type: ClientRequest["type"]): number {
  const writer = new ByteWriter();
  const fields = { group: "g", cluster: "", name: "", token: "", to: "n", bodies: [], readOnly: false };
  const numbers = {
    index: 0,
    from: 0,
    entriesMax: 0,
    bytesMax: 0,
    waitMicros: 0,
    session: 0,
    firstSequence: 0,
  };
  const versions = { versionLow: 1, versionHigh: 1, linearizable: false };
  encodeRequest(writer, {
    type,
    requestId: 0,
    ...fields,
    ...numbers,
    ...versions,
  } as unknown as ClientRequest);
  return writer.finish()[typeAt] as number;
}

/** The answer to a frame of a client that is not let in. */
export function refusalFrame(frame: Uint8Array, why: string, code: FaultCode = "not-authorised"): Uint8Array {
  const requestId =
    frame.length < requestIdAt + 4 ? 0 : new DataView(frame.buffer, frame.byteOffset).getUint32(requestIdAt);
  const writer = new ByteWriter(128);
  encodeResponse(writer, faultOf(requestId, new LogError(code, why)));
  return writer.finish();
}

/** A connection whose frames pass a gate; everything else passes as it is. */
function through(inner: ConnectionEvents, frame: ConnectionEvents["frame"]): ConnectionEvents {
  return {
    opened: () => inner.opened(),
    drained: () => inner.drained(),
    closed: (reason) => inner.closed(reason),
    frame,
  };
}

/** A client's connection, of which only what it may do comes through. */
export function gatedClient(
  inner: ConnectionEvents,
  connection: Connection,
  refusal: (action: Action) => string | undefined,
): ConnectionEvents {
  return through(inner, (frame) => {
    // What has no known type is for the codec to refuse.
    const action = actionOfType.get(frame[typeAt] ?? 0);
    const why = action === undefined ? refusal("read") : refusal(action);
    if (why === undefined) inner.frame(frame);
    // A client that does not read its refusals gets no more of them.
    else connection.send(refusalFrame(frame, why));
  });
}

/** A peer's connection, on which it may introduce itself by the name in its certificate only. */
export function gatedPeer(
  inner: ConnectionEvents,
  name: string,
  refuse: (why: string) => void,
): ConnectionEvents {
  return through(inner, (frame) => {
    const said = frame[1] === frameTypes.hello ? nameInHello(frame) : undefined;
    if (said === undefined || said === name) inner.frame(frame);
    else refuse(`it says that it is ${said}, and its certificate is of ${name}`);
  });
}

/** @returns undefined for a frame that is malformed, which is for the codec to refuse. */
function nameInHello(frame: Uint8Array): string | undefined {
  try {
    const reader = new ByteReader(frame);
    readFrameHeader(reader);
    return decodeHello(reader).from;
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}
