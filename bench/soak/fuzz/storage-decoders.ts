import fc from "fast-check";
import { ByteWriter, getU32, getU64, putU32, putU64 } from "#core/base/bytes";
import { crc32c, crcOf, crcStart, crcUpdate, crcUpdateU32 } from "#core/base/crc32c";
import type { LogEnd } from "#core/base/entry";
import { decodeEntry, recordHeaderBytes } from "#core/base/entry";
import { decodeBatchHeader, directorySeed, encodeBatchHeader, placeSeed } from "#core/storage/batch";
import { positionOf } from "#core/storage/format";
import { decodeIdentity, encodeIdentity, stages } from "#core/storage/identity";
import { decodeSlot, encodeSlot } from "#core/storage/meta";
import { decodeSegmentHeader, encodeSegmentHeader } from "#core/storage/segment";
import type { Decoder } from "./decoder.ts";
import { chained, group, hex, index, logEnd, node, u32, u53 } from "./generators.ts";

const directory = directorySeed("0123456789abcdef");
const segment = 3;
const position = positionOf(segment, 4_096);
const slot = 1;

/** The end before a record stands before it in the input: index + 1, term, chainCrc, pos. */
const endBytes = 28;

function readEnd(input: Uint8Array): LogEnd {
  return {
    index: getU64(input, 0) - 1,
    term: getU64(input, 8),
    chainCrc: getU32(input, 16),
    pos: getU64(input, 20),
  };
}

const entryRecord: Decoder = {
  name: "entry-record",
  valid: chained.map(({ end, entries }) => {
    const w = new ByteWriter();
    w.index(end.index).u64(end.term).u32(end.chainCrc).u64(end.pos);
    const first = entries[0];
    if (first !== undefined) w.raw(first.block, first.offset, first.offset + first.size);
    return w.finish();
  }),
  seal: (input) => {
    if (input.length < endBytes + recordHeaderBytes) return;
    const { index: before, pos, chainCrc } = readEnd(input);
    if (Number.isNaN(before) || Number.isNaN(pos)) return;
    const at = endBytes;
    const end = Math.min(input.length, at + Math.max(recordHeaderBytes, getU32(input, at + 4)));
    putU64(input, at + 8, before + 1);
    putU64(input, at + 24, pos);
    putU32(input, at + 32, 0);
    putU32(input, at + 40, crcOf(crcUpdate(crcStart, input, at + recordHeaderBytes, end)));
    const fields = crcUpdate(crcUpdateU32(crcStart, chainCrc), input, at, at + 36);
    putU32(input, at + 36, crcOf(crcUpdate(fields, input, at + 40, at + 48)));
  },
  decode: (input) => {
    if (input.length < endBytes) return undefined;
    const entry = decodeEntry(input, endBytes, input.length, readEnd(input));
    return typeof entry === "string" ? undefined : entry;
  },
  codes: [],
};

/** Magic, then the checksum of what follows it. */
function sealer(bytes: number, seed: number): (input: Uint8Array) => void {
  return (input) => {
    if (input.length >= bytes) putU32(input, 4, crc32c(input, 8, bytes, seed));
  };
}

const batchHeader: Decoder = {
  name: "batch-header",
  valid: fc
    .record({
      generation: u32,
      previous: logEnd,
      count: u32,
      payloadBytes: u32,
      paddingBytes: fc.nat(63),
      syncedPosition: u53,
    })
    .map((header) => encodeBatchHeader(header, directory, position)),
  seal: sealer(64, placeSeed(directory, position)),
  decode: (input) => decodeBatchHeader(input, 0, directory, position),
  codes: ["wrong-version"],
};

const segmentHeader: Decoder = {
  name: "segment-header",
  valid: fc
    .record({
      generation: u32,
      previous: logEnd,
      syncedPosition: u53,
      fileBytes: u32,
      cluster: fc.oneof(fc.constant(""), hex(32)),
      group,
      node,
      incarnation: hex(16),
      voters: fc.array(node, { maxLength: 7 }),
    })
    .map((header) => encodeSegmentHeader({ ...header, number: segment }, directory)),
  seal: sealer(4_096, placeSeed(directory, positionOf(segment, 0))),
  decode: (input) => decodeSegmentHeader(input, 0, directory, segment),
  codes: ["wrong-version"],
};

const metaSlot: Decoder = {
  name: "meta-slot",
  valid: fc
    .record({
      sequence: u53,
      meta: fc.record({
        term: u53,
        votedFor: fc.oneof(fc.constant("" as const), node),
        peers: fc.array(fc.record({ node, incarnation: hex(16) }), { maxLength: 16 }),
      }),
      cut: fc.record({
        position: u53,
        generation: u32,
        previous: fc.record({ index, term: u53, chainCrc: u32, pos: u53 }),
      }),
    })
    .map((record) => encodeSlot(record, directory, slot)),
  seal: sealer(4_096, placeSeed(directory, slot)),
  decode: (input) => decodeSlot(input, directory, slot),
  codes: ["wrong-version", "damaged"],
};

const identity: Decoder = {
  name: "identity",
  valid: fc
    .record({
      formatVersion: fc.constant(1),
      cluster: fc.oneof(fc.constant(""), hex(32)),
      group,
      node,
      incarnation: hex(16),
      voters: fc.array(node, { maxLength: 7 }),
      stage: fc.constantFrom(...stages),
    })
    .map(encodeIdentity),
  words: [
    "\n",
    "=",
    ",",
    "\nnode=",
    "\nvoters=",
    "\nstage=active",
    "\ncrc32c=",
    "\u0000",
    "é",
    "n0,,n1",
    "/../",
  ].map((word) => new TextEncoder().encode(word)),
  seal: (input) => {
    // `crc32c=` and eight digits and the line's end stand last.
    const at = input.length - "crc32c=00000000\n".length;
    if (at < 0) return;
    // The checksum is that of the text, in which bytes that are no UTF-8 are another character.
    const text = new TextEncoder().encode(new TextDecoder().decode(input.subarray(0, at)));
    const crc = crc32c(text).toString(16).padStart(8, "0");
    input.set(new TextEncoder().encode(`crc32c=${crc}\n`), at);
  },
  decode: decodeIdentity,
  codes: ["damaged", "wrong-version"],
};

export const storageDecoders: readonly Decoder[] = [
  entryRecord,
  batchHeader,
  segmentHeader,
  metaSlot,
  identity,
];
