import type { KeyObject } from "node:crypto";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { CertificatePlan } from "#prod/certificate";
import { makeCertificate } from "#prod/certificate";
import type { TlsMaterial } from "#prod/tls-files";

export interface Holder {
  readonly certificate: string;
  readonly key: string;
}

const hour = 3_600_000;
export const past = new Date(Date.now() - 48 * hour);
export const yesterday = new Date(Date.now() - 24 * hour);
export const tomorrow = new Date(Date.now() + 24 * hour);
export const future = new Date(Date.now() + 48 * hour);

/** Signs certificates of every kind, good and bad. */
export class Authority {
  readonly certificate: string;
  private readonly privateKey: KeyObject;

  constructor(name = "authority") {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.privateKey = privateKey;
    const plan = planOf({ name, units: [], usage: "authority" });
    this.certificate = makeCertificate(plan, publicKey, { key: privateKey, certificate: undefined });
  }

  sign(plan: Partial<CertificatePlan>): Holder {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const issuer = { key: this.privateKey, certificate: new X509Certificate(this.certificate) };
    return { certificate: makeCertificate(planOf(plan), publicKey, issuer), key: pemOf(privateKey) };
  }

  node(name: string, plan: Partial<CertificatePlan> = {}): Holder {
    return this.sign({ name, units: ["node"], usage: "node", hosts: ["127.0.0.1"], ...plan });
  }

  client(role: string, plan: Partial<CertificatePlan> = {}): Holder {
    return this.sign({ name: "alice", units: [role], usage: "client", ...plan });
  }

  material(own?: Holder): TlsMaterial {
    return { ca: this.certificate, cert: own?.certificate, key: own?.key };
  }
}

export function selfSigned(plan: Partial<CertificatePlan>): Holder {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { key: privateKey, certificate: undefined };
  return { certificate: makeCertificate(planOf(plan), publicKey, issuer), key: pemOf(privateKey) };
}

function planOf(plan: Partial<CertificatePlan>): CertificatePlan {
  const dates = { notBefore: yesterday, notAfter: tomorrow };
  return { name: "n1", units: ["node"], hosts: [], usage: "client", ...dates, ...plan };
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Puts both files into a directory. */
export function save(
  directory: string,
  name: string,
  { certificate, key }: Holder,
): { cert: string; key: string } {
  const files = { cert: path.join(directory, `${name}.pem`), key: path.join(directory, `${name}-key.pem`) };
  fs.writeFileSync(files.cert, certificate);
  fs.writeFileSync(files.key, key);
  return files;
}
