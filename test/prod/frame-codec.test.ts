import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import { expect } from "chai";
import fc from "fast-check";
import { LogError } from "#core/base/errors";
import { decodeFrames, encodeFrames } from "#prod/frame-codec";

/** The declared method, whose codec is protobufjs. */
function declared(): { encode(frames: readonly Uint8Array[]): Buffer; decode(bytes: Buffer): Buffer[] } {
  const file = fileURLToPath(new URL("../../src/prod/proto/quorumlog.proto", import.meta.url));
  const service = loadSync(file, { defaults: true })["quorumlog.v1.Log"] as unknown as {
    readonly Session: {
      requestSerialize(value: { frames: readonly Uint8Array[] }): Buffer;
      requestDeserialize(bytes: Buffer): { frames: Buffer[] };
    };
  };
  return {
    encode: (frames) => service.Session.requestSerialize({ frames }),
    decode: (bytes) => service.Session.requestDeserialize(bytes).frames,
  };
}

const frames = fc.array(
  fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 100, maxLength: 40_000 })),
  {
    maxLength: 12,
  },
);

describe("the codec of frame batches", () => {
  const proto = declared();

  it("writes the bytes that the .proto file says", () => {
    fc.assert(
      fc.property(frames, (batch) => {
        expect(Buffer.compare(encodeFrames(batch), proto.encode(batch))).to.equal(0);
      }),
      { numRuns: 60 },
    );
  });

  it("reads back what it, or any other encoder of the .proto file, wrote", () => {
    fc.assert(
      fc.property(frames, (batch) => {
        const decoded = decodeFrames(proto.encode(batch));
        expect(decoded.length).to.equal(batch.length);
        for (const [at, frame] of decoded.entries()) {
          expect(Buffer.compare(frame, batch[at] as Uint8Array)).to.equal(0);
          expect(Object.getPrototypeOf(frame)).to.equal(Uint8Array.prototype);
        }
        expect(proto.decode(encodeFrames(batch)).length).to.equal(batch.length);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses any other bytes with a typed fault", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          const decoded = decodeFrames(bytes);
          // What passes is what an encoder could have written, but for overlong lengths.
          expect(decoded.reduce((sum, frame) => sum + frame.length, 0)).to.be.at.most(bytes.length);
        } catch (error) {
          expect(error).to.be.instanceOf(LogError);
          expect((error as LogError).code).to.be.oneOf(["malformed-frame", "frame-too-large"]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("refuses more frames than any queue sends", () => {
    const frames = (count: number): Buffer =>
      encodeFrames(new Array<Uint8Array>(count).fill(new Uint8Array(1)));
    expect(decodeFrames(frames(65_536))).to.have.length(65_536);
    expect(() => decodeFrames(frames(65_537))).to.throw(LogError, "more than 65536 frames");
  });

  it("refuses every message cut short, a length beyond the end, and one without end", () => {
    const whole = encodeFrames([new Uint8Array(300).fill(7)]);
    for (let cut = 1; cut < whole.length; cut++) {
      expect(() => decodeFrames(whole.subarray(0, cut)), `cut at ${cut}`).to.throw(LogError);
    }
    expect(() => decodeFrames(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]))).to.throw("no length");
    expect(() => decodeFrames(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]))).to.throw("at most");
  });
});
