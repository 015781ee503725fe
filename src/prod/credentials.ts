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
import { keptDifferences } from "./kept-certificate.ts";
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
 * or a node on another host, is to do the same again. Nothing is written when something is wrong.
 * @throws LogError bad-configuration when the directory cannot be used, holds half of an authority, or holds a
 *   certificate that does not say what is asked for.
 */
export function makeCredentials(plan: CredentialsPlan): readonly Credential[] {
  try {
    const holders = holdersOf(plan);
    makeDirectories(plan.directory);
    const authority = authorityIn(plan.directory);
    if (!plan.renew) checkKept(plan.directory, holders, authority?.certificate);
    const { issuer, credential } = authority ?? newAuthority(plan);
    return [credential, ...holders.map((holder) => leaf(plan, issuer, holder))];
  } catch (error) {
    if (error instanceof LogError) throw error;
    const { message } = error as Error;
    throw new LogError("bad-configuration", `credentials in ${plan.directory}: ${message}`, { cause: error });
  }
}

interface Holder {
  readonly name: string;
  readonly role: Credential["role"];
  readonly hosts: readonly string[];
}

interface Leaf extends Holder {
  /** Without its ending. */
  readonly file: string;
}

/** A client of such a name would have the file in which another's key is, in whichever order the two were made. */
export function clientNameFault(name: string): string | undefined {
  return /(^|-)key$/i.test(name)
    ? `no client is called ${name}: files that end in -key.pem hold keys`
    : undefined;
}

/** Each name once, and no file twice. */
function holdersOf({ peers, clients, hosts }: CredentialsPlan): readonly Leaf[] {
  const nodes = peers.map(({ node, address }): Leaf => {
    const own = [...new Set([splitAddress(address).host, ...hosts])];
    return {
      file: node.toLowerCase() === "ca" ? `node-${node}` : node,
      name: node,
      role: "node",
      hosts: own,
    };
  });
  const others = clients.map(({ name, role }): Leaf => ({ file: `client-${name}`, name, role, hosts: [] }));
  const holders = [...nodes, ...others];
  const files = new Set<string>();
  for (const { file, name } of holders) {
    const fault = others.some((one) => one.file === file) ? clientNameFault(name) : undefined;
    if (fault !== undefined) throw new LogError("bad-configuration", fault);
    if (files.has(file)) throw new LogError("bad-configuration", `${name} is given twice`);
    files.add(file);
  }
  return holders;
}

/** Whatever stays says what was asked for: a certificate with another role than the one reported would mislead. */
function checkKept(
  directory: string,
  holders: readonly Leaf[],
  authority: X509Certificate | undefined,
): void {
  const problems: string[] = [];
  for (const { file, name, role, hosts } of holders) {
    const files = filesOf(directory, file);
    if (!isThere(files)) continue;
    if (authority === undefined) {
      const { certificate, key } = filesOf(directory, "ca");
      const text = `${files.certificate} is there without its authority: bring back ${certificate} and ${key}, or make a new authority and all certificates anew with --renew`;
      throw new LogError("bad-configuration", text);
    }
    const found = keptDifferences(files, { name, unit: role, hosts }, authority);
    if (found.length === 0) continue;
    const todo = `ask for what it says, make it anew with --renew (and with it all that the command names), or remove ${files.certificate} and ${files.key}`;
    problems.push(`${found.join("; ")}: ${todo}`);
  }
  if (problems.length > 0) throw new LogError("bad-configuration", problems.join("\n"));
}

function isThere({ certificate, key }: Files): boolean {
  return fs.existsSync(certificate) && fs.existsSync(key);
}

interface Authority {
  readonly issuer: Issuer;
  readonly credential: Credential;
  readonly certificate: X509Certificate;
}

/** @returns undefined when the directory has none yet. */
function authorityIn(directory: string): Authority | undefined {
  const files = filesOf(directory, "ca");
  const there = [files.certificate, files.key].filter((file) => fs.existsSync(file));
  if (there.length === 0) return undefined;
  const todo = `bring back ${files.certificate} and ${files.key}, or name another directory`;
  const fault = (what: string, cause?: unknown): LogError =>
    new LogError("bad-configuration", `${what}: ${todo}`, { cause });
  if (there.length === 1) throw fault(`${there[0]} is there without its other half`);
  const read = <T>(file: string, what: string, decode: (bytes: Buffer) => T): T => {
    const bytes = fs.readFileSync(file);
    try {
      return decode(bytes);
    } catch (error) {
      throw fault(`${file} holds no ${what} that can be read`, error);
    }
  };
  const certificate = read(files.certificate, "certificate", (bytes) => new X509Certificate(bytes));
  const key = read(files.key, "private key", (bytes) => createPrivateKey(bytes));
  if (!certificate.checkPrivateKey(key)) throw fault(`${files.key} is not the key of ${files.certificate}`);
  if (!certificate.ca) throw fault(`${files.certificate} is no authority's`);
  const credential = { name: "authority", role: "authority", ...files, made: false } as const;
  return { issuer: { key, certificate }, credential, certificate };
}

function newAuthority({ directory, days }: CredentialsPlan): Authority {
  const files = filesOf(directory, "ca");
  const pair = newKey();
  // Two authorities never have one name: a client that trusts both must find the right one.
  const name = `authority ${randomBytes(4).toString("hex")}`;
  const plan = planOf({ name, role: "authority", hosts: [] }, Math.max(days, authorityDays));
  const pem = makeCertificate(plan, pair.publicKey, { key: pair.privateKey, certificate: undefined });
  write(files, pem, pair.privateKey);
  const certificate = new X509Certificate(pem);
  const credential = { name: "authority", role: "authority", ...files, made: true } as const;
  return { issuer: { key: pair.privateKey, certificate }, credential, certificate };
}

function leaf(plan: CredentialsPlan, issuer: Issuer, holder: Leaf): Credential {
  const files = filesOf(plan.directory, holder.file);
  const { name, role } = holder;
  if (!plan.renew && isThere(files)) return { name, role, ...files, made: false };
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
