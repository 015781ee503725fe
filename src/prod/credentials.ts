import type { KeyObject } from "node:crypto";
import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { LogError } from "../core/base/errors.ts";
import type { PeerAddress } from "../core/node/config.ts";
import { splitAddress } from "./address.ts";
import type { CertificatePlan, Issuer } from "./certificate.ts";
import { makeCertificate } from "./certificate.ts";
import { makeDirectories } from "./directory.ts";
import type { Action } from "./tls-identity.ts";

export interface ClientCredential {
  readonly name: string;
  readonly role: Action;
}

/** All the files that a cluster and its clients need for TLS. */
export interface CredentialsPlan {
  readonly directory: string;
  readonly peers: readonly PeerAddress[];
  readonly clients: readonly ClientCredential[];
  /** Names and addresses of every node beside the one in its address. */
  readonly hosts: readonly string[];
  readonly days: number;
  /** Makes new certificates in place of those that are there, by the same authority. */
  readonly renew: boolean;
}

export interface Credential {
  /** What stands in its certificate: a node's id, a client's name. */
  readonly name: string;
  readonly role: Action | "node" | "authority";
  readonly certificate: string;
  readonly key: string;
  /** False when it was there already and is left as it is. */
  readonly made: boolean;
}

const dayMs = 24 * 3_600 * 1_000;
/** An authority outlives the certificates that it signs. */
const authorityDays = 3_650;
/** Clocks of a cluster differ. */
const earlyMs = 3_600 * 1_000;

/**
 * Makes an authority, a certificate for each node and one for each client. What is there already stays: to add a client,
 * or a node on another host, is to do the same again.
 * @throws LogError bad-configuration when the directory cannot be used, or holds half of an authority.
 */
export function makeCredentials(plan: CredentialsPlan): readonly Credential[] {
  try {
    makeDirectories(plan.directory);
    const { issuer, credential } = authorityIn(plan);
    const nodes = plan.peers.map(({ node, address }) => {
      const hosts = [...new Set([splitAddress(address).host, ...plan.hosts])];
      return leaf(plan, issuer, { file: node === "ca" ? "node-ca" : node, name: node, role: "node", hosts });
    });
    const clients = plan.clients.map(({ name, role }) =>
      leaf(plan, issuer, { file: `client-${name}`, name, role, hosts: [] }),
    );
    return [credential, ...nodes, ...clients];
  } catch (error) {
    if (error instanceof LogError) throw error;
    const { message } = error as Error;
    throw new LogError("bad-configuration", `credentials in ${plan.directory}: ${message}`, { cause: error });
  }
}

function authorityIn({ directory, days }: CredentialsPlan): { issuer: Issuer; credential: Credential } {
  const files = filesOf(directory, "ca");
  const there = [files.certificate, files.key].filter((file) => fs.existsSync(file));
  const shared = { name: "authority", role: "authority", ...files } as const;
  if (there.length === 1)
    throw new LogError(
      "bad-configuration",
      `${there[0]} is there without its other half: bring back ${files.certificate} and ${files.key}, or name another directory`,
    );
  if (there.length === 2) {
    const certificate = new X509Certificate(fs.readFileSync(files.certificate));
    const key = createPrivateKey(fs.readFileSync(files.key));
    if (!certificate.checkPrivateKey(key))
      throw new LogError("bad-configuration", `${files.key} is not the key of ${files.certificate}`);
    return { issuer: { key, certificate }, credential: { ...shared, made: false } };
  }
  const pair = newKey();
  // Two authorities never have one name: a client that trusts both must find the right one.
  const name = `authority ${randomBytes(4).toString("hex")}`;
  const plan = planOf({ name, role: "authority", hosts: [] }, Math.max(days, authorityDays));
  const pem = makeCertificate(plan, pair.publicKey, { key: pair.privateKey, certificate: undefined });
  write(files, pem, pair.privateKey);
  const issuer = { key: pair.privateKey, certificate: new X509Certificate(pem) };
  return { issuer, credential: { ...shared, made: true } };
}

interface Holder {
  readonly name: string;
  readonly role: Credential["role"];
  readonly hosts: readonly string[];
}

function leaf(plan: CredentialsPlan, issuer: Issuer, holder: Holder & { readonly file: string }): Credential {
  const files = filesOf(plan.directory, holder.file);
  const { name, role } = holder;
  const there = fs.existsSync(files.certificate) && fs.existsSync(files.key);
  if (there && !plan.renew) return { name, role, ...files, made: false };
  const pair = newKey();
  write(files, makeCertificate(planOf(holder, plan.days), pair.publicKey, issuer), pair.privateKey);
  return { name, role, ...files, made: true };
}

function planOf({ name, role, hosts }: Holder, days: number): CertificatePlan {
  const now = Date.now();
  const usage = role === "authority" || role === "node" ? role : "client";
  return {
    name,
    units: role === "authority" ? [] : [role],
    hosts,
    usage,
    notBefore: new Date(now - earlyMs),
    notAfter: new Date(now + days * dayMs),
  };
}

function newKey(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

interface Files {
  readonly certificate: string;
  readonly key: string;
}

function filesOf(directory: string, name: string): Files {
  return { certificate: path.join(directory, `${name}.pem`), key: path.join(directory, `${name}-key.pem`) };
}

/** The key first: a certificate without one is noticed, and made again. */
function write(files: Files, certificate: string, key: KeyObject): void {
  replace(files.key, key.export({ type: "pkcs8", format: "pem" }).toString(), 0o600);
  replace(files.certificate, certificate, 0o644);
}

function replace(file: string, text: string, mode: number): void {
  const next = `${file}.new`;
  fs.rmSync(next, { force: true });
  fs.writeFileSync(next, text, { mode, flag: "wx" });
  fs.renameSync(next, file);
}
