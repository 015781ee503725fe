import { expect } from "chai";
import fc from "fast-check";
import { LogError } from "#core/base/errors";
import type { Service } from "#core/io/network";
import { decodeAnswer, decodeGreeting, encodeAnswer, encodeGreeting, greetingVersion } from "#prod/greeting";

describe("the greeting", () => {
  it("names its version and service", () => {
    const services: readonly Service[] = ["peer-control", "peer-bulk", "client"];
    for (const service of services)
      expect(decodeGreeting(encodeGreeting(service))).to.deep.equal({ version: greetingVersion, service });
    expect(decodeGreeting(Uint8Array.of(0x51, 0x4c, 0x4f, 0x47, 7, 0, 0, 0))).to.deep.equal({
      version: 7,
      service: undefined,
    });
  });

  it("is answered with a welcome or a reason, and says how long the answer is", () => {
    expect(decodeAnswer(encodeAnswer("welcome"))).to.deep.equal({ refusal: undefined, bytes: 8 });
    const refused = encodeAnswer("refused", "nobody knows «you»");
    for (let cut = 0; cut < refused.length; cut++)
      expect(decodeAnswer(refused.subarray(0, cut)), `cut at ${cut}`).to.equal(undefined);
    const more = new Uint8Array([...refused, 9, 9]);
    const refusal = { code: "not-authorised", why: "nobody knows «you»" };
    expect(decodeAnswer(more)).to.deep.equal({ refusal, bytes: refused.length });
    expect(decodeAnswer(encodeAnswer("full", "later"))?.refusal).to.deep.equal({
      code: "pending-full",
      why: "later",
    });
    expect(() => decodeAnswer(encodeAnswer("not-understood", "version 9?")))
      .to.throw(LogError, "version 9?")
      .with.property("code", "wrong-version");
    const turned = decodeAnswer(encodeAnswer("refused", "\u001b[31m\u202eabc"))?.refusal?.why;
    expect(turned).to.equal("\\u001b[31m\\u202eabc");
    expect(encodeAnswer("refused", "x".repeat(9_999)).length).to.equal(8 + 4_096);
  });

  it("any other bytes are no answer, and said so by name", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.uint8Array({ maxLength: 64 }).map((tail) => new Uint8Array([0x51, 0x4c, 0x4f, 0x47, ...tail])),
        ),
        (bytes) => {
          try {
            const answer = decodeAnswer(bytes);
            expect(answer?.bytes ?? 8).to.be.at.least(8);
          } catch (error) {
            expect(error).to.be.instanceOf(LogError);
            expect((error as LogError).code).to.be.oneOf(["malformed-frame", "wrong-version"]);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
