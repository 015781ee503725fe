import type { KeyObject } from "node:crypto";
import { createPrivateKey, X509Certificate } from "node:crypto";
import * as net from "node:net";
import type { SecureContext } from "node:tls";
import { createSecureContext } from "node:tls";
import { LogError } from "../core/base/errors.ts";
import { readSmallFile } from "./read-file.ts";
import { describe, identityOf } from "./tls-identity.ts";

/** A setting that names a file, and who says so; bytes are the file's contents themselves. */
export interface TlsSetting {
  readonly key: string;
  readonly value: string | Uint8Array;
  readonly origin: string;
}

export interface TlsSettings {
  /** The authorities whose certificates are believed. */
  readonly ca: TlsSetting;
  /** One's own certificate (and the chain behind it) and its key; a client may have none. */
  readonly own: { readonly cert: TlsSetting; readonly key: TlsSetting } | undefined;
}

/** The node that the certificate must be of. */
export interface TlsOwner {
  readonly node: string;
  readonly host: string;
}

export interface TlsMaterial {
  readonly ca: string;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

const fileBytesMax = 1_024 * 1_024;
const chainMax = 8;
const renew = "make a new one (quorumlog certs --renew), or set this machine's clock";

/**
 * Reads and checks what TLS needs, so that what is wrong shows at the start and not in somebody's handshake.
 * @param owner undefined for a client, whose name is the nodes' concern.
 * @throws LogError bad-configuration, a line for each problem: key, value, origin, what to do.
 */
export function readTls({ ca, own }: TlsSettings, owner?: TlsOwner, now: number = Date.now()): TlsMaterial {
  const problems: string[] = [];
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof TlsProblem)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const authorities = attempt(() => certificatesOf(ca, "of an authority"));
  const chain = own && attempt(() => certificatesOf(own.cert, "and the chain behind it"));
  const key = own && attempt(() => keyOf(own.key));
  const [first] = chain ?? [];
  if (own !== undefined && first !== undefined) {
    attempt(() => checkDates(own.cert, first, now));
    if (owner !== undefined) attempt(() => checkOwner(own.cert, first, owner));
    if (authorities !== undefined) attempt(() => checkChain(own.cert, chain ?? [], authorities, ca));
    if (key !== undefined) attempt(() => checkMatch(own.key, key, first, own.cert));
  }
  if (problems.length > 0) throw new LogError("bad-configuration", problems.join("\n"));
  const pem = (list: readonly X509Certificate[] = []): string => list.map(String).join("");
  return {
    ca: pem(authorities),
    cert: own && pem(chain),
    key: key?.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** Both ends are of this project, so nothing older than TLS 1.3 is spoken. */
export function contextOf({ ca, cert, key }: TlsMaterial): SecureContext {
  return createSecureContext({ ca, cert, key, minVersion: "TLSv1.3" });
}

class TlsProblem extends Error {
  constructor({ key, value, origin }: TlsSetting, why: string, todo: string) {
    super(
      `${key} is ${typeof value === "string" ? JSON.stringify(value) : "given"} (${origin}): ${why}; ${todo}`,
    );
  }
}

function contentsOf(setting: TlsSetting): string {
  const { value } = setting;
  if (typeof value !== "string") return Buffer.from(value).toString("latin1");
  try {
    return readSmallFile(value, fileBytesMax).toString("latin1");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why: { readonly [code: string]: string } = {
      ENOENT: "there is no such file",
      EACCES: "this user may not read it",
    };
    throw new TlsProblem(setting, why[code ?? ""] ?? message, "name a file that this user can read");
  }
}

function certificatesOf(setting: TlsSetting, what: string): readonly X509Certificate[] {
  const text = contentsOf(setting);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const todo = `name a file with the certificate ${what} in PEM form`;
  if (blocks.length === 0) throw new TlsProblem(setting, "it holds no certificate", todo);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new TlsProblem(setting, "it holds a certificate that cannot be read", todo);
    }
  });
}

function keyOf(setting: TlsSetting): KeyObject {
  const text = contentsOf(setting);
  const todo = "name a file with a private key in PEM form, without a passphrase";
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    throw new TlsProblem(setting, "it holds no private key", todo);
  try {
    return createPrivateKey(text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const locked = code === "ERR_MISSING_PASSPHRASE" || /ENCRYPTED/.test(text);
    throw new TlsProblem(setting, locked ? "the key has a passphrase" : "the key cannot be read", todo);
  }
}

function checkDates(setting: TlsSetting, { validFrom, validTo }: X509Certificate, now: number): void {
  if (now > Date.parse(validTo)) throw new TlsProblem(setting, `it expired at ${validTo}`, renew);
  if (now < Date.parse(validFrom))
    throw new TlsProblem(setting, `it is not valid before ${validFrom}`, renew);
}

function checkOwner(setting: TlsSetting, certificate: X509Certificate, { node, host }: TlsOwner): void {
  const identity = identityOf(certificate.toLegacyObject().subject);
  if (!identity.roles.includes("node") || identity.name !== node)
    throw new TlsProblem(
      setting,
      `it is of ${describe(identity)}, and this is node ${node}`,
      `name the one of ${node} (common name ${node}, unit node)`,
    );
  const covered = net.isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  if (covered === undefined)
    throw new TlsProblem(
      setting,
      `it is not for ${host}, where others dial this node (${certificate.subjectAltName ?? "no names in it"})`,
      "make one for that host (quorumlog certs --host)",
    );
}

/** From the certificate through its chain to one of the authorities. */
function checkChain(
  setting: TlsSetting,
  [first, ...chain]: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  ca: TlsSetting,
): void {
  let at = first;
  for (let step = 0; at !== undefined && step < chainMax; step++) {
    const below: X509Certificate = at;
    if (authorities.some((authority) => signs(authority, below))) return;
    at = chain.find((one) => one !== below && signs(one, below));
  }
  const selfSigned = first !== undefined && first.issuer === first.subject && first.verify(first.publicKey);
  const issuer = first?.issuer.split("\n").join(", ");
  const where = typeof ca.value === "string" ? `${ca.key}=${ca.value}` : ca.key;
  const why = selfSigned ? "it is self-signed" : `it is signed by ${issuer}`;
  throw new TlsProblem(
    setting,
    `${why}, not by an authority in ${where}`,
    "name one that is, or its authority",
  );
}

function signs(authority: X509Certificate, below: X509Certificate): boolean {
  return below.checkIssued(authority) && below.verify(authority.publicKey);
}

function checkMatch(
  setting: TlsSetting,
  key: KeyObject,
  certificate: X509Certificate,
  cert: TlsSetting,
): void {
  if (certificate.checkPrivateKey(key)) return;
  const where = typeof cert.value === "string" ? cert.value : cert.key;
  throw new TlsProblem(
    setting,
    `it is not the key of ${where}`,
    "name the key and the certificate of one pair",
  );
}
