import * as net from "node:net";
import { LogError } from "../core/base/errors.ts";
import type { Address } from "../core/io/network.ts";

/** @throws LogError bad-configuration unless the address is `host:port`. */
export function splitAddress(address: Address): { readonly host: string; readonly port: number } {
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(address);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || !(port <= 65_535))
    throw new LogError("bad-configuration", `not an address: ${address} (allowed: host:port)`);
  return { host: match[1], port };
}

/** Addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1)$/.test(host);
}

/** A name, or an address of IPv4 or IPv6 without a zone, as it may stand in a certificate. */
export function isHost(text: string): boolean {
  if (net.isIP(text) !== 0) return !text.includes("%");
  // What ends in a number is an address or a mistake.
  return (
    text.length <= 253 &&
    /^([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}$/.test(text) &&
    !/(^|\.)\d+$/.test(text)
  );
}
