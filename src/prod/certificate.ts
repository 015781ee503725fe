import type { KeyObject, X509Certificate } from "node:crypto";
import { createHash, randomBytes, sign } from "node:crypto";
import * as net from "node:net";

/** What a certificate says. Units (OU) are the roles of `tls-identity.ts`. */
export interface CertificatePlan {
  readonly name: string;
  readonly units: readonly string[];
  /** Host names and addresses that the holder serves. */
  readonly hosts: readonly string[];
  readonly usage: "authority" | "node" | "client";
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Who signs: the holder itself when `certificate` is undefined. */
export interface Issuer {
  readonly key: KeyObject;
  readonly certificate: X509Certificate | undefined;
}

const organisation = "quorumlog";

/**
 * Makes an X.509 v3 certificate for an elliptic-curve key, signed with ECDSA and SHA-256. Node.js reads certificates
 * and makes none; what a cluster needs of RFC 5280 is these few fields in DER.
 * @returns PEM.
 */
export function makeCertificate(plan: CertificatePlan, publicKey: KeyObject, issuer: Issuer): string {
  const algorithm = sequence(oid("1.2.840.10045.4.3.2"));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const subject = nameOf(plan);
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    algorithm,
    issuer.certificate === undefined ? subject : subjectOf(issuer.certificate),
    sequence(time(plan.notBefore), time(plan.notAfter)),
    subject,
    spki,
    tlv(0xa3, sequence(...extensions(plan, spki, issuer))),
  );
  const signature = sign("sha256", body, { key: issuer.key, dsaEncoding: "der" });
  const whole = sequence(body, algorithm, bits(signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

// ---- DER: a tag, a length, the contents

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(parts);
  const { length } = contents;
  let head = [length];
  if (length > 0xff) head = [0x82, length >> 8, length & 0xff];
  else if (length > 0x7f) head = [0x81, length];
  return Buffer.concat([Buffer.from([tag, ...head]), contents]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => tlv(0x30, ...parts);
const octets = (...parts: readonly Uint8Array[]): Buffer => tlv(0x04, ...parts);
const bits = (bytes: Uint8Array, unused = 0): Buffer => tlv(0x03, Buffer.from([unused]), bytes);
const integer = (bytes: Uint8Array): Buffer => tlv(0x02, bytes);
const yes = tlv(0x01, Buffer.from([0xff]));

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tlv(0x06, Buffer.from(bytes));
}

/** RFC 5280 4.1.2.5: two digits of the year until 2049, four afterwards. */
function time(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, "");
  return at.getUTCFullYear() < 2050
    ? tlv(0x17, Buffer.from(text.slice(2), "latin1"))
    : tlv(0x18, Buffer.from(text, "latin1"));
}

/** Positive, and of 128 bits, so that no two are alike. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes;
}

function nameOf({ name, units }: CertificatePlan): Buffer {
  const part = (id: string, value: string): Buffer =>
    tlv(0x31, sequence(oid(id), tlv(0x0c, Buffer.from(value, "utf8"))));
  const parts = [part("2.5.4.10", organisation), ...units.map((unit) => part("2.5.4.11", unit))];
  return sequence(...parts, part("2.5.4.3", name));
}

/** The subject of a certificate, byte for byte: the sixth field of its body. */
function subjectOf(certificate: X509Certificate): Buffer {
  const der = certificate.raw;
  const body = contentsAt(der, contentsAt(der, 0).start);
  let at = body.start;
  for (let field = 0; field < 5; field++) at = contentsAt(der, at).end;
  return der.subarray(at, contentsAt(der, at).end);
}

function contentsAt(der: Buffer, at: number): { readonly start: number; readonly end: number } {
  const first = der.readUInt8(at + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
  const start = at + 2 + lengthBytes;
  return { start, end: start + length };
}

// ---- Extensions

function extensions(plan: CertificatePlan, spki: Buffer, issuer: Issuer): Buffer[] {
  const authority = plan.usage === "authority";
  const issuerSpki = issuer.certificate?.publicKey.export({ type: "spki", format: "der" }) ?? spki;
  const list = [
    extension("2.5.29.19", true, authority ? sequence(yes) : sequence()),
    // keyCertSign and cRLSign, or digitalSignature.
    extension("2.5.29.15", true, authority ? bits(Buffer.from([0x06]), 1) : bits(Buffer.from([0x80]), 7)),
    extension("2.5.29.14", false, octets(keyId(spki))),
    extension("2.5.29.35", false, sequence(tlv(0x80, keyId(issuerSpki)))),
  ];
  const clientAuth = oid("1.3.6.1.5.5.7.3.2");
  if (plan.usage === "node")
    list.push(extension("2.5.29.37", false, sequence(oid("1.3.6.1.5.5.7.3.1"), clientAuth)));
  if (plan.usage === "client") list.push(extension("2.5.29.37", false, sequence(clientAuth)));
  if (plan.hosts.length > 0) list.push(extension("2.5.29.17", false, sequence(...plan.hosts.map(hostName))));
  return list;
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [yes] : []), octets(value));
}

function keyId(spki: Buffer): Buffer {
  return createHash("sha1").update(spki).digest();
}

function hostName(host: string): Buffer {
  const kind = net.isIP(host);
  if (kind === 4) return tlv(0x87, Buffer.from(host.split(".").map(Number)));
  if (kind === 6) return tlv(0x87, addressBytes(host));
  return tlv(0x82, Buffer.from(host, "latin1"));
}

/** The 16 bytes of an IPv6 address. */
function addressBytes(host: string): Buffer {
  // What the URL parser gives has at most one "::", and no dotted end.
  const text = new URL(`http://[${host}]`).hostname.slice(1, -1);
  const [left = "", right] = text.split("::");
  const words = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [head, tail] = [words(left), words(right ?? "")];
  const zeros = new Array<string>(8 - head.length - tail.length).fill("0");
  const bytes = Buffer.alloc(16);
  [...head, ...zeros, ...tail].forEach((word, at) => {
    bytes.writeUInt16BE(Number.parseInt(word, 16), at * 2);
  });
  return bytes;
}
