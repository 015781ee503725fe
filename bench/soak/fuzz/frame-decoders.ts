import fc from "fast-check";
import { ByteReader, ByteWriter } from "#core/base/bytes";
import type { FaultCode } from "#core/base/errors";
import { faultCodes, LogError } from "#core/base/errors";
import { decodeRequest, encodeRequest } from "#core/commitlog/request-codec";
import { decodeResponse, encodeResponse } from "#core/commitlog/response-codec";
import type { Hello } from "#core/node/peer-frame";
import {
  beginFrame,
  decodeFetch,
  decodeHello,
  decodeRefusal,
  encodeFetch,
  encodeHello,
  encodeRefusal,
  readFrameHeader,
} from "#core/node/peer-frame";
import { decodeRecords, encodeRecords } from "#core/node/repair";
import { decodeMessage, encodeMessage } from "#core/raft/codec";
import type { Message } from "#core/raft/message";
import { stages } from "#core/storage/identity";
import { decodeFrames, encodeFrames } from "#prod/frame-codec";
import { FrameParser } from "#prod/frame-socket";
import { decodeAnswer, encodeAnswer } from "#prod/greeting";
import { anyRequest, anyResponse } from "./client-messages.ts";
import type { Decoder } from "./decoder.ts";
import { chained, group, hex, index, node, u32, u53 } from "./generators.ts";

const frameCodes: readonly FaultCode[] = ["malformed-frame", "wrong-version"];

const hello: fc.Arbitrary<Hello> = fc.record({
  from: node,
  versionLow: fc.nat(255),
  versionHigh: fc.nat(255),
  cluster: fc.oneof(fc.constant(""), hex(32)),
  incarnation: hex(16),
  stage: fc.constantFrom(...stages),
  entryBodyBytesMax: u32,
  voters: fc.array(node, { maxLength: 7 }),
  peers: fc.array(fc.record({ node, incarnation: hex(16) }), { maxLength: 7 }),
});

const flag = fc.boolean();
const of = <T extends Message["type"]>(type: T): fc.Arbitrary<T> => fc.constant(type);

const message: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ chain: chained, later: fc.nat(3), commitIndex: index }).map(
      ({ chain: { end, entries }, later, commitIndex }): Message => ({
        type: "append-entries",
        term: (entries[entries.length - 1]?.term ?? end.term) + later,
        prevIndex: end.index,
        prevTerm: end.term,
        prevChainCrc: end.chainCrc,
        prevPos: end.pos,
        commitIndex,
        entries,
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: of("append-entries-result"),
      term: u53,
      accepted: flag,
      matchIndex: index,
      rejectedIndex: index,
      hintIndex: index,
      hintTerm: u53,
    }),
  },
  fc.record({ type: of("pre-vote"), term: u53, lastIndex: index, lastTerm: u53 }),
  fc.record({ type: of("pre-vote-result"), term: u53, granted: flag }),
  fc.record({ type: of("request-vote"), term: u53, lastIndex: index, lastTerm: u53, transfer: flag }),
  fc.record({ type: of("request-vote-result"), term: u53, granted: flag }),
  fc.record({ type: of("heartbeat"), term: u53, commitIndex: index, round: u53 }),
  fc.record({ type: of("heartbeat-result"), term: u53, round: u53, matchIndex: index }),
  fc.record({ type: of("timeout-now"), term: u53 }),
  fc.record({ type: of("read-index"), term: u53, request: u53 }),
  fc.record({ type: of("read-index-result"), term: u53, request: u53, index }),
);

const peerFrames: fc.Arbitrary<Uint8Array> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ group, message }).map((frame) => {
      const w = beginFrame(new ByteWriter(), "raft", frame.group);
      encodeMessage(w, frame.message);
      return w.finish();
    }),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ type: fc.constantFrom("hello" as const, "welcome" as const), group, hello })
      .map((frame) => encodeHello(frame.type, frame.group, frame.hello)),
  },
  fc
    .record({
      group,
      code: fc.constantFrom(...(Object.keys(faultCodes) as FaultCode[])),
      message: fc.string({ maxLength: 80 }),
    })
    .map((frame) => encodeRefusal(frame.group, frame)),
  fc
    .record({ group, first: fc.nat(), more: fc.nat() })
    .map((f) => encodeFetch(f.group, f.first, f.first + f.more)),
  {
    weight: 2,
    arbitrary: fc
      .record({ group, chain: chained })
      .map((frame) => encodeRecords(new ByteWriter(), frame.group, frame.chain.end, frame.chain.entries)),
  },
);

/** Reads a frame as `core/node/links.ts` and `group.ts` do, all types on one connection. */
function decodePeerFrame(input: Uint8Array): unknown {
  const reader = new ByteReader(input);
  const { type } = readFrameHeader(reader);
  switch (type) {
    case "hello":
    case "welcome":
      return decodeHello(reader);
    case "refuse":
      return decodeRefusal(reader);
    case "fetch":
      return decodeFetch(reader);
    case "records":
      return decodeRecords(reader);
    case "raft": {
      const decoded = decodeMessage(reader);
      reader.done();
      return decoded;
    }
  }
}

const peerFrame: Decoder = {
  name: "peer-frame",
  valid: peerFrames,
  decode: decodePeerFrame,
  codes: frameCodes,
};

/** Many small things, of which each costs more in memory than in its frame. */
const many = fc.integer({ min: 1, max: 3_000 });
const empty = new Uint8Array(0);

const clientRequest: Decoder = {
  name: "client-request",
  valid: fc
    .oneof(
      { weight: 30, arbitrary: anyRequest },
      many.map((count) => {
        const bodies = new Array<Uint8Array>(count).fill(empty);
        return { type: "append" as const, requestId: 1, session: 0, firstSequence: 0, bodies };
      }),
    )
    .map((request) => {
      const w = new ByteWriter();
      encodeRequest(w, request);
      return w.finish();
    }),
  decode: decodeRequest,
  codes: frameCodes,
};

const clientResponse: Decoder = {
  name: "client-response",
  valid: fc
    .oneof(
      { weight: 30, arbitrary: anyResponse },
      many.map((count) => {
        const entries = Array.from({ length: count }, (_, at) => ({ index: at, term: 1, body: empty }));
        return { type: "entries" as const, requestId: 1, next: count, commitIndex: count, entries };
      }),
    )
    .map((response) => {
      const w = new ByteWriter();
      encodeResponse(w, response);
      return w.finish();
    }),
  decode: decodeResponse,
  codes: frameCodes,
};

/** What a gRPC message carries: frames behind each other. */
const frameBatch: Decoder = {
  name: "frame-batch",
  valid: fc
    .oneof(
      { weight: 10, arbitrary: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }) },
      many.map((count) => new Array<Uint8Array>(count).fill(new Uint8Array(1))),
    )
    .map((frames) => new Uint8Array(encodeFrames(frames))),
  decode: decodeFrames,
  codes: ["malformed-frame", "frame-too-large"],
};

/** What comes in on a connection behind its greeting: frames, each behind its length, and a word at the end. */
const frameStream: Decoder = {
  name: "frame-stream",
  valid: fc
    .tuple(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.constantFrom([], [255, 255, 255, 254], [255, 255, 255, 255]),
    )
    .map(([frames, word]) => {
      const w = new ByteWriter();
      for (const frame of frames) w.bytes(frame);
      for (const byte of word) w.u8(byte);
      return w.finish();
    }),
  decode: (bytes) => {
    const parser = new FrameParser(() => undefined);
    for (const half of [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)])
      if (parser.push(half) === "broken") throw new LogError("frame-too-large", "no frame is as large");
    return parser.reason;
  },
  codes: ["frame-too-large"],
};

/** The answer to a greeting. */
const greetingAnswer: Decoder = {
  name: "greeting-answer",
  valid: fc
    .tuple(fc.constantFrom("welcome", "refused", "not-understood"), fc.string({ maxLength: 300 }))
    .map(([verdict, why]) => encodeAnswer(verdict, why)),
  decode: decodeAnswer,
  codes: ["malformed-frame", "wrong-version"],
};

export const frameDecoders: readonly Decoder[] = [
  peerFrame,
  clientRequest,
  clientResponse,
  frameBatch,
  frameStream,
  greetingAnswer,
];
