import { LogError } from "../core/base/errors.ts";
import type { PeerAddress } from "../core/node/config.ts";
import type { TlsDial } from "./tls-dial.ts";
import type { TlsSettings } from "./tls-files.ts";
import { contextOf, readTls } from "./tls-files.ts";

/** Files in PEM form by their paths, or their contents as bytes. */
export interface TlsOptions {
  /** The authorities that signed the nodes' certificates. */
  readonly ca: string | Uint8Array;
  /** This client's certificate, which says what it may do, and its key; nodes ask for both unless told otherwise. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
}

/** @throws LogError bad-configuration. */
export function dialOf(tls: TlsOptions | undefined, peers: readonly PeerAddress[]): TlsDial | undefined {
  if (tls === undefined) return undefined;
  const context = contextOf(readTls(settingsOf(tls, (name) => ({ key: `tls.${name}`, origin: "options" }))));
  return { context, nodeAt: nodesAt(peers) };
}

/**
 * A client's files as settings.
 * @param named how people call each of them, and where it was said.
 * @throws LogError bad-configuration when only one of certificate and key is given.
 */
export function settingsOf(
  { ca, cert, key }: TlsOptions,
  named: (name: keyof TlsOptions) => { readonly key: string; readonly origin: string },
): TlsSettings {
  const setting = (name: keyof TlsOptions, value: string | Uint8Array) => ({ ...named(name), value });
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] = cert === undefined ? (["key", "cert"] as const) : (["cert", "key"] as const);
    const text = `${named(missing).key} is not given, and ${named(given).key} is (${named(given).origin}): a certificate and its key go together`;
    throw new LogError("bad-configuration", text);
  }
  const own =
    cert === undefined || key === undefined
      ? undefined
      : { cert: setting("cert", cert), key: setting("key", key) };
  return { ca: setting("ca", ca), own };
}

/** Which node listens at an address. */
export function nodesAt(peers: readonly PeerAddress[]): TlsDial["nodeAt"] {
  const nodes = new Map(peers.map(({ node, address }) => [address, node as string]));
  return (address) => nodes.get(address);
}
