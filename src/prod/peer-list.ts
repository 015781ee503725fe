import { nodeId } from "../core/base/brand.ts";
import { LogError } from "../core/base/errors.ts";
import type { PeerAddress } from "../core/node/config.ts";

const peerPattern = /^([A-Za-z0-9][A-Za-z0-9._]{0,31})-(\[[^\]]+\]|[^\s:;[\]]+):(\d{1,5})$/;

export const peerListAllowed = 'id-host:port for each voter, with ";" between them, ports from 1 to 65535';

/**
 * DLedger's list of peers: `n0-127.0.0.1:40911;n1-127.0.0.1:40912`. A `;` at the end is let pass.
 * @returns undefined when the text is none.
 */
export function parsePeers(text: string): PeerAddress[] | undefined {
  const peers: PeerAddress[] = [];
  for (const part of text.trim().replace(/;$/, "").split(";")) {
    const match = peerPattern.exec(part.trim());
    const [, id, host, port] = match ?? [];
    if (id === undefined || host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
    peers.push({ node: nodeId(id), address: `${host}:${Number(port)}` });
  }
  return peers;
}

/** @throws LogError bad-configuration. */
export function checkedPeers(text: string): PeerAddress[] {
  const peers = parsePeers(text);
  if (peers !== undefined) return peers;
  throw new LogError("bad-configuration", `peers is ${JSON.stringify(text)}; allowed: ${peerListAllowed}`);
}
