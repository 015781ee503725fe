import * as fs from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { inputsShort, told } from "#bench/soak/fuzz";
import type { Decoder } from "#bench/soak/fuzz/decoder";
import { allDecoders, scratchFolder } from "#bench/soak/fuzz/decoders";
import type { FuzzTally } from "#bench/soak/fuzz/feed";
import { feed, newTally } from "#bench/soak/fuzz/feed";
import { Inputs } from "#bench/soak/fuzz/inputs";
import { LogError } from "#core/base/errors";

const seed = 1;

function fed(decoder: Decoder, from: number, to: number): FuzzTally {
  const tally = newTally(decoder.name);
  for (const _ of feed(decoder, { seed, from, to }, tally));
  return tally;
}

/** What is told of the first input that fails. */
function firstOf(decoder: Decoder): string | undefined {
  const tally = newTally(decoder.name);
  for (const _ of feed(decoder, { seed, from: 0, to: 5_000 }, tally)) if (tally.failures.length > 0) break;
  return tally.failures[0]?.what;
}

/** Takes what begins with 1, refuses the rest; `fault` decides about what holds a 7. */
function planted(fault: (input: Uint8Array) => unknown): Decoder {
  return {
    name: "planted",
    valid: fc.uint8Array({ minLength: 1, maxLength: 8, max: 9 }),
    decode: (input) => {
      if (input.includes(7)) return fault(input);
      if (input[0] !== 1) throw new LogError("malformed-frame", "not a 1");
      return input;
    },
    codes: ["malformed-frame"],
  };
}

describe("fuzzing, the short form of the soak", () => {
  const folder = scratchFolder();
  const decoders = allDecoders(folder);
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  for (const decoder of decoders) {
    it(`${decoder.name} answers ${inputsShort} inputs with a value or a typed error`, () => {
      const tally = fed(decoder, 0, inputsShort);
      expect(tally.failures).to.deep.equal([]);
      expect(tally.inputs).to.equal(inputsShort);
      // Neither all noise nor all as it should be.
      expect(tally.values).to.be.greaterThan(100);
      expect(tally.refused).to.be.greaterThan(1_000);
    });
  }

  it("takes the largest inputs that cost most for what they are, soon and within bounds", () => {
    const lines = Array.from({ length: 4_000 }, (_, n) => `unknown${n}=1`).join("\n");
    const peers = "n0-127.0.0.1:1;".repeat(60_000);
    const large: readonly (readonly [name: string, input: Uint8Array])[] = [
      ["configuration", Buffer.from(lines)],
      ["configuration", Buffer.from(`${"k".repeat(60_000)}=1`)],
      ["configuration", Buffer.from(`dLegerPeers=${peers}`.slice(0, 65_000))],
      ["configuration", Buffer.from("x\\\n".repeat(20_000))],
      ["peer-list", Buffer.from(peers)],
      ["identity", Buffer.alloc(65_536, "crc32c=")],
      ["frame-batch", Buffer.alloc(600_000, Buffer.from([10, 1, 0]))],
    ];
    for (const [name, input] of large) {
      const decoder = decoders.find((one) => one.name === name) as Decoder;
      const begun = performance.now();
      try {
        decoder.decode(new Uint8Array(input));
      } catch (error) {
        expect(error).to.be.instanceOf(LogError);
      }
      expect(performance.now() - begun, name).to.be.lessThan(2_000);
    }
  });

  it("makes the same inputs of a seed, others of another, each told by its number", () => {
    const decoder = decoders[0] as Decoder;
    const [one, again, other] = [1, 1, 2].map((of) => new Inputs(decoder, of));
    const numbers = [0, 7, 999_999];
    const hex = (inputs: Inputs | undefined): string[] =>
      numbers.map((n) => Buffer.from(inputs?.at(n) ?? []).toString("hex"));
    expect(hex(one)).to.deep.equal(hex(again));
    expect(hex(one)).to.not.deep.equal(hex(other));
  });

  it("tells of any other exception, with the input and the command that feeds it again", () => {
    const decoder = planted(() => {
      throw new TypeError("x is undefined");
    });
    const [failure] = fed(decoder, 0, 2_000).failures;
    expect(failure).to.include({ decoder: "planted", seed, what: "TypeError: x is undefined" });
    const { input, hex } = failure as { input: number; hex: string };
    expect([...Buffer.from(hex, "hex")]).to.include(7);
    const { replay } = told(failure as Parameters<typeof told>[0]);
    expect(replay).to.equal(`npm run soak -- fuzz --decoder planted --seed 1 --from ${input} --inputs 1`);
    expect(fed(decoder, input, input + 1).failures).to.deep.equal([failure]);
  });

  it("tells of a typed error that is not one of the decoder's own", () => {
    const decoder = planted(() => {
      throw new LogError("disk-error", "what disk?");
    });
    expect(firstOf(decoder)).to.contain("disk-error, which is not one of its own");
  });

  it("tells of a length that is believed before it is checked", () => {
    // All are kept: a collection in the middle of a measurement must not find what would hide one.
    const kept: Uint8Array[] = [];
    const decoder = planted((input) => {
      kept.push(new Uint8Array(2 ** 20 + input.length));
      return input;
    });
    expect(firstOf(decoder)).to.match(/^allocated \d+ bytes for an input of \d+/);
  });

  it("tells of an input that takes long", () => {
    const decoder = planted(() => {
      for (const until = performance.now() + 220; performance.now() < until; );
      return undefined;
    });
    expect(firstOf(decoder)).to.match(/^took \d+ ms, at most 200 are allowed/);
  });
});
