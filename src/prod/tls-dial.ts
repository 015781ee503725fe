import * as tls from "node:tls";
import type { Address, Connection, ConnectionEvents } from "../core/io/network.ts";
import { splitAddress } from "./address.ts";
import { refusalFrame } from "./gatekeeper.ts";
import type { Refused } from "./greeting.ts";
import { describe, identityOf } from "./tls-identity.ts";

/** What the dialling side of TLS knows. */
export interface TlsDial {
  readonly context: tls.SecureContext;
  /** The node that listens at an address; undefined when the configuration does not say. */
  nodeAt(address: Address): string | undefined;
}

/** How one address is dialled: the certificate there must be of a node, of the right one, and for that host. */
export function tlsOptions({ context, nodeAt }: TlsDial, address: Address): tls.ConnectionOptions {
  const { host } = splitAddress(address);
  const expected = nodeAt(address);
  return {
    secureContext: context,
    // Server names are no addresses (RFC 6066), so a node is asked for by its id.
    servername: expected ?? "node",
    checkServerIdentity: (_name, certificate) => {
      const identity = identityOf(certificate.subject);
      const wanted = expected ?? identity.name;
      if (!identity.roles.includes("node") || identity.name !== wanted)
        return new Error(`its certificate is of ${describe(identity)}, not of node ${wanted}`);
      return tls.checkServerIdentity(host, certificate);
    },
  };
}

const untrusted = /self[- ]signed certificate|unable to (get|verify)|unknown ca/i;
const dated = /certificate (has expired|is not yet valid)/i;
const plain = /alert protocol version|wrong version number|packet length too long/i;
const named =
  /certificate is of .*|certificate's altnames.*|\w+ certificate purpose|alert (bad certificate|certificate \w+)/i;
/**
 * Why a handshake failed for who the two ends are; undefined when that was not the reason, and dialling again may
 * help.
 */
export function whyDistrusted({ message: details }: Error, address: Address): string | undefined {
  if (plain.test(details))
    return `${address} does not speak TLS: leave tlsCa out (--tls-ca), or start the node with tlsCert`;
  if (untrusted.test(details))
    return `the certificate of ${address} is not signed by an authority in tlsCa (--tls-ca)`;
  const date = dated.exec(details)?.[0];
  if (date !== undefined)
    return `${address}: its ${date}; make a new one (quorumlog certs --renew), or set this machine's clock`;
  const name = named.exec(details)?.[0];
  return name === undefined ? undefined : `${address} is not who it should be: ${name}`;
}

/**
 * A dialled client connection that, where it is refused, stays up just long enough to say so: its first frame is
 * answered with the fault. Callers are then told `not-authorised`, and do not dial until their time is over; where the node
 * was only full, they dial again later.
 */
export class RefusableConnection implements Connection {
  private readonly events: ConnectionEvents;
  private inner: Connection | undefined;
  private refusal: Refused | undefined;
  private over = false;

  constructor(events: ConnectionEvents) {
    this.events = events;
  }

  attach(inner: Connection): void {
    this.inner = inner;
  }

  /** In place of `closed`. */
  refuse(refusal: Refused): void {
    this.refusal = refusal;
    this.events.opened();
  }

  send(frame: Uint8Array, rest?: readonly Uint8Array[]): boolean {
    const { refusal } = this;
    if (refusal === undefined) return this.inner?.send(frame, rest) ?? true;
    const answer = refusalFrame(frame, refusal.why, refusal.code);
    setImmediate(() => {
      if (!this.over) this.events.frame(answer);
      if (!this.over) this.events.closed("closed");
      this.over = true;
    });
    return true;
  }

  queuedBytes(): number {
    return this.inner?.queuedBytes() ?? 0;
  }

  close(): void {
    this.over = true;
    this.inner?.close();
  }
}
