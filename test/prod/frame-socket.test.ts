import { Writable } from "node:stream";
import { expect } from "chai";
import fc from "fast-check";
import { frameBytesMax } from "#core/io/network";
import { FrameParser, IncomingBudget, SocketDuplex } from "#prod/frame-socket";
import type { OutgoingFrame } from "#prod/frame-stream";
import { outgoing } from "#prod/frame-stream";

/** What a duplex writes to its socket. */
class Wire extends Writable {
  readonly bytes: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytes.push(Buffer.from(chunk));
    done();
  }
}

/** A frame whole, or cut into pieces, some of them empty. */
function pieces(frame: Uint8Array, n: number): OutgoingFrame {
  if (n % 3 === 0) return outgoing(frame);
  const cut = (frame.length * (n % 5)) >> 2;
  const later = Math.min(frame.length, cut + 5_000);
  return outgoing(frame.subarray(0, cut), [frame.subarray(cut, later), frame.subarray(later)]);
}

async function written(frames: readonly Uint8Array[], end: "end" | "cancel" | undefined): Promise<Buffer> {
  const wire = new Wire();
  const duplex = new SocketDuplex(wire as never, true);
  await new Promise<void>((resolve) => {
    if (frames.length === 0) resolve();
    else
      duplex.write(
        frames.map((frame, n) => pieces(frame, n)),
        resolve,
      );
  });
  if (end !== undefined) {
    const closed = new Promise((resolve) => wire.once("close", resolve));
    duplex[end]();
    await closed;
  }
  return Buffer.concat(wire.bytes);
}

const frames = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.integer({ min: 4_090, max: 4_102 }).map((length) => new Uint8Array(length).fill(length)),
    fc.integer({ min: 4_000, max: 70_000 }).map((length) => new Uint8Array(length).fill(length)),
    fc.integer({ min: 120_000, max: 700_000 }).map((length) => new Uint8Array(length).fill(length)),
  ),
  { maxLength: 12 },
);

describe("frames on a socket", () => {
  it("come out as they went in, however the bytes are cut", async () => {
    await fc.assert(
      fc.asyncProperty(frames, fc.array(fc.integer({ min: 1, max: 9_000 })), async (batch, cuts) => {
        const bytes = await written(batch, "end");
        const taken: Uint8Array[] = [];
        const parser = new FrameParser((frame) => taken.push(frame));
        let at = 0;
        let parsed = "more";
        for (const cut of [...cuts, bytes.length]) {
          if (at < bytes.length) parsed = parser.push(new Uint8Array(bytes.subarray(at, at + cut)));
          at += cut;
        }
        expect(parsed).to.equal("left");
        expect(parser.reason).to.equal("closed");
        expect(taken.length).to.equal(batch.length);
        for (const [n, frame] of taken.entries()) {
          expect(Buffer.compare(frame, batch[n] as Uint8Array)).to.equal(0);
          expect(Object.getPrototypeOf(frame)).to.equal(Uint8Array.prototype);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("end with a word, and without one the process is gone", async () => {
    const reasonAfter = (bytes: Uint8Array): string => {
      const parser = new FrameParser(() => undefined);
      parser.push(bytes);
      return parser.reason;
    };
    expect(reasonAfter(await written([Uint8Array.of(1)], undefined))).to.equal("reset");
    expect(reasonAfter(await written([Uint8Array.of(1)], "end"))).to.equal("closed");
    expect(reasonAfter(await written([Uint8Array.of(1)], "cancel"))).to.equal("protocol");
  });

  it("are nothing behind the word that ends them", async () => {
    const taken: Uint8Array[] = [];
    const parser = new FrameParser((frame) => taken.push(frame));
    const bytes = Buffer.concat([await written([], "cancel"), await written([Uint8Array.of(1)], "end")]);
    expect(parser.push(bytes)).to.equal("left");
    expect([parser.reason, taken.length]).to.deep.equal(["protocol", 0]);
  });

  const header = (length: number): Uint8Array => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(length);
    return bytes;
  };

  it("above the largest size are refused by their length alone, and nothing behind them counts", () => {
    expect(new FrameParser(() => undefined).push(header(frameBytesMax))).to.equal("more");
    for (const length of [frameBytesMax + 1, 0x7fff_ffff, 0xffff_fffd]) {
      const parser = new FrameParser(() => {
        throw new Error("no frame");
      });
      expect(parser.push(header(length)), String(length)).to.equal("broken");
      expect([parser.push(new Uint8Array(9)), parser.reason]).to.deep.equal(["left", "protocol"]);
    }
  });

  it("are as large as they like only behind a first one", () => {
    const limits = { budget: new IncomingBudget(1 << 20), firstBytesMax: 100 };
    const taken: number[] = [];
    const parser = (): FrameParser => new FrameParser((frame) => taken.push(frame.length), limits);
    expect(parser().push(header(101))).to.equal("broken");
    const second = parser();
    expect(second.push(Buffer.concat([header(1), Buffer.alloc(1), header(5_000)]))).to.equal("more");
    expect(second.push(new Uint8Array(5_000))).to.equal("more");
    expect(taken).to.deep.equal([1, 5_000]);
  });

  it("share the memory for what is still coming in, and give it back", () => {
    const budget = new IncomingBudget(10_000);
    const parser = (): FrameParser =>
      new FrameParser(() => undefined, { budget, firstBytesMax: frameBytesMax });
    const [first, second, third] = [parser(), parser(), parser()];
    // A length that is only claimed takes nothing.
    for (const one of [first, second, third]) one.push(header(frameBytesMax));
    expect(budget.available).to.equal(10_000);
    expect(first.push(new Uint8Array(1))).to.equal("more");
    expect(second.push(new Uint8Array(1))).to.equal("more");
    expect(budget.available).to.equal(10_000 - 2 * 4_096);
    expect(third.push(new Uint8Array(1))).to.equal("broken");
    first.release();
    expect(second.push(new Uint8Array(1_000))).to.equal("more");
    expect(second.push(new Uint8Array(4_000))).to.equal("broken");
    expect(budget.available).to.equal(10_000);
  });

  it("an exception of who takes them is not theirs", () => {
    const parser = new FrameParser(() => {
      throw new Error("an invariant");
    });
    expect(() => parser.push(Buffer.concat([header(1), Buffer.alloc(1)]))).to.throw("an invariant");
  });
});
