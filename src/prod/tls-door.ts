import { constants } from "node:crypto";
import type * as net from "node:net";
import type { Server, TLSSocket } from "node:tls";
import { createServer } from "node:tls";
import type { Presented } from "./gatekeeper.ts";
import type { TlsMaterial } from "./tls-files.ts";
import { identityOf } from "./tls-identity.ts";

const handshakeMsMax = 5_000;

export interface DoorEvents {
  secured(socket: net.Socket): void;
  /** The handshake failed: the other end believes this node's certificate as little, or speaks another version. */
  failed(why: string, from: string): void;
}

/**
 * The server's side of TLS handshakes. Whoever shows a certificate that is refused, or none, is let in and told so by
 * name at its first call: a handshake that ends in an alert tells people nothing.
 */
export class TlsDoor {
  private readonly server: Server;
  private readonly presented = new Map<string, Presented>();
  /** Connections whose handshake is under way, by the address of the other end. */
  private readonly shaking = new Map<string, net.Socket>();

  constructor({ ca, cert, key }: TlsMaterial, events: DoorEvents) {
    this.server = createServer(
      {
        ca,
        cert,
        key,
        minVersion: "TLSv1.3",
        // A ticket would let somebody in by a certificate that was looked at long ago.
        secureOptions: constants.SSL_OP_NO_TICKET,
        requestCert: true,
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
        handshakeTimeout: handshakeMsMax,
      },
      (socket) => {
        this.shaking.delete(addressOf(socket));
        this.remember(socket, presentedBy(socket));
        events.secured(socket);
      },
    );
    this.server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      // One that just went away has nothing against us.
      if (error.code !== "ECONNRESET") events.failed(error.message, socket.remoteAddress ?? "");
      socket.destroy();
    });
  }

  /** A connection whose first bytes are a handshake. */
  accept(socket: net.Socket): void {
    const address = addressOf(socket);
    // It is gone already: there is nobody to remember anything of.
    if (socket.remoteAddress === undefined) return void socket.destroy();
    this.shaking.set(address, socket);
    socket.once("close", () => {
      if (this.shaking.get(address) === socket) this.shaking.delete(address);
    });
    this.server.emit("connection", socket);
  }

  /** Connections that are remembered. */
  get size(): number {
    return this.shaking.size + this.presented.size;
  }

  /** Handshakes under way end with the port. */
  close(): void {
    for (const socket of this.shaking.values()) socket.destroy();
  }

  /** What the other end of a connection showed; `address` is as gRPC gives it, with its port. */
  of(address: string): Presented {
    return this.presented.get(address) ?? { fault: "this connection is gone" };
  }

  /** @param socket stays known until it closes. */
  remember(socket: net.Socket, presented: Presented): void {
    const address = addressOf(socket);
    this.presented.set(address, presented);
    socket.once("close", () => {
      // The port may be somebody else's by now.
      if (this.presented.get(address) === presented) this.presented.delete(address);
    });
  }
}

/** The other end of a connection, as gRPC names it. */
export function addressOf(socket: net.Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

function presentedBy(socket: TLSSocket): Presented {
  const certificate = socket.getPeerCertificate();
  const { subject } = certificate as Partial<typeof certificate>;
  if (subject === undefined) return {};
  if (socket.authorized) return { identity: identityOf(subject) };
  const error = socket.authorizationError as unknown;
  return { fault: `the certificate shown here is refused: ${refusalText(error)}` };
}

/** OpenSSL's codes, in the words of people. */
function refusalText(error: unknown): string {
  const code = String(
    error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : error,
  );
  const words: { readonly [code: string]: string } = {
    CERT_HAS_EXPIRED: "it has expired; make a new one (quorumlog certs --renew)",
    CERT_NOT_YET_VALID: "it is not valid yet; is a clock wrong?",
    DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed, and not one of this node's tlsCa",
    SELF_SIGNED_CERT_IN_CHAIN: "its authority is not in this node's tlsCa",
    UNABLE_TO_GET_ISSUER_CERT: "its authority is not in this node's tlsCa",
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its authority is not in this node's tlsCa",
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its authority is not in this node's tlsCa",
  };
  return words[code] ?? code;
}
