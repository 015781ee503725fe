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
