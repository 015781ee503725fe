import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { anyRequest, anyResponse } from "#bench/soak/fuzz/client-messages";
import { groupId, nodeId } from "#core/base/brand";
import { ByteWriter } from "#core/base/bytes";
import { entryBodyBytesMax } from "#core/base/entry";
import { LogError } from "#core/base/errors";
import { defaultCommitLogLimits, frameItemsMax } from "#core/commitlog/limits";
import type { ClientRequest, ClientResponse, NodeStatus } from "#core/commitlog/protocol";
import { answerHello, errorOf, faultOf, runsOf } from "#core/commitlog/protocol";
import { decodeRequest, encodeRequest } from "#core/commitlog/request-codec";
import { decodeResponse, encodeResponse } from "#core/commitlog/response-codec";
import { frameBytesMax } from "#core/io/network";
import { anyStatus, goldenRequests, goldenResponses } from "./protocol-messages.ts";

function requestFrame(message: ClientRequest): Uint8Array {
  const w = new ByteWriter();
  encodeRequest(w, message);
  return w.finish();
}

function responseFrame(message: ClientResponse): Uint8Array {
  const w = new ByteWriter();
  encodeResponse(w, message);
  return w.finish();
}

/** Whatever decodes is a message: it encodes, and decodes again. Whatever does not is refused by a typed fault. */
function decodesOrRefuses<T>(
  decode: (frame: Uint8Array) => T,
  encode: (message: T) => Uint8Array,
  frame: Uint8Array,
): void {
  let message: T;
  try {
    message = decode(frame);
  } catch (error) {
    expect(error).to.be.instanceOf(LogError);
    expect((error as LogError).code).to.be.oneOf(["malformed-frame", "wrong-version"]);
    return;
  }
  const again = decode(encode(message));
  expect((again as { type: string }).type).to.equal((message as { type: string }).type);
}

const hello: ClientRequest & { type: "client-hello" } = {
  type: "client-hello",
  requestId: 9,
  versionLow: 1,
  versionHigh: 3,
  group: groupId("g0"),
  cluster: "",
  name: "",
  token: "",
};
const self = {
  node: nodeId("n0"),
  group: groupId("g0"),
  cluster: "c1",
  incarnation: "i",
  leader: nodeId("n1"),
  leaderAddress: "h:1",
  limits: { entryBodyBytesMax: 1, appendEntriesMax: 2, appendBytesMax: 3, inFlightMax: 4 },
};

describe("client protocol codec", () => {
  it("decodes every request to what was encoded", () => {
    fc.assert(
      fc.property(anyRequest, (m) => {
        expect(decodeRequest(requestFrame(m))).to.deep.equal(m);
      }),
    );
  });

  it("decodes every response to what was encoded", () => {
    fc.assert(
      fc.property(anyResponse, (m) => {
        expect(decodeResponse(responseFrame(m))).to.deep.equal(m);
      }),
    );
  });

  it("refuses every cut and every extension of a frame", () => {
    fc.assert(
      fc.property(anyRequest, anyResponse, fc.uint8Array({ minLength: 1, maxLength: 9 }), (m, n, more) => {
        for (const [frame, decode] of [
          [requestFrame(m), decodeRequest],
          [responseFrame(n), decodeResponse],
        ] as const) {
          for (let length = 0; length < frame.length; length++) {
            expect(() => decode(frame.slice(0, length)))
              .to.throw(LogError)
              .with.property("code", "malformed-frame");
          }
          const longer = new Uint8Array([...frame, ...more]);
          expect(() => decode(longer))
            .to.throw(LogError)
            .with.property("code", "malformed-frame");
        }
      }),
      { numRuns: 60 },
    );
  });

  it("never fails otherwise than by a typed fault, whatever bytes come in", () => {
    const flips = fc.array(fc.tuple(fc.nat(4_000), fc.nat(255)), { minLength: 1, maxLength: 4 });
    const garbage = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(anyRequest, anyResponse, flips, garbage, (m, n, changes, noise) => {
        for (const good of [requestFrame(m), responseFrame(n), noise]) {
          const frame = good.slice();
          for (const [at, value] of changes) frame[at % Math.max(1, frame.length)] = value;
          decodesOrRefuses(decodeRequest, requestFrame, frame);
          decodesOrRefuses(decodeResponse, responseFrame, frame);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("does not take a response for a request, nor the other way", () => {
    fc.assert(
      fc.property(anyRequest, anyResponse, (m, n) => {
        expect(() => decodeRequest(responseFrame(n))).to.throw(LogError, "in this direction");
        expect(() => decodeResponse(requestFrame(m))).to.throw(LogError, "in this direction");
      }),
    );
  });

  it("checks a count against the frame before it allocates for it", () => {
    const frame = requestFrame(goldenRequests["append"] as ClientRequest);
    frame.fill(0xff, 8 + 16, 8 + 20);
    expect(() => decodeRequest(frame)).to.throw(LogError, "4294967295 items");
  });

  it("refuses more bodies than any append may have, though the frame holds them", () => {
    const append = (count: number): Uint8Array => {
      const bodies = new Array<Uint8Array>(count).fill(new Uint8Array(0));
      return requestFrame({ type: "append", requestId: 1, session: 0, firstSequence: 0, bodies });
    };
    expect(decodeRequest(append(frameItemsMax)))
      .to.have.property("bodies")
      .with.length(frameItemsMax);
    expect(() => decodeRequest(append(frameItemsMax + 1))).to.throw(LogError, "where 65536 are allowed");
  });

  it("refuses a session without a sequence, a sequence without a session, and an append of nothing", () => {
    const append = (session: number, firstSequence: number, bodies: Uint8Array[]): Uint8Array =>
      requestFrame({ type: "append", requestId: 1, session, firstSequence, bodies });
    const body = new Uint8Array(1);
    for (const frame of [append(1, 0, [body]), append(0, 1, [body]), append(1, 1, [])]) {
      expect(() => decodeRequest(frame))
        .to.throw(LogError)
        .with.property("code", "malformed-frame");
    }
    expect(() => decodeRequest(append(1, Number.MAX_SAFE_INTEGER, [body]))).to.throw(LogError);
  });

  it("refuses a frame of another version by name", () => {
    const frame = requestFrame(hello);
    frame[2] = 2;
    expect(() => decodeRequest(frame))
      .to.throw(LogError)
      .with.property("code", "wrong-version");
  });

  it("carries an entry of exactly the limit, and the largest batch and tail, within one frame", () => {
    const body = new Uint8Array(entryBodyBytesMax).fill(7);
    const one = requestFrame({ type: "append", requestId: 1, session: 1, firstSequence: 1, bodies: [body] });
    const decoded = decodeRequest(one);
    expect(decoded.type === "append" && decoded.bodies[0]?.length).to.equal(entryBodyBytesMax);
    const { appendEntriesMax, appendBytesMax, tailEntriesMax, tailBytesMax } = defaultCommitLogLimits;
    const share = new Uint8Array(appendBytesMax / appendEntriesMax);
    const bodies = new Array<Uint8Array>(appendEntriesMax).fill(share);
    const batch = requestFrame({ type: "append", requestId: 1, session: 1, firstSequence: 1, bodies });
    expect(batch.length).to.be.at.most(frameBytesMax);
    const part = new Uint8Array(tailBytesMax / tailEntriesMax);
    const entries = Array.from({ length: tailEntriesMax }, (_, index) => ({ index, term: 1, body: part }));
    const tail = responseFrame({ type: "entries", requestId: 1, next: 9, commitIndex: 9, entries });
    expect(tail.length).to.be.at.most(frameBytesMax);
  });

  it("clips a long message of a fault, so that every fault fits", () => {
    const fault = faultOf(1, new LogError("timeout", "x".repeat(10_000)));
    const decoded = decodeResponse(responseFrame(fault));
    expect(decoded.type === "fault" && decoded.message.length).to.equal(256);
  });

  it("tells a node's intake to clients that know of it, and a flag to those of version 1", () => {
    const told = (status: Partial<NodeStatus>, version: number): unknown => {
      const w = new ByteWriter();
      encodeResponse(
        w,
        { type: "status-report", requestId: 1, status: { ...anyStatus, ...status } },
        version,
      );
      const decoded = decodeResponse(w.finish());
      return decoded.type === "status-report" && [decoded.status.intake, decoded.status.readOnly];
    };
    for (const intake of ["open", "read-only", "full"] as const) {
      expect(told({ intake }, 2)).to.deep.equal([intake, intake === "read-only"]);
      expect(told({ intake }, 1)).to.deep.equal(intake === "open" ? ["open", false] : ["read-only", true]);
    }
  });

  it("writes and reads the frames of version 1 byte for byte", () => {
    const golden = (name: string): Uint8Array =>
      new Uint8Array(readFileSync(new URL(`../../golden/client-protocol/v1-${name}.bin`, import.meta.url)));
    for (const [name, message] of Object.entries(goldenRequests)) {
      expect(requestFrame(message), name).to.deep.equal(golden(name));
      expect(decodeRequest(golden(name)), name).to.deep.equal(message);
    }
    for (const [name, message] of Object.entries(goldenResponses)) {
      expect(responseFrame(message), name).to.deep.equal(golden(name));
      expect(decodeResponse(golden(name)), name).to.deep.equal(message);
    }
  });
});

describe("client handshake", () => {
  it("settles on the highest version that both speak", () => {
    const answer = answerHello(hello, self);
    expect(answer).to.deep.equal({ type: "server-hello", requestId: 9, version: 2, ...self });
    expect(answerHello({ ...hello, versionHigh: 1 }, self)).to.include({ type: "server-hello", version: 1 });
  });

  it("refuses by name what does not match, and tells the leader all the same", () => {
    const code = (change: Partial<typeof hello>): string => {
      const answer = answerHello({ ...hello, ...change }, self);
      return answer.type === "fault" ? `${answer.code} ${answer.leader}` : answer.type;
    };
    expect(code({ versionLow: 3 })).to.equal("wrong-version n1");
    expect(code({ versionLow: 0, versionHigh: 0 })).to.equal("wrong-version n1");
    expect(code({ group: groupId("g1") })).to.equal("unknown-group n1");
    expect(code({ cluster: "c2" })).to.equal("wrong-cluster n1");
    expect(code({ cluster: "c1" })).to.equal("server-hello");
  });

  it("carries code, retry and message of an error through a fault", () => {
    const error = errorOf(faultOf(1, new LogError("disk-full", "no room", { retry: "never" })));
    expect([error.code, error.retry, error.message]).to.deep.equal(["disk-full", "never", "no room"]);
  });
});

describe("runs of indexes", () => {
  it("hold consecutive indexes of one term and give every index back in order", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 40 }), (picks) => {
        const indexes = [...new Set(picks)].sort((a, b) => a - b);
        const term = (index: number): number => Math.floor(index / 7);
        const back = runsOf(indexes, term).flatMap((run) =>
          Array.from({ length: run.count }, (_, i) => {
            expect(term(run.first + i)).to.equal(run.term);
            return run.first + i;
          }),
        );
        expect(back).to.deep.equal(indexes);
      }),
    );
    expect(runsOf([4, 5, 6, 9], () => 2)).to.deep.equal([
      { first: 4, count: 3, term: 2 },
      { first: 9, count: 1, term: 2 },
    ]);
  });
});
