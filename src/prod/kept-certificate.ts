import { createPrivateKey, X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import { describe, identityOf } from "./tls-identity.ts";

/** What a certificate must say to be kept as it is. */
export interface Wanted {
  readonly name: string;
  readonly unit: string;
  readonly hosts: readonly string[];
}

interface Files {
  readonly certificate: string;
  readonly key: string;
}

/**
 * In what a certificate and its key differ from what was asked for, in words; empty when they do not. More hosts than
 * asked for do no harm: a command that adds a client need not name them all again.
 */
export function keptDifferences(
  { certificate: file, key: keyFile }: Files,
  { name, unit, hosts }: Wanted,
  authority: X509Certificate,
  now: number = Date.now(),
): readonly string[] {
  const certificate = readOr(file, (bytes) => new X509Certificate(bytes));
  if (certificate === undefined) return [`${file} holds no certificate that can be read`];
  const key = readOr(keyFile, (bytes) => createPrivateKey(bytes));
  const found: string[] = [];
  const identity = identityOf(certificate.toLegacyObject().subject);
  if (identity.name !== name || identity.roles.length !== 1 || identity.roles[0] !== unit)
    found.push(`${file} is of ${describe(identity)}, not of ${describe({ name, roles: [unit as "node"] })}`);
  const missing = hosts.filter((host) => !covers(certificate, host));
  if (missing.length > 0)
    found.push(
      `${file} is not for ${missing.join(", ")} (it is for ${certificate.subjectAltName ?? "no host"})`,
    );
  if (key === undefined) found.push(`${keyFile} holds no private key that can be read`);
  else if (!certificate.checkPrivateKey(key)) found.push(`${keyFile} is not the key of ${file}`);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey))
    found.push(`${file} is not signed by the authority of this directory`);
  if (now > Date.parse(certificate.validTo)) found.push(`${file} expired at ${certificate.validTo}`);
  return found;
}

function covers(certificate: X509Certificate, host: string): boolean {
  const by =
    net.isIP(host) === 0 ? certificate.checkHost(host, { subject: "never" }) : certificate.checkIP(host);
  return by !== undefined;
}

function readOr<T>(file: string, decode: (bytes: Buffer) => T): T | undefined {
  const bytes = fs.readFileSync(file);
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}
