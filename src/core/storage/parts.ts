import type { Entry } from "../base/entry.ts";

/** The records' bytes as views into their blocks: neighbours of one block are one part, and nothing is copied. */
export function recordParts(entries: readonly Entry[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let block: Uint8Array | undefined;
  let from = 0;
  let to = 0;
  for (const entry of entries) {
    if (entry.block !== block || entry.offset !== to) {
      if (block !== undefined) parts.push(block.subarray(from, to));
      block = entry.block;
      from = entry.offset;
    }
    to = entry.offset + entry.size;
  }
  if (block !== undefined) parts.push(block.subarray(from, to));
  return parts;
}
