import { expect } from "chai";
import fc from "fast-check";
import { groupId, nodeId } from "#core/base/brand";
import { ByteReader, ByteWriter } from "#core/base/bytes";
import { emptyLogEnd, encodeEntries } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import type { Hello } from "#core/node/peer-frame";
import {
  decodeFetch,
  decodeHello,
  decodeRefusal,
  encodeFetch,
  encodeHello,
  encodeRefusal,
  readFrameHeader,
} from "#core/node/peer-frame";
import { decodeRecords, encodeRecords } from "#core/node/repair";
import { decodeMessage } from "#core/raft/codec";

const group = groupId("g0");
const hex = (digits: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: digits, maxLength: digits })
    .map((all) => all.join(""));

const hello: fc.Arbitrary<Hello> = fc.record({
  from: fc.constantFrom("n0", "n1", "a.b_C").map(nodeId),
  versionLow: fc.nat({ max: 255 }),
  versionHigh: fc.nat({ max: 255 }),
  cluster: fc.oneof(fc.constant(""), hex(32)),
  incarnation: hex(16),
  stage: fc.constantFrom("empty", "adopted", "active", "wiped"),
  entryBodyBytesMax: fc.nat(),
  voters: fc.array(fc.constantFrom("n0", "n1", "a.b_C").map(nodeId), { maxLength: 7 }),
  peers: fc.array(fc.record({ node: fc.constantFrom("n1", "n2").map(nodeId), incarnation: hex(16) }), {
    maxLength: 7,
  }),
});

describe("frames between peers", () => {
  it("carry a hello there unchanged", () => {
    fc.assert(
      fc.property(hello, fc.constantFrom("hello" as const, "welcome" as const), (sent, type) => {
        const reader = new ByteReader(encodeHello(type, group, sent));
        expect(readFrameHeader(reader)).to.deep.equal({ type, group });
        expect(decodeHello(reader)).to.deep.equal(sent);
      }),
    );
  });

  it("carry refusals and fetches there unchanged", () => {
    const refusal = new ByteReader(
      encodeRefusal(group, { code: "wrong-cluster", message: "another ø cluster" }),
    );
    expect(readFrameHeader(refusal).type).to.equal("refuse");
    expect(decodeRefusal(refusal)).to.deep.equal({ code: "wrong-cluster", message: "another ø cluster" });
    const fetch = new ByteReader(encodeFetch(group, 7, 2 ** 40));
    expect(readFrameHeader(fetch).type).to.equal("fetch");
    expect(decodeFetch(fetch)).to.deep.equal({ first: 7, last: 2 ** 40 });
  });

  it("carry records that chain, and refuse one that was changed on the way", () => {
    const body = new Uint8Array([1, 2, 3]);
    const entries = encodeEntries(emptyLogEnd, 3, [
      { kind: "no-op", body: new Uint8Array(0), session: 0, sequence: 0 },
      { kind: "data", body, session: 9, sequence: 1 },
    ]);
    const frame = encodeRecords(new ByteWriter(), group, emptyLogEnd, entries);
    const reader = new ByteReader(frame);
    readFrameHeader(reader);
    const start = reader.position;
    const decoded = decodeRecords(reader);
    expect(decoded.before).to.deep.equal(emptyLogEnd);
    expect(decoded.entries.map((entry) => entry.chainCrc)).to.deep.equal(
      entries.map((entry) => entry.chainCrc),
    );
    for (let at = start + 28; at < frame.length; at++) {
      const bad = frame.slice();
      bad[at] = (bad[at] as number) ^ 1;
      const badReader = new ByteReader(bad);
      readFrameHeader(badReader);
      expect(() => decodeRecords(badReader), `byte ${at}`).to.throw(LogError);
    }
  });

  it("end in a typed error, never in another one, whatever bytes arrive", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 7 }), (bytes, type) => {
        const frame = new Uint8Array([1, type, 0, 2, 103, 48, ...bytes]);
        for (const decode of [decodeHello, decodeRefusal, decodeFetch, decodeRecords, decodeMessage]) {
          const reader = new ByteReader(frame);
          try {
            readFrameHeader(reader);
            decode(reader);
          } catch (error) {
            expect(error).to.be.instanceOf(LogError);
          }
        }
      }),
      { numRuns: 10_000 },
    );
  });

  it("of another version are refused by name", () => {
    expect(() => readFrameHeader(new ByteReader(new Uint8Array([9, 1, 0, 2, 103, 48]))))
      .to.throw(LogError)
      .with.property("code", "wrong-version");
  });
});
