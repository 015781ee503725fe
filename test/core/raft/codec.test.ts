import { expect } from "chai";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "#core/base/bytes";
import { emptyLogEnd, encodeEntries, endOf } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { decodeMessage, encodeMessage } from "#core/raft/codec";
import type { AppendEntries, Message } from "#core/raft/message";
import { appendFrom, content, makeLog } from "../../support/raft-machine.ts";

function encode(message: Message): Uint8Array {
  const writer = new ByteWriter();
  encodeMessage(writer, message);
  return writer.finish();
}

function decode(frame: Uint8Array): Message {
  const reader = new ByteReader(frame);
  const message = decodeMessage(reader);
  reader.done();
  return message;
}

/** Entries without where their bytes lie. */
function plain(message: Message): unknown {
  if (message.type !== "append-entries") return message;
  const entries = message.entries.map(({ block, offset, size, ...rest }) => ({
    ...rest,
    bytes: [...block.subarray(offset, offset + size)],
  }));
  return { ...message, entries };
}

const number = fc.oneof(fc.nat(1_000), fc.maxSafeNat());
const index = fc.oneof(
  fc.integer({ min: -1, max: 1_000 }),
  fc.maxSafeNat().map((n) => Math.min(n, 2 ** 53 - 2)),
);
const flag = fc.boolean();
const of = <T extends Message["type"]>(type: T): fc.Arbitrary<T> => fc.constant(type);

const fixed: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: of("pre-vote"), term: number, lastIndex: index, lastTerm: number }),
  fc.record({
    type: of("pre-vote"),
    term: number,
    lastIndex: index,
    lastTerm: number,
    yields: fc.constant(true as const),
  }),
  fc.record({ type: of("pre-vote-result"), term: number, granted: flag }),
  fc.record({
    type: of("pre-vote-result"),
    term: number,
    granted: flag,
    objects: fc.constant(true as const),
  }),
  fc.record({ type: of("request-vote"), term: number, lastIndex: index, lastTerm: number, transfer: flag }),
  fc.record({ type: of("request-vote-result"), term: number, granted: flag }),
  fc.record({
    type: of("append-entries-result"),
    term: number,
    accepted: flag,
    matchIndex: index,
    rejectedIndex: index,
    hintIndex: index,
    hintTerm: number,
  }),
  fc.record({ type: of("heartbeat"), term: number, commitIndex: index, round: number }),
  fc.record({ type: of("heartbeat-result"), term: number, round: number, matchIndex: index }),
  fc.record({
    type: of("heartbeat-result"),
    term: number,
    round: number,
    matchIndex: index,
    intake: fc.constantFrom("read-only" as const, "full" as const),
  }),
  fc.record({ type: of("timeout-now"), term: number }),
  fc.record({ type: of("read-index"), term: number, request: number }),
  fc.record({ type: of("read-index-result"), term: number, request: number, index }),
);

const appends: fc.Arbitrary<AppendEntries> = fc
  .record({
    terms: fc
      .array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 })
      .map((list) => list.sort((a, b) => a - b)),
    prev: fc.nat(12),
    count: fc.nat(12),
    commitIndex: index,
    more: fc.nat(1_000),
    split: fc.boolean(),
  })
  .map(({ terms, prev, count, commitIndex, more, split }) => {
    // Either every entry has a block of its own or all share one.
    const log = split
      ? makeLog(terms)
      : encodeEntries(
          emptyLogEnd,
          5,
          terms.map((term, i) => content(`${i} ${term}`)),
        );
    return appendFrom(5 + more, log, Math.min(prev, log.length) - 1, commitIndex, count);
  });

describe("Raft's codec", () => {
  it("gives every message back as it was", () => {
    fc.assert(
      fc.property(fc.oneof(fixed, appends), (message) => {
        expect(plain(decode(encode(message)))).to.deep.equal(plain(message));
      }),
      { numRuns: 500 },
    );
  });

  it("leaves what follows the message to the caller", () => {
    const reader = new ByteReader(Uint8Array.from([...encode({ type: "timeout-now", term: 3 }), 7, 8]));
    expect(decodeMessage(reader)).to.deep.equal({ type: "timeout-now", term: 3 });
    expect(reader.remaining).to.equal(2);
  });

  it("lets all entries of a message share one block, which is the frame", () => {
    const frame = encode(appendFrom(5, makeLog([1, 2, 3]), -1));
    const message = decode(frame) as AppendEntries;
    expect(message.entries).to.have.length(3);
    for (const entry of message.entries) expect(entry.block).to.equal(frame);
  });

  it("copies only the records that the message carries out of a larger block", () => {
    const log = encodeEntries(emptyLogEnd, 1, [content("a"), content("b"), content("c"), content("d")]);
    const message = decode(encode(appendFrom(1, log, 0, -1, 2))) as AppendEntries;
    expect(plain(message)).to.deep.equal(plain(appendFrom(1, log, 0, -1, 2)));
  });

  it("refuses every truncated frame as malformed", () => {
    fc.assert(
      fc.property(fc.oneof(fixed, appends), fc.nat(), (message, at) => {
        const frame = encode(message);
        expect(() => decode(frame.slice(0, at % frame.length)))
          .to.throw(LogError)
          .with.property("code", "malformed-frame");
      }),
      { numRuns: 300 },
    );
  });

  it("answers random bytes with a typed error or a message, never with anything else", () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const kinds = fc.tuple(fc.nat(13), bytes).map(([kind, rest]) => Uint8Array.from([kind, ...rest]));
    fc.assert(
      fc.property(fc.oneof(bytes, kinds), (frame) => {
        try {
          const message = decodeMessage(new ByteReader(frame));
          expect(message.term).to.be.within(0, Number.MAX_SAFE_INTEGER);
        } catch (error) {
          expect(error).to.be.instanceOf(LogError).with.property("code", "malformed-frame");
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("finds a flipped bit in any record, and in what the records chain from", () => {
    const message = appendFrom(5, makeLog([1, 1, 2, 3]), 0);
    const frame = encode(message);
    const records = message.entries.reduce((sum, entry) => sum + entry.size, 0);
    fc.assert(
      fc.property(fc.nat(records - 1), fc.nat(7), (at, bit) => {
        const bad = frame.slice();
        const place = bad.length - records + at;
        bad[place] = (bad[place] as number) ^ (1 << bit);
        expect(() => decode(bad))
          .to.throw(LogError)
          .with.property("code", "malformed-frame");
      }),
    );
    // prevIndex, prevTerm may be larger than they are; chainCrc and position are bound to the records.
    for (const wrong of [
      { ...message, prevChainCrc: message.prevChainCrc ^ 1 },
      { ...message, prevIndex: 1 },
      { ...message, prevTerm: 4 },
    ]) {
      expect(() => decode(encode(wrong))).to.throw(LogError);
    }
  });

  it("refuses entries of a later term than their leader's", () => {
    expect(() => decode(encode(appendFrom(2, makeLog([1, 3]), -1)))).to.throw(LogError, /later term/);
    expect(() => decode(encode(appendFrom(2, makeLog([3]), 0)))).to.throw(LogError, /later term/);
  });

  it("refuses a chain before the first entry", () => {
    const first = appendFrom(2, makeLog([1]), -1, -1, 0);
    for (const change of [{ prevTerm: 1 }, { prevChainCrc: 1 }, { prevPos: 1 }]) {
      expect(() => decode(encode({ ...first, ...change }))).to.throw(LogError, /before the first/);
    }
  });

  it("refuses a count that the bytes cannot hold before it allocates, and bytes that no entry claims", () => {
    const frame = encode(appendFrom(1, makeLog([1, 1]), -1));
    const countAt = 1 + 8 + 8 + 8 + 4 + 8 + 8;
    const many = frame.slice();
    many.set([255, 255, 255, 255], countAt);
    expect(() => decode(many)).to.throw(LogError, /entries in/);
    const few = frame.slice();
    few[countAt + 3] = 1;
    expect(() => decode(few)).to.throw(LogError, /behind the last entry/);
  });

  it("chains decoded entries as the log does", () => {
    const log = makeLog([1, 2, 2]);
    const message = decode(encode(appendFrom(2, log, -1))) as AppendEntries;
    expect(message.entries.map((entry) => endOf(entry))).to.deep.equal(log.map((entry) => endOf(entry)));
  });
});
